#pragma once

#include <basin/core/config.hpp>
#include <basin/core/error.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/concepts.hpp>

#include <concepts>

namespace basin {
/// Squared Euclidean distance.
///
///     d(w, c) = || w - c ||^2
///
/// Shapes    w, c: [g].
/// Units     squared weights.
/// Cost      g multiply-adds; whiten copies.
/// Accuracy  relative error <= (g + 2) eps.
template <std::floating_point T>
class Euclidean {
 public:
  using value_type = T;
  /// @throws ShapeError if the dimension is below 1.
  explicit Euclidean(Index dim) : dim_(dim) {
    if (dim < 1) raise<ShapeError>("Euclidean: needs at least one dimension, got ", dim);
  }

  [[nodiscard]] Index dim() const noexcept { return dim_; }
  /// w itself, shape [g].
  [[nodiscard]] Vector<T> whiten(ConstVectorRef<T> w) const {
    BASIN_ASSERT(w.size() == dim());
    return w;
  }
  [[nodiscard]] T squared_distance(ConstVectorRef<T> w, ConstVectorRef<T> c) const {
    BASIN_ASSERT(w.size() == dim() && c.size() == dim());
    return (w - c).squaredNorm();
  }

 private:
  Index dim_;
};
static_assert(DistancePolicy<Euclidean<float>>);

}  // namespace basin
