#pragma once

#include <basin/core/error.hpp>
#include <basin/core/executor.hpp>

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace basin {
/// Where a long computation stands.
struct Progress {
  std::string_view stage;  ///< "init", "update", "search", "store"
  Index step = 0;          ///< epoch or round, from 0
  double fraction = 0;     ///< of this stage, 0..1
  double relative_error = -1;  ///< of the layer so far; negative where unknown
};

/// What the host lends to a computation: threads, a way to stop it, and an ear for its progress.
/// Progress and notes come from the calling thread.
struct RunContext {
  ExecutorRef executor{};
  std::stop_token stop{};
  std::function<void(const Progress&)> progress{};
  /// Decisions worth a line in a report: what about, and what was decided.
  std::function<void(std::string_view subject, std::string decision)> note{};

  void report(const Progress& where) const {
    if (progress) progress(where);
  }
  void decided(std::string_view subject, std::string decision) const {
    if (note) note(subject, std::move(decision));
  }
  /// @throws Cancelled if the host has asked to stop.
  void check_stop() const {
    if (stop.stop_requested()) raise<Cancelled>("basin: stopped on request");
  }
};

}  // namespace basin
