#pragma once

#include "../support/console.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

namespace llama {
/// Shares a run's time out: every layer gets of what is left as much as its part of the work that is left.
class TimeShare {
 public:
  using Clock = std::chrono::steady_clock;

  /// @param begun                when the budget's time began
  /// @param budget               seconds; 0: no limit
  /// @param planned_layers       seconds that all layers would take
  /// @param planned_calibration  seconds that calibration takes
  TimeShare(support::Stopwatch begun, double budget, double planned_layers, double planned_calibration)
      : watch_(begun), budget_(budget), layers_left_(planned_layers), calibration_left_(planned_calibration) {}

  /// When a layer that was planned to take so long should end.
  [[nodiscard]] std::optional<Clock::time_point> begin_layer(double planned) {
    if (budget_ == 0) return std::nullopt;
    const double left = std::max(0.0, budget_ - watch_.seconds() - calibration_left_);
    const double share = layers_left_ > 0 ? left * std::min(1.0, planned / layers_left_) : left;
    layers_left_ -= planned;
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(share));
  }
  void end_stage(double planned_calibration) { calibration_left_ = std::max(0.0, calibration_left_ - planned_calibration); }

 private:
  support::Stopwatch watch_;
  double budget_, layers_left_, calibration_left_;
};

}  // namespace llama
