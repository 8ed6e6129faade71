#pragma once

#include <basin/metric/concepts.hpp>

#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace basin::test {
/// What clustering relies on in a distance: symmetric, zero exactly between equals, positive
/// otherwise, quadratic in the difference, and Euclidean after whitening.
template <DistancePolicy M>
void check_distance_policy_laws(const M& metric) {
  using T = typename M::value_type;
  Rng rng(71);
  const T tolerance = T(1e3) * static_cast<T>(metric.dim()) * std::numeric_limits<T>::epsilon();
  for (int repeat = 0; repeat < 10; ++repeat) {
    const Vector<T> w = normal_vector<T>(metric.dim(), rng), c = normal_vector<T>(metric.dim(), rng);
    const T distance = metric.squared_distance(w, c);
    CHECK(distance > 0);
    CHECK(std::abs(metric.squared_distance(c, w) - distance) <= tolerance * distance);
    CHECK(metric.squared_distance(w, w) == 0);
    const Vector<T> twice = w + 2 * (c - w);
    CHECK(std::abs(metric.squared_distance(w, twice) - 4 * distance) <= 4 * tolerance * distance);
    const Vector<T> white_w = metric.whiten(w), white_c = metric.whiten(c);
    CHECK(white_w.size() == metric.dim());
    CHECK(std::abs((white_w - white_c).squaredNorm() - distance) <= tolerance * distance);
    const M copy = metric;
    CHECK(copy.squared_distance(w, c) == distance);
  }
}

}  // namespace basin::test
