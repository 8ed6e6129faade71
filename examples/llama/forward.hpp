#pragma once

#include "../support/fail.hpp"
#include "kv_cache.hpp"
#include "layer_inputs.hpp"
#include "linear.hpp"
#include "model.hpp"
#include "tokenizer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace llama {
/// What a sequence carries through a block, one row per token.
struct Activations {
  Matrix hidden;  ///< the residual stream, [n, hidden]
  Matrix input;   ///< what the next stage's linear layers read
};

enum class Stage { attention_input, attend, ffn_input, activate, finish };
inline constexpr std::array all_stages{Stage::attention_input, Stage::attend, Stage::ffn_input,
                                       Stage::activate, Stage::finish};

/// A block's forward pass as five stages. Each turns `input` into what the next linear layers read:
///
///     attention_input   input = norm(hidden)                       read by k, v, q
///     attend            input = attention(k, v, q of input)        read by o
///     ffn_input         hidden += o(input); input = norm(hidden)   read by up, gate
///     activate          input = silu(gate(input)) * up(input)      read by down
///     finish            hidden += down(input)
///
/// Generation runs them in a row. Calibration stops after each one, collects the Gram matrix of
/// `input`, replaces the layers that read it by quantized ones and goes on: nothing runs twice.
class Stages {
 public:
  /// @param positions  longest sequence, of at most config.context tokens.
  Stages(const Config& config, Index positions, basin::ExecutorRef executor)
      : config_(config), executor_(executor), cos_(positions, config.head_dim / 2), sin_(cos_) {
    if (positions > config.context)
      support::fail("a sequence of ", positions, " tokens is longer than the model's context of ",
                    config.context, "; ask for fewer");
    if (config.kv_bits == 4) {
      if (const auto error = check(Kv4Heads::format(config)); error != basin::kernels::FormatError::none)
        support::fail("--kv-bits 4: heads of ", config.head_dim, " values do not divide into groups; ", describe(error));
      kernels_ = &best_kernels();
      spread_.emplace(config.head_dim);
    }
    for (Index i = 0; i < cos_.cols(); ++i) {
      const double frequency = std::pow(double(config.rope_base), -2.0 * double(i) / double(config.head_dim));
      for (Index t = 0; t < positions; ++t) {
        cos_(t, i) = static_cast<float>(std::cos(double(t) * frequency));
        sin_(t, i) = static_cast<float>(std::sin(double(t) * frequency));
      }
    }
  }

  [[nodiscard]] const Config& config() const noexcept { return config_; }
  [[nodiscard]] const basin::ExecutorRef& executor() const noexcept { return executor_; }
  [[nodiscard]] Index positions() const noexcept { return cos_.rows(); }

  void attention_input(const Block& block, Activations& a) const {
    normalize(a.hidden, block.attention_norm, a.input);
  }
  /// The tokens follow those in the cache and are added to it.
  void attend(const Block& block, Activations& a, KvCache& cache) const {
    const Index n = a.input.rows();
    if (cache.length + n > cache.capacity || cache.length + n > positions())
      support::fail("the sequence outgrew its cache of ", std::min(cache.capacity, positions()), " tokens");
    if ((config_.kv_bits == 4) != cache.keeps_codes())
      support::fail("the cache and the stages disagree about --kv-bits ", config_.kv_bits, "; make both from the same Config");
    Matrix q, k, v;
    LayerInputs inputs(a.input, executor_);
    block.parts[k_proj].apply(inputs, k);
    block.parts[v_proj].apply(inputs, v);
    block.parts[q_proj].apply(inputs, q);
    rotate(k, cache.length);
    rotate(q, cache.length);
    if (cache.keeps_codes()) {
      store_codes(q, k, v, cache);
    } else {
      cache.keys.middleRows(cache.length, n) = k;
      cache.values.middleRows(cache.length, n) = v;
    }
    if (cache.keeps_codes() && n == 1) attention_from_codes(q, cache, a.input);
    else attention(q, cache, a.input);
    cache.length += n;
  }
  void ffn_input(const Block& block, Activations& a) const {
    add(block.parts[o_proj], a);
    normalize(a.hidden, block.ffn_norm, a.input);
  }
  void activate(const Block& block, Activations& a) const {
    Matrix gate, up;
    LayerInputs inputs(a.input, executor_);
    block.parts[gate_proj].apply(inputs, gate);
    block.parts[up_proj].apply(inputs, up);
    a.input.resize(gate.rows(), gate.cols());
    for_tokens(gate.rows(), [&](Index begin, Index n) {
      const auto g = gate.middleRows(begin, n).array();
      a.input.middleRows(begin, n) = g / (1 + (-g).exp()) * up.middleRows(begin, n).array();
    });
  }
  void finish(const Block& block, Activations& a) const { add(block.parts[down_proj], a); }

