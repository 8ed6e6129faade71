#pragma once

#include <basin/core/error.hpp>
#include <basin/core/executor.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace basin {
/// Where a long computation stands.
struct Progress {
  std::string_view stage{};  ///< "init", "update", "search", "store"; empty where only the loop knows itself
  Index step = 0;          ///< epoch or round, from 0
  double fraction = 0;     ///< of this stage, 0..1
  double relative_error = -1;  ///< of the layer so far; negative where unknown
  double part = 0;             ///< of the loop that runs at the moment, 0..1: a sign of life
};

/// What the host lends to a computation: threads, a way to stop it, and an ear for its progress.
/// Progress and notes come from the calling thread; neither may throw. Between two looks at `stop`, and two calls of
/// `progress` where the calling thread takes part in the executor's work, lies one task: a fraction of a second.
struct RunContext {
  ExecutorRef executor{};
  std::stop_token stop{};
  std::function<void(const Progress&)> progress{};
  /// Decisions worth a line in a report: what about, and what was decided.
  std::function<void(std::string_view subject, std::string decision)> note{};
  /// When to end with what there is: what improves a result step by step begins no step that would end later. Results then
  /// depend on how fast the machine is.
  std::optional<std::chrono::steady_clock::time_point> deadline{};

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

  /// Calls task(i) once for every i in [0, n) on the host's threads, with a look at `stop` before each, and tells progress
  /// after those that the calling thread runs itself. Not from inside a task: those do not throw.
  /// @throws Cancelled if the host has asked to stop; some tasks then never ran.
  template <std::invocable<Index> Task>
  void for_each(Index n, Task&& task) const {
    check_stop();
    const std::thread::id caller = std::this_thread::get_id();
    std::atomic<Index> done{0};
    executor(n, [&](Index i) {
      if (stop.stop_requested()) return;
      task(i);
      const Index so_far = ++done;
      if (progress && std::this_thread::get_id() == caller) progress({.part = static_cast<double>(so_far) / static_cast<double>(n)});
    });
    check_stop();
  }
};

/// As for_each_range on the host's threads, and RunContext::for_each.
template <std::invocable<Index, Index> Body>
void for_each_range(const RunContext& context, Index n, Index grain, Body&& body) {
  context.for_each((n + grain - 1) / grain, [&](Index r) { body(r * grain, std::min(n, (r + 1) * grain)); });
}

}  // namespace basin
