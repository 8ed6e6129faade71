#pragma once

#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>

#include <algorithm>
#include <cmath>

namespace basin {
/// Streams how far the predictions of a changed model are from the original's.
///
///     KL(p || q) = sum_v p_v (log p_v - log q_v),   p = softmax(original), q = softmax(changed)
///
/// Shapes    logits: [tokens, vocabulary], any number of tokens at a time.
/// Units     nats per token, the mean over everything added so far.
/// Cost      two exponentials in double per logit; tokens are shared out by the executor.
/// Accuracy  a token is within (vocabulary + 8) eps (1 + max |p's logits - q's|) of its divergence, never
///           negative, and 0 for equal logits. Bit-identical for every executor.
class KlDivergence {
 public:
  /// @throws ShapeError unless both are [tokens, vocabulary] with at least one entry in the vocabulary.
  /// @throws ValueError naming the token of a logit that is not finite. Nothing is added then.
  void add(ConstMatrixRef<float> original, ConstMatrixRef<float> changed, const RunContext& context = {}) {
    if (original.rows() != changed.rows() || original.cols() != changed.cols() || original.cols() < 1)
      raise<ShapeError>("KlDivergence: logits of both models must be [tokens, vocabulary], got [", original.rows(), ", ",
                        original.cols(), "] and [", changed.rows(), ", ", changed.cols(), "]");
    Vector<double> each(original.rows());
    for_each_range(context, original.rows(), 8, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) each(t) = of_token(original.row(t), changed.row(t));
    });
    for (Index t = 0; t < each.size(); ++t)
      if (!std::isfinite(each(t)))
        raise<ValueError>("KlDivergence: the logits of token ", num_tokens_ + t, " are not finite; a layer overflows");
    for (Index t = 0; t < each.size(); ++t) sum_ += each(t);
    num_tokens_ += each.size();
  }

  [[nodiscard]] Index num_tokens() const noexcept { return num_tokens_; }
  /// 0 before the first token.
  [[nodiscard]] double mean() const noexcept { return num_tokens_ == 0 ? 0 : sum_ / static_cast<double>(num_tokens_); }

 private:
  template <class Row>
  [[nodiscard]] static double of_token(const Row& original, const Row& changed) {
    using Wide = Eigen::Array<double, 1, Eigen::Dynamic>;
    const Wide a = original.template cast<double>().array(), b = changed.template cast<double>().array();
    const double a_most = a.maxCoeff(), b_most = b.maxCoeff();
    const Wide p = (a - a_most).exp();
    const double total = p.sum();
    const double a_log = a_most + std::log(total), b_log = b_most + std::log((b - b_most).exp().sum());
    const double divergence = (p * (a - b)).sum() / total - (a_log - b_log);
    return divergence < 0 ? 0 : divergence;  // NaN stays
  }

  double sum_ = 0;
  Index num_tokens_ = 0;
};

}  // namespace basin
