#pragma once

#include "forward.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace llama {
/// Mean negative log-likelihood of the tokens behind the first, each given those before it.
inline double window_nll(const Model& model, const Stages& stages, std::span<const Token> tokens) {
  Activations a{embed(model, tokens), {}};
  KvCache cache(model.config, Index(tokens.size()));
  for (const Block& block : model.blocks) {
    cache.length = 0;  // each block sees the whole window, so one cache serves them all
    stages.run(block, a, cache);
  }
  constexpr Index chunk = 128;  // logits are [chunk, vocab]: 25 MB for 49152 tokens
  const Index predictions = Index(tokens.size()) - 1;
  Eigen::VectorXd loss(predictions);
  for (Index begin = 0; begin < predictions; begin += chunk) {
    const Index n = std::min(chunk, predictions - begin);
    const Matrix scores = logits(model, stages, a.hidden.middleRows(begin, n));
    stages.executor()(n, [&](Index r) {
      const auto row = scores.row(r).array();
      const float largest = row.maxCoeff();
      const double log_sum = std::log(double((row - largest).exp().sum())) + double(largest);
      loss[begin + r] = log_sum - double(row[tokens[std::size_t(begin + r + 1)]]);
    });
  }
  return loss.mean();
}

}  // namespace llama
