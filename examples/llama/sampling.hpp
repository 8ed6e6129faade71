#pragma once

#include "linear.hpp"
#include "tokenizer.hpp"

#include <basin/core/random.hpp>

#include <cmath>

namespace llama {
/// The next token from logits [1, vocab]: the likeliest at temperature 0, else drawn from
/// softmax(logits / temperature).
inline Token sample(const Matrix& logits, double temperature, basin::SplitMix64& random) {
  Index best = 0;
  const float largest = logits.row(0).maxCoeff(&best);
  if (temperature <= 0) return static_cast<Token>(best);
  const Eigen::ArrayXd weights =
      ((logits.row(0).transpose().cast<double>().array() - double(largest)) / temperature).exp();
  double left = random.uniform() * weights.sum();
  for (Index i = 0; i < weights.size(); ++i)
    if ((left -= weights[i]) < 0) return static_cast<Token>(i);
  return static_cast<Token>(best);  // only rounding leads here
}

}  // namespace llama
