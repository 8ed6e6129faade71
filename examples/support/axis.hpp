#pragma once

#include "number_text.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace support {
/// A range of values and where its marks stand.
class Axis {
 public:
  using Tick = std::pair<double, std::string>;

  static Axis linear(std::string label, double low, double high) { return Axis(std::move(label), low, high, false, 0.04); }
  /// Marks at whole numbers only.
  static Axis whole(std::string label, double low, double high) {
    Axis axis = linear(std::move(label), low, high);
    axis.ticks_.clear();
    axis.add_linear_ticks(axis.low_, axis.high_, 1);
    return axis;
  }
  /// Ends at these values instead of a little beyond.
  static Axis exact(std::string label, double low, double high) { return Axis(std::move(label), low, high, false, 0); }
  /// @param low, high  above 0
  static Axis logarithmic(std::string label, double low, double high) { return Axis(std::move(label), low, high, true, 0.04); }
  /// One place per name, at 0, 1, ...
  static Axis named(std::string label, const std::vector<std::string>& names) {
    Axis axis(std::move(label), -0.5, static_cast<double>(names.size()) - 0.5, false, 0);
    axis.ticks_.clear();
    for (const std::string& name : names) axis.ticks_.emplace_back(static_cast<double>(axis.ticks_.size()), name);
    return axis;
  }

  [[nodiscard]] const std::string& label() const noexcept { return label_; }
  [[nodiscard]] const std::vector<Tick>& ticks() const noexcept { return ticks_; }
  /// 0 at the low end, 1 at the high one; values beyond stay at the ends.
  [[nodiscard]] double place(double value) const {
    if (is_log_) value = value > 0 ? std::log10(value) : low_;
    return std::clamp((value - low_) / (high_ - low_), 0.0, 1.0);
  }

 private:
  Axis(std::string label, double low, double high, bool is_log, double margin)
      : label_(std::move(label)), low_(is_log ? std::log10(low) : low), high_(is_log ? std::log10(high) : high), is_log_(is_log) {
    if (!(high_ - low_ > 1e-6 * std::max(std::abs(low_), std::abs(high_)))) {  // one value, but for rounding
      const double half = is_log_ || low_ == 0 ? 0.5 : 0.1 * std::abs(low_);
      low_ -= half;
      high_ += half;
    }
    const double beyond = margin * (high_ - low_);
    low_ -= beyond;
    high_ += beyond;
    if (is_log_) add_log_ticks();
    else add_linear_ticks(low_, high_);
  }
  /// Multiples of 1, 2 or 5 times a power of ten that is `least` or more.
  void add_linear_ticks(double low, double high, double least = 0) {
    const double rough = (high - low) / 5, power = std::pow(10.0, std::floor(std::log10(rough)));
    const double step = std::max(least, power * (rough <= power ? 1 : rough <= 2 * power ? 2 : rough <= 5 * power ? 5 : 10));
    for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i) ticks_.emplace_back(i * step, short_number(i * step + 0.0));
  }
  /// 1, 2 and 5 of every decade; powers of ten where these are many, equal steps where they are few.
  void add_log_ticks() {
    const bool is_wide = high_ - low_ > 2.2;
    const double stride = std::ceil((high_ - low_) / 6);
    for (double decade = std::floor(low_); decade <= high_; ++decade)
      for (const double factor : {1.0, 2.0, 5.0}) {
        const double at = decade + std::log10(factor);
        if (at < low_ || at > high_ || (is_wide && (factor != 1 || std::fmod(std::abs(decade), stride) != 0))) continue;
        ticks_.emplace_back(std::pow(10.0, at), short_number(factor * std::pow(10.0, decade)));
      }
    if (ticks_.size() > 2) return;
    ticks_.clear();
    add_linear_ticks(std::pow(10.0, low_), std::pow(10.0, high_));
  }

  std::string label_;
  double low_, high_;
  bool is_log_;
  std::vector<Tick> ticks_;
};

/// Values that an axis shall show.
class Extent {
 public:
  void add(double value) {
    if (!std::isfinite(value)) return;
    low_ = std::min(low_, value);
    high_ = std::max(high_, value);
  }
  void add_positive(double value) {
    if (value > 0) add(value);
  }
  [[nodiscard]] bool is_empty() const noexcept { return low_ > high_; }
  [[nodiscard]] double low() const noexcept { return low_; }
  [[nodiscard]] double high() const noexcept { return high_; }

 private:
  double low_ = HUGE_VAL, high_ = -HUGE_VAL;
};

}  // namespace support