  void run(Stage stage, const Block& block, Activations& a, KvCache& cache) const {
    switch (stage) {
      case Stage::attention_input: return attention_input(block, a);
      case Stage::attend: return attend(block, a, cache);
      case Stage::ffn_input: return ffn_input(block, a);
      case Stage::activate: return activate(block, a);
      case Stage::finish: return finish(block, a);
    }
  }
  void run(const Block& block, Activations& a, KvCache& cache) const {
    for (const Stage stage : all_stages) run(stage, block, a, cache);
  }

  /// y = x / rms(x) * gain, row by row.
  void normalize(const Matrix& x, const Vector& gain, Matrix& y) const {
    y.resize(x.rows(), x.cols());
    for_tokens(x.rows(), [&](Index begin, Index n) {
      for (Index t = begin; t < begin + n; ++t) {
        const float mean_square = x.row(t).squaredNorm() / float(x.cols());
        y.row(t) = x.row(t).cwiseProduct(gain.transpose()) / std::sqrt(mean_square + config_.norm_epsilon);
      }
    });
  }

 private:
  template <class Body>
  void for_tokens(Index n, Body body) const {
    basin::for_each_range(executor_, n, 64, [&](Index begin, Index end) { body(begin, end - begin); });
  }
  void add(const Linear& linear, Activations& a) const {
    Matrix y;
    linear.apply(a.input, y, executor_);
    a.hidden += y;
  }

  /// Rotary embedding: the halves of a head are the two coordinates of head_dim / 2 points, each
  /// turned by an angle that grows with the token's position.
  void rotate(Matrix& x, Index first_position) const {
    const Index half = config_.head_dim / 2;
    for_tokens(x.rows(), [&](Index begin, Index n) {
      for (Index t = begin; t < begin + n; ++t) {
        const auto c = cos_.row(first_position + t), s = sin_.row(first_position + t);
        for (Index at = 0; at < x.cols(); at += 2 * half) {
          auto a = x.row(t).segment(at, half), b = x.row(t).segment(at + half, half);
          const Eigen::RowVectorXf turned = a.cwiseProduct(c) - b.cwiseProduct(s);
          b = (b.cwiseProduct(c) + a.cwiseProduct(s)).eval();
          a = turned;
        }
      }
    });
  }

  /// Keys and values of new tokens become codes of 4 bits. A Hadamard transform of keys, and of queries alike, spreads
  /// outliers first and changes no score.
  void store_codes(Matrix& q, Matrix& k, const Matrix& v, KvCache& cache) const {
    const Index d = config_.head_dim;
    for_tokens(q.rows(), [&](Index begin, Index n) {
      for (Index t = begin; t < begin + n; ++t) {
        for (Index at = 0; at < q.cols(); at += d) spread_->apply(&q(t, at));
        for (Index at = 0; at < k.cols(); at += d) spread_->apply(&k(t, at));
      }
      const Index first = cache.length + begin;
      for (Index head = 0; head < config_.kv_heads; ++head) {
        kernels_->kv4.quantize(cache.keys4.head(head), &k(begin, head * d), k.cols(), first, first + n);
        kernels_->kv4.quantize(cache.values4.head(head), &v(begin, head * d), v.cols(), first, first + n);
      }
    });
  }

