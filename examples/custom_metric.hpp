#pragma once

#include <basin/metric/concepts.hpp>

#include <algorithm>

namespace host {
/// The diagonal of H and nothing else: inputs matter by their energy, correlations do not.
struct InputImportance {
  double floor = 0.01;  ///< of the mean, so that silent inputs keep a little weight

  [[nodiscard]] basin::HessianBlocks blocks(basin::ConstMatrixRef<double> hessian, basin::Index g) const {
    const basin::Index n = hessian.cols();
    basin::HessianBlocks result((n + g - 1) / g, g);
    const double least = floor * hessian.diagonal().mean();
    for (basin::Index i = 0; i < n; ++i)
      result.block(i / g)(i % g, i % g) = hessian(i, i) + least;
    return result;
  }
};
static_assert(basin::MetricPolicy<InputImportance>);

}  // namespace host
