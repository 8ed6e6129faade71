#pragma once

#include <basin/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <tuple>

#include "support/buffer.hpp"
#include "support/data.hpp"
#include "support/openblas.hpp"
#include "support/shapes.hpp"
#include "support/timing.hpp"

namespace basin::bench {
/// Nanoseconds of the same product by an unquantized fp32 weight, one thread; 0 where not measured.
struct Baseline {
  double eigen = 0;
  double openblas = 0;

  [[nodiscard]] double fastest() const noexcept { return openblas > 0 ? std::min(eigen, openblas) : eigen; }
};

/// y = W x over matrices in turn: a single one of 64 MB can stay in a large last-level cache and is then
/// read twice as fast as any layer of a model. Measured once per shape and process.
[[nodiscard]] inline const Baseline& sgemv_baseline(const Shape& shape) {
  static std::map<Shape, Baseline> measured;
  const auto [entry, is_new] = measured.try_emplace(shape);
  if (is_new) {
    const std::size_t size = static_cast<std::size_t>(shape.n_out * shape.n_in);
    RotatingCopies<float> matrices(uniform_floats(size, 1).data(), size);
    const Buffer<float> x = normal_floats(static_cast<std::size_t>(shape.n_in), 2);
    Buffer<float> y(static_cast<std::size_t>(shape.n_out));
    Eigen::Map<Vector<float>> out(y.data(), shape.n_out);
    const Eigen::Map<const Vector<float>> in(x.data(), shape.n_in);
    entry->second.eigen = median_call(
        [&] { out.noalias() = ConstMatrixMap<float>(matrices.next(), shape.n_out, shape.n_in) * in; }, 20, 0.3);
    if (!openblas_core().empty())
      entry->second.openblas =
          median_call([&] { openblas_sgemv(shape.n_out, shape.n_in, matrices.next(), x.data(), y.data()); }, 20, 0.3);
  }
  return entry->second;
}

/// Y = X W^T for `batch` inputs. Measured once per shape, batch and process.
[[nodiscard]] inline const Baseline& sgemm_baseline(const Shape& shape, std::ptrdiff_t batch) {
  static std::map<std::tuple<Shape, std::ptrdiff_t>, Baseline> measured;
  const auto [entry, is_new] = measured.try_emplace({shape, batch});
  if (is_new) {
    const Buffer<float> w = uniform_floats(static_cast<std::size_t>(shape.n_out * shape.n_in), 1);
    const Buffer<float> x = uniform_floats(static_cast<std::size_t>(batch * shape.n_in), 2);
    Buffer<float> y(static_cast<std::size_t>(batch * shape.n_out));
    const ConstMatrixMap<float> weight(w.data(), shape.n_out, shape.n_in), in(x.data(), batch, shape.n_in);
    MatrixMap<float> out(y.data(), batch, shape.n_out);
    entry->second.eigen = median_call([&] { out.noalias() = in * weight.transpose(); }, 3);
    if (!openblas_core().empty())
      entry->second.openblas =
          median_call([&] { openblas_sgemm(shape.n_out, shape.n_in, batch, w.data(), x.data(), y.data()); }, 3);
  }
  return entry->second;
}

}  // namespace basin::bench
