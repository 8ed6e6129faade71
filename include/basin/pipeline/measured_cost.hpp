#pragma once

#include <basin/core/error.hpp>
#include <basin/core/types.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace basin {
/// A layer that is to be quantized.
struct LayerShape {
  std::string name;
  Index n_out = 0;
  Index n_in = 0;
};

/// How long layers take on this machine, from quantizing a few rows of some of them.
///
///     seconds(n_out, n_in) = fixed(n_in) + n_out * per_row(n_in)
///
/// Numbers of inputs that were not measured lie between those that were on a power law.
class MeasuredCost {
 public:
  /// @param quantize  quantize(n_out, n_in) quantizes a stand-in of that shape, as the run will quantize layers
  /// @param budget    seconds that measuring may take, about; more where the smallest stand-ins take longer
  template <class Clock = std::chrono::steady_clock, std::invocable<Index, Index> Quantize>
  [[nodiscard]] static MeasuredCost measure(std::span<const LayerShape> layers, Quantize&& quantize, double budget = 2.0) {
    if (layers.empty()) raise<ValueError>("MeasuredCost: there are no layers to measure");
    std::map<Index, Index> most_rows;  // by number of inputs
    for (const LayerShape& layer : layers) {
      if (layer.n_out < 1 || layer.n_in < 1)
        raise<ShapeError>("MeasuredCost: layer \"", layer.name, "\" is [", layer.n_out, ", ", layer.n_in, "]; it must not be empty");
      most_rows[layer.n_in] = std::max(most_rows[layer.n_in], layer.n_out);
    }
    MeasuredCost cost;
    const auto last = std::prev(most_rows.end());
    const double share = budget / static_cast<double>(std::min<std::size_t>(2, most_rows.size()));
    cost.measure_inputs<Clock>(most_rows.begin()->first, most_rows.begin()->second, share, quantize);
    if (most_rows.size() > 1) cost.measure_inputs<Clock>(last->first, last->second, share, quantize);
    return cost;
  }

  /// The same on threads that together are so many times as fast as what was measured. Few rows do not keep several threads
  /// busy, so that one thread measures better what many will do.
  [[nodiscard]] MeasuredCost on_threads(double speedup) const {
    MeasuredCost cost = *this;
    for (auto& [n_in, line] : cost.lines_) line = {line.fixed / speedup, line.per_row / speedup};
    return cost;
  }

  [[nodiscard]] double seconds(Index n_out, Index n_in) const {
    const auto above = lines_.lower_bound(n_in);
    if (above != lines_.end() && above->first == n_in) return above->second.at(n_out);
    const Line& high = above == lines_.end() ? std::prev(above)->second : above->second;
    if (lines_.size() < 2) return high.at(n_out) * ratio(n_in, lines_.begin()->first);
    const auto& [few, low] = *lines_.begin();
    const auto& [many, top] = *std::prev(lines_.end());
    const double exponent = std::log(top.at(n_out) / low.at(n_out)) / std::log(ratio(many, few));
    return low.at(n_out) * std::pow(ratio(n_in, few), exponent);
  }

 private:
  MeasuredCost() = default;

  struct Line {
    double fixed = 0, per_row = 0;
    [[nodiscard]] double at(Index n_out) const noexcept { return fixed + per_row * static_cast<double>(n_out); }
  };
  [[nodiscard]] static double ratio(Index a, Index b) noexcept { return static_cast<double>(a) / static_cast<double>(b); }

  template <class Clock, class Quantize>
  void measure_inputs(Index n_in, Index most_rows, double share, Quantize&& quantize) {
    const auto timed = [&](Index rows) {
      const auto start = Clock::now();
      quantize(rows, n_in);
      return std::max(1e-9, std::chrono::duration<double>(Clock::now() - start).count());
    };
    constexpr Index first_rows = 32;
    const Index few = std::min(first_rows, most_rows);
    static_cast<void>(timed(few));  // threads and memory wake up
    const double low = timed(few);
    const double left = share - 2 * low;
    const Index many = std::min(most_rows, static_cast<Index>(static_cast<double>(few) * std::clamp(left / low, 2.0, 1e6)) / few * few);
    if (many <= few) {
      lines_[n_in] = {0, low / static_cast<double>(few)};
      return;
    }
    const double high = timed(many);
    const double per_row = std::clamp((high - low) / static_cast<double>(many - few), 0.0, high / static_cast<double>(many));
    lines_[n_in] = {high - per_row * static_cast<double>(many), per_row};
  }

  std::map<Index, Line> lines_;
};

}  // namespace basin
