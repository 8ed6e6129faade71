#pragma once

#include <basin/core/aligned_vector.hpp>
#include <basin/core/config.hpp>
#include <basin/core/error.hpp>
#include <basin/core/power_2_4.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/levels/concepts.hpp>
#include <basin/metric/check_hessian.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <vector>

namespace basin {
/// What a scale search sums over a row: |error|^2, or |error|^2.4, which spares the largest weights.
enum class ErrorPower { squared, power_2_4 };

/// What a scale search finds for each row.
template <std::floating_point T>
struct ClippedScales {
  Vector<T> scales;        ///< [n_out]
  Vector<T> zero_points;   ///< [n_out], or empty where the level set has none
  Vector<double> errors;   ///< [n_out], the sums that were minimised
};

/// Scales that clip: for each row the best of a grid of fractions of the scale at which its largest weight
/// just reaches the outermost level.
///
///     s = p max|w| / l_max,   p = 1, 1 - 1/grid, ..;   sum_i | w_i - Q_s(w_i) |^power least
///
/// l_max is the largest level: for {-2, -1, 0, 1} that is 1. Where rows have zero points, the levels just
/// reach min(w, 0) and max(w, 0), and the zero point is -min(w, 0) / s rounded half to even.
///
/// Shapes    W: [n_out, n_in], any rows of zeros get scale 0.
/// Cost      max_shrink * grid roundings of every weight; |error|^2.4 without pow.
/// Accuracy  a sum is off by 64 eps of T at most, relative to sum (|error|^power + |w| |error|^(power - 1)); of
///           equal sums the largest scale wins. The same bits for every executor.
/// Errors    ValueError naming an entry of W that is not finite; ValueError unless grid >= 1 and
///           1 / grid <= max_shrink <= 1.
/// Source    GPTQ, arXiv:2210.17323, and QuaRot, arXiv:2404.00456: their code's `mse` search.
struct ClipSearch {
  int grid = 100;
  double max_shrink = 0.8;
  ErrorPower power = ErrorPower::power_2_4;

  template <LevelSet L, std::floating_point T>
  [[nodiscard]] ClippedScales<T> search(ConstMatrixRef<T> weight, const RunContext& context = {}) const {
    if (grid < 1 || !(max_shrink <= 1) || !(max_shrink * grid >= 1))
      raise<ValueError>("ClipSearch: needs grid >= 1 and 1 / grid <= max_shrink <= 1, got ", grid, " and ", max_shrink);
    const int candidates = static_cast<int>(max_shrink * grid);
    check_finite_weight<T>(weight);
    context.check_stop();
    std::vector<Candidate<T>> fractions;
    for (int i = 0; i < candidates; ++i) {
      const double p = 1 - static_cast<double>(i) / grid;
      fractions.push_back({static_cast<T>(p), static_cast<T>(1 / p), std::pow(p, exponent())});
    }
    ClippedScales<T> found{Vector<T>::Zero(weight.rows()), {}, Vector<double>::Zero(weight.rows())};
    static_assert(ShiftedLevelSet<L> || !requires { requires L::has_zero_point; },
                  "ShiftedLevelSet: a level set with has_zero_point must have the values 0, 1, .., N - 1");
    if constexpr (ShiftedLevelSet<L>) found.zero_points = Vector<T>::Zero(weight.rows());
    for_each_range(context, weight.rows(), 8, [&](Index begin, Index end) {
      AlignedVector<T> row(static_cast<std::size_t>(weight.cols()));
      for (Index o = begin; o < end && !context.stop.stop_requested(); ++o) {
        const auto w = weight.row(o);
        const T lowest = std::min(T(0), w.minCoeff()), highest = std::max(T(0), w.maxCoeff());
        T zero_point = 0, largest = std::max(highest, -lowest) / reach<L, T>();
        if constexpr (ShiftedLevelSet<L>) {
          largest = highest / reach<L, T>() - lowest / reach<L, T>();
          if (largest > 0) found.zero_points(o) = zero_point = std::nearbyint(-lowest / largest);
        }
        if (!(largest > 0)) continue;
        for (Index i = 0; i < w.cols(); ++i) row[static_cast<std::size_t>(i)] = w(i) / largest;
        const auto best = power == ErrorPower::squared ? best_of<L, ErrorPower::squared>(row, zero_point, fractions)
                                                       : best_of<L, ErrorPower::power_2_4>(row, zero_point, fractions);
        found.scales(o) = best.fraction * largest;
        found.errors(o) = best.error * std::pow(static_cast<double>(largest), exponent());
      }
    });
    context.check_stop();
    return found;
  }

 private:
  template <class T>
  struct Candidate {
    T fraction, inverse;
    double unit;  // p^exponent
  };
  template <class T>
  struct Best {
    T fraction = 0;
    double error = std::numeric_limits<double>::infinity();
  };

  [[nodiscard]] double exponent() const noexcept { return power == ErrorPower::squared ? 2 : 2.4; }
  template <LevelSet L, class T>
  [[nodiscard]] static constexpr T reach() noexcept {
    return static_cast<T>(L::values.back() > 0 ? L::values.back() : -L::values.front());
  }

  template <LevelSet L, ErrorPower Power, class T>
  [[nodiscard]] static Best<T> best_of(const AlignedVector<T>& row, T zero_point,
                                       const std::vector<Candidate<T>>& candidates) noexcept {
    // The best are among the small ones, and larger ones lose before their sums are complete.
    Best<T> best;
    for (auto candidate = candidates.rbegin(); candidate != candidates.rend(); ++candidate) {
      const double error = candidate->unit * row_error<L, Power>(row.data(), static_cast<Index>(row.size()), candidate->inverse,
                                                                 zero_point, best.error / candidate->unit);
      if (error <= best.error) best = {candidate->fraction, error};
    }
    return best;
  }

  /// The sum over a row, in chunks: their sums are in T, those of chunks in double. Beyond the limit the rest
  /// is left out.
  template <LevelSet L, ErrorPower Power, class T>
  [[nodiscard]] static double row_error(const T* row, Index n, T inverse, T zero_point, double limit) noexcept {
    constexpr Index lanes = 16, chunk = 512;
    constexpr double slack = 1 + 1e-12;  // the limit is rounded
    double total = 0;
    T errors[chunk];
    for (Index begin = 0; begin < n && total <= slack * limit; begin += chunk) {
      const Index count = std::min(chunk, n - begin), padded = (count + lanes - 1) / lanes * lanes;
      const T* BASIN_RESTRICT from = row + begin;
      for (Index i = 0; i < count; ++i) errors[i] = error<L, Power>(from[i] * inverse + zero_point);
      std::fill(errors + count, errors + padded, T(0));
      T sums[lanes] = {};
      for (Index i = 0; i < padded; i += lanes)
        for (Index lane = 0; lane < lanes; ++lane) sums[lane] += errors[i + lane];
      for (const T sum : sums) total += static_cast<double>(sum);
    }
    return total;
  }

  template <LevelSet L, ErrorPower Power, class T>
  [[nodiscard]] BASIN_ALWAYS_INLINE static T error(T x) noexcept {
    T level = static_cast<T>(L::values[0]);
    for (std::size_t k = 1; k < num_levels<L>; ++k) {
      const T midpoint = (static_cast<T>(L::values[k - 1]) + static_cast<T>(L::values[k])) / 2;
      level = x > midpoint ? static_cast<T>(L::values[k]) : level;
    }
    const T distance = std::abs(x - level);
    if constexpr (Power == ErrorPower::squared) return distance * distance;
    else return power_2_4(distance);
  }
};

}  // namespace basin
