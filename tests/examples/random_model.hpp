#pragma once

#include "llama/model.hpp"

#include <cmath>
#include <string>

#include "support/random.hpp"

namespace llama {
/// A source for build_model whose values are drawn at random, of a size that keeps activations near 1.
struct RandomSource {
  mutable basin::test::Rng rng{1};
  bool untied = false;

  bool has(const std::string&) const { return untied; }
  Vector vector(const std::string&, Index size) const {
    return Vector::Ones(size) + 0.3f * basin::test::normal_vector<float>(size, rng);
  }
  Linear linear(const std::string&, Shape shape) const {
    return Linear(basin::test::normal_matrix<float>(shape.rows, shape.cols, rng) / std::sqrt(float(shape.cols)));
  }
};
}  // namespace llama