  /// Causal attention of q, the tokens after cache.length, over the cache and themselves.
  void attention(const Matrix& q, KvCache& cache, Matrix& out) const {
    constexpr Index chunk = 128;  // queries per task; later keys than the chunk's are never touched
    const Index n = q.rows(), d = config_.head_dim, chunks = (n + chunk - 1) / chunk;
    out.resize(n, q.cols());
    executor_(chunks * config_.heads, [&](Index task) {
      const Index head = task % config_.heads, kv = kv_head(head);
      const Index begin = (chunks - 1 - task / config_.heads) * chunk;  // longest first
      const Index rows = std::min(chunk, n - begin), keys = cache.length + begin + rows;
      static thread_local Matrix decoded_keys, decoded_values;
      Matrix scores(rows, keys);
      scores.noalias() = q.block(begin, head * d, rows, d) * of_head(cache.keys, cache.keys4, kv, keys, decoded_keys).transpose();
      for (Index r = 0; r < rows; ++r) {
        const Index visible = cache.length + begin + r + 1;
        softmax(scores.row(r).head(visible));
        scores.row(r).tail(keys - visible).setZero();
      }
      out.block(begin, head * d, rows, d).noalias() = scores * of_head(cache.values, cache.values4, kv, keys, decoded_values);
    });
  }
  /// The same for one token, straight from codes: its queries become integers of 8 bits.
  void attention_from_codes(const Matrix& q, KvCache& cache, Matrix& out) const {
    const Index d = config_.head_dim, keys = cache.length + 1;
    const basin::kernels::ActivationFormat format{.bits = 8};
    support::AlignedBuffer memory(basin::kernels::activation_bytes(format, d, config_.heads));
    kernels_->activations.run(format, q.data(), d, d, config_.heads, 0, config_.heads, memory.span().data());
    const auto queries = basin::kernels::quantized_activations(format, d, config_.heads, memory.span().data());
    out.resize(1, q.cols());
    executor_(config_.heads, [&](Index head) {
      Eigen::RowVectorXf weights(keys);
      kernels_->kv4.scores(cache.keys4.head(kv_head(head)), queries, head, 0, keys, weights.data());
      softmax(weights);
      kernels_->kv4.mix(cache.values4.head(kv_head(head)), weights.data(), 0, keys, &out(0, head * d));
    });
  }

  [[nodiscard]] Index kv_head(Index head) const noexcept { return head / (config_.heads / config_.kv_heads); }
  /// The first `tokens` keys or values of a kv head, [tokens, head_dim]; those of 4 bits in `decoded`.
  [[nodiscard]] MatrixView of_head(const Matrix& all, Kv4Heads& codes, Index head, Index tokens, Matrix& decoded) const {
    if (config_.kv_bits != 4) return all.block(0, head * config_.head_dim, tokens, config_.head_dim);
    decoded.resize(tokens, config_.head_dim);
    kernels_->kv4.dequantize(codes.head(head), 0, tokens, decoded.data(), decoded.outerStride());
    return decoded;
  }
  /// In place, of scores not yet divided by the root of the head's width.
  template <class Row>
  void softmax(Row&& row) const {
    row = ((row.array() - row.maxCoeff()) * (1 / std::sqrt(float(config_.head_dim)))).exp();
    row /= row.sum();
  }

  Config config_;
  basin::ExecutorRef executor_;
  Matrix cos_, sin_;  // [positions, head_dim / 2]
  // For keys and values of 4 bits:
  const basin::kernels::KernelSet* kernels_ = nullptr;
  std::optional<basin::HadamardTransform> spread_;
};

/// The embeddings of the tokens, [n, hidden].
inline Matrix embed(const Model& model, std::span<const Token> tokens) {
  Matrix hidden(Index(tokens.size()), model.config.hidden);
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    if (tokens[t] < 0 || tokens[t] >= model.config.vocab)
      support::fail("token ", tokens[t], " is outside the model's vocabulary of ", model.config.vocab);
    hidden.row(Index(t)) = model.embedding.weight().row(tokens[t]);
  }
  return hidden;
}

/// Logits [n, vocab] of rows of the residual stream behind the last block.
inline Matrix logits(const Model& model, const Stages& stages, const Matrix& hidden) {
  Matrix normed, result;
  stages.normalize(hidden, model.final_norm, normed);
  model.head().apply(normed, result, stages.executor());
  return result;
}

/// The residual stream behind the last block, for tokens that follow those in the caches.
inline Matrix forward(const Model& model, const Stages& stages, std::span<const Token> tokens,
                      std::vector<KvCache>& caches) {
  Activations a{embed(model, tokens), {}};
  for (std::size_t b = 0; b < model.blocks.size(); ++b) stages.run(model.blocks[b], a, caches[b]);
  return std::move(a.hidden);
}

}  // namespace llama
