#pragma once

#include <basin/core/normal_distribution.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <vector>

namespace basin {
/// How far the rows of a weight are from a Gaussian.
struct Gaussianity {
  double median_mean_ratio = 0;   ///< |mean| / std of a row
  double largest_mean_ratio = 0;
  double skewness = 0;            ///< E z^3, 0 for a Gaussian
  double excess_kurtosis = 0;     ///< E z^4 - 3, 0 for a Gaussian
  double quantile_error = 0;      ///< root mean square distance of z's quantiles from the Gaussian's
};

/// Pools the rows of W after each is standardised, z = (w - mean) / std.
///
/// Shapes    W: [n_out, n_in]; rows that are constant are left out, and a weight without others gives zeros.
/// Cost      a sort of all entries; quantiles are compared at 65536 places at most.
/// Accuracy  of n samples of a Gaussian, skewness is within 4 sqrt(6 / n) and kurtosis within 4 sqrt(24 / n); a row of
///           n_in samples that is standardised by itself loses 6 / (n_in + 1) of kurtosis.
/// Source    the measures of Qift, arXiv:2606.02823.
template <std::floating_point T>
[[nodiscard]] Gaussianity gaussianity(ConstMatrixRef<T> weight, const RunContext& context = {}) {
  struct Row {
    double mean_ratio = -1, cubes = 0, fourths = 0;
  };
  std::vector<Row> rows(static_cast<std::size_t>(weight.rows()));
  Matrix<float> z(weight.rows(), weight.cols());
  for_each_range(context, weight.rows(), 16, [&](Index begin, Index end) {
    for (Index o = begin; o < end; ++o) {
      const Vector<double> w = weight.row(o).transpose().template cast<double>();
      const double mean = w.mean();
      const double deviation = std::sqrt((w.array() - mean).square().mean());
      if (!(deviation > 1e-14 * std::abs(mean))) continue;
      const Eigen::ArrayXd standard = (w.array() - mean) / deviation;
      rows[static_cast<std::size_t>(o)] = {std::abs(mean) / deviation, standard.cube().sum(), standard.square().square().sum()};
      z.row(o) = standard.matrix().transpose().template cast<float>();
    }
  });
  Gaussianity found;
  std::vector<double> ratios;
  std::vector<float> pool;
  for (Index o = 0; o < weight.rows(); ++o) {
    const Row& row = rows[static_cast<std::size_t>(o)];
    if (row.mean_ratio < 0) continue;
    ratios.push_back(row.mean_ratio);
    found.skewness += row.cubes;
    found.excess_kurtosis += row.fourths;
    pool.insert(pool.end(), z.row(o).data(), z.row(o).data() + z.cols());
  }
  if (pool.empty()) return found;
  const auto n = static_cast<double>(pool.size());
  found.skewness /= n;
  found.excess_kurtosis = found.excess_kurtosis / n - 3;
  std::sort(ratios.begin(), ratios.end());
  found.median_mean_ratio = ratios[ratios.size() / 2];
  found.largest_mean_ratio = ratios.back();

  std::sort(pool.begin(), pool.end());
  const std::size_t places = std::min<std::size_t>(pool.size(), 65536);
  const auto error = [&](std::size_t place, double quantile) {
    const auto at = static_cast<std::size_t>((static_cast<double>(place) + 0.5) / static_cast<double>(places) * n);
    const double distance = static_cast<double>(pool[at]) - quantile;
    return distance * distance;
  };
  // From the middle outwards: each quantile is where the search for the next one begins.
  double quantile = 0, sum = 0;
  for (std::size_t place = places / 2; place < places; ++place) {
    const double tail = (static_cast<double>(places - place) - 0.5) / static_cast<double>(places);
    if (tail < 0.5) quantile = detail::upper_quantile(tail, quantile);
    sum += error(place, quantile);
    if (place != places - 1 - place) sum += error(places - 1 - place, -quantile);
  }
  found.quantile_error = std::sqrt(sum / static_cast<double>(places));
  return found;
}

}  // namespace basin
