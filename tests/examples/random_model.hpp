#pragma once

#include "llama/model.hpp"
#include "llama/tokenizer.hpp"

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

/// Bytes, two merges and an end: 259 tokens.
inline Vocabulary tiny_vocabulary() {
  Vocabulary v;
  for (const char32_t c : detail::byte_alphabet()) v.tokens.push_back(detail::utf8(c));
  v.merges = {{"a", "b"}, {"ab", "\""}};
  for (const auto& [left, right] : v.merges) v.tokens.push_back(left + right);
  v.special.assign(v.tokens.size(), false);
  v.tokens.push_back("<|end|>");
  v.special.push_back(true);
  v.eos = 258;
  return v;
}
}  // namespace llama
