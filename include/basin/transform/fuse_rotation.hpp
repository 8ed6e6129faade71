#pragma once

#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/transform/hadamard.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace basin {
/// The tensors of one block of a Llama-architecture model, in the host's memory: weights are [n_out, n_in].
template <std::floating_point T>
struct LlamaBlock {
  Eigen::Ref<Vector<T>> attention_norm;  ///< [hidden]
  MatrixRef<T> q, k, v;                  ///< [heads * head_dim, hidden]; k, v: [kv_heads * head_dim, hidden]
  MatrixRef<T> o;                        ///< [hidden, heads * head_dim]
  Eigen::Ref<Vector<T>> ffn_norm;        ///< [hidden]
  MatrixRef<T> gate, up;                 ///< [n_ff, hidden]
  MatrixRef<T> down;                     ///< [hidden, n_ff]
};

/// A Llama-architecture model, in the host's memory. The head is a tensor of its own: where the embedding
/// makes the logits, give the head a copy of it, because the two become different.
template <std::floating_point T>
struct LlamaTensors {
  MatrixRef<T> embedding;  ///< [vocab, hidden]
  std::vector<LlamaBlock<T>> blocks;
  Eigen::Ref<Vector<T>> final_norm;  ///< [hidden]
  MatrixRef<T> head;                 ///< [vocab, hidden]
};

/// Where an engine must transform what it has just computed.
enum class OnlineStage {
  queries_and_keys,  ///< both, behind the rotary embedding; changes no product of theirs
  attention_output,  ///< what o reads
  ffn_activation     ///< what down reads: silu(gate) * up
};

[[nodiscard]] constexpr std::string_view to_string(OnlineStage stage) noexcept {
  switch (stage) {
    case OnlineStage::queries_and_keys: return "queries and keys";
    case OnlineStage::attention_output: return "attention output";
    case OnlineStage::ffn_activation: return "feed-forward activation";
  }
  return "unknown";
}

/// A transform that stays in the engine.
struct OnlineTransform {
  OnlineStage stage;
  HadamardTransform transform;
  Index inner = 1;  ///< what it maps are [transform.size(), inner] values at a time

  /// One token's vector, in place; its width is a multiple of transform.size() * inner.
  template <std::floating_point T>
  void apply(T* x, Index width) const {
    for (Index at = 0; at < width; at += transform.size() * inner) transform.apply_across(x + at, inner);
  }
};

struct FusionOptions {
  Index head_dim = 0;      ///< of the model
  std::uint64_t seed = 0;  ///< of the signs of the residual stream's rotation
  bool rotate_heads = true;           ///< values and what o reads
  bool rotate_ffn = true;             ///< what down reads
  bool rotate_queries_and_keys = true;
  /// ValueError for a width without a Hadamard matrix, rather than what stands in for it: a random orthogonal
  /// matrix, but blocks for the feed-forward part.
  bool require_hadamard = false;
};

/// What fuse_rotation did.
struct FusedRotation {
  HadamardTransform residual;            ///< of the residual stream; nothing to run
  std::vector<OnlineTransform> online;   ///< what the engine must run, the same in every block

  /// One line per transform, for a log.
  [[nodiscard]] std::string description() const {
    std::string text = "residual stream: " + residual.description();
    for (const OnlineTransform& part : online)
      text += concat("\n", to_string(part.stage), part.inner == 1 ? ": " : " across heads: ", part.transform.description());
    return text;
  }
};

namespace detail {
/// Rewrites tensors in double.
class RotationFuser {
 public:
  RotationFuser(const HadamardTransform& residual, const RunContext& context) : residual_(residual), context_(context) {}

  /// W <- W diag(norm) U: what reads the residual stream behind a norm.
  template <class T>
  void read_behind(const Eigen::Ref<Vector<T>>& norm, MatrixRef<T> weight) const {
    edit(weight, [&](Matrix<double>& w) {
      w = w * norm.template cast<double>().asDiagonal();
      residual_.apply(w, context_);
    });
  }
  /// W <- W U.
  template <class T>
  void read(MatrixRef<T> weight) const {
    edit(weight, [&](Matrix<double>& w) { residual_.apply(w, context_); });
  }
  /// W <- U^T W: what writes to the residual stream.
  template <class T>
  void write(MatrixRef<T> weight) const {
    edit(weight, [&](Matrix<double>& w) {
      Matrix<double> columns = w.transpose();
      residual_.apply(columns, context_);
      w = columns.transpose();
    });
  }
  /// W <- W V, V what an engine runs online on the layer's inputs.
  template <class T>
  void absorb_inputs(const OnlineTransform& online, MatrixRef<T> weight) const {
    edit(weight, [&](Matrix<double>& w) { each_row(online, w); });
  }
  /// W <- V^T W: the layer's outputs come out transformed.
  template <class T>
  void absorb_outputs(const OnlineTransform& online, MatrixRef<T> weight) const {
    edit(weight, [&](Matrix<double>& w) {
      Matrix<double> columns = w.transpose();
      each_row(online, columns);
      w = columns.transpose();
    });
  }

 private:
  template <class T, class Change>
  static void edit(MatrixRef<T>& weight, const Change& change) {
    Matrix<double> wide = weight.template cast<double>();
    change(wide);
    weight = wide.template cast<T>();
  }
  void each_row(const OnlineTransform& online, Matrix<double>& rows) const {
    for_each_range(context_, rows.rows(), 16, [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) online.apply(rows.data() + r * rows.cols(), rows.cols());
    });
  }

  const HadamardTransform& residual_;
  const RunContext& context_;
};

/// @throws ShapeError naming what does not fit. @throws ValueError for tied embeddings.
template <class T>
void check_llama_tensors(const LlamaTensors<T>& model, Index head_dim) {
  const Index hidden = model.embedding.cols();
  const auto check = [](std::string_view name, const auto& weight, Index rows, Index cols) {
    if (weight.rows() != rows || weight.cols() != cols)
      raise<ShapeError>("fuse_rotation: ", name, " must be [", rows, ", ", cols, "], got [", weight.rows(), ", ", weight.cols(), "]");
  };
  check("the head", model.head, model.embedding.rows(), hidden);
  check("the final norm", model.final_norm, hidden, 1);
  for (const LlamaBlock<T>& block : model.blocks) {
    check("attention norm", block.attention_norm, hidden, 1);
    check("ffn norm", block.ffn_norm, hidden, 1);
    if (head_dim < 1 || block.q.rows() % head_dim != 0 || block.k.rows() % head_dim != 0)
      raise<ShapeError>("fuse_rotation: a head dimension of ", head_dim, " does not divide the ", block.q.rows(), " outputs of q and ",
                        block.k.rows(), " of k");
    check("q", block.q, model.blocks[0].q.rows(), hidden);
    check("k", block.k, model.blocks[0].k.rows(), hidden);
    check("v", block.v, block.k.rows(), hidden);
    check("o", block.o, hidden, block.q.rows());
    check("gate", block.gate, model.blocks[0].gate.rows(), hidden);
    check("up", block.up, block.gate.rows(), hidden);
    check("down", block.down, hidden, block.gate.rows());
  }
  if (model.head.data() == model.embedding.data())
    raise<ValueError>("fuse_rotation: the head is the embedding; give it a copy, the two become different");
}
}  // namespace detail

/// Rotates a Llama-architecture model by orthogonal transforms that its function does not see: norm weights fold
/// into the layers behind them, the residual stream is rotated by a randomised Hadamard transform U, values and
/// what o reads per head and across heads, what down reads along its whole width.
///
///     embedding, head, q, k, v, gate, up: W U;   o, down: U^T W;   norms: 1
///     v: H_d per head;   o: heads (x) H_d on its inputs;   down: H on its inputs
///
/// The engine runs the transforms in FusedRotation::online, and nothing else changes. Models with biases or
/// with norms that subtract a mean are not Llama's.
///
/// Shapes    as in LlamaTensors; head_dim divides the outputs of q, k and v.
/// Cost      a pass over every weight in double, one at a time.
/// Accuracy  weights are rounded to T once; logits are the same to the rounding of T.
/// Source    QuaRot, arXiv:2404.00456.
/// @throws ShapeError, ValueError before anything is changed.
template <std::floating_point T>
FusedRotation fuse_rotation(const LlamaTensors<T>& model, const FusionOptions& options, const RunContext& context = {}) {
  detail::check_llama_tensors(model, options.head_dim);
  const auto otherwise = [&](WithoutHadamard without) { return options.require_hadamard ? WithoutHadamard::refuse : without; };
  const auto dense = otherwise(WithoutHadamard::orthogonal), blocks = otherwise(WithoutHadamard::blocks);
  FusedRotation fused{HadamardTransform(model.embedding.cols(), {.sign_seed = options.seed, .without = dense}), {}};
  if (model.blocks.empty()) raise<ShapeError>("fuse_rotation: the model has no blocks");

  const LlamaBlock<T>& first = model.blocks[0];
  const Index heads = first.q.rows() / options.head_dim;
  const OnlineTransform per_head{OnlineStage::queries_and_keys, HadamardTransform(options.head_dim, {.without = dense}), 1};
  const OnlineTransform across_heads{OnlineStage::attention_output, HadamardTransform(heads, {.without = dense}), options.head_dim};
  const OnlineTransform activation{OnlineStage::ffn_activation, HadamardTransform(first.gate.rows(), {.without = blocks}), 1};
  if (options.rotate_queries_and_keys) fused.online.push_back(per_head);
  if (options.rotate_heads) fused.online.push_back(across_heads);
  if (options.rotate_ffn) fused.online.push_back(activation);

  context.check_stop();
  const detail::RotationFuser fuser(fused.residual, context);
  fuser.read<T>(model.embedding);
  fuser.read_behind<T>(model.final_norm, model.head);
  for (const LlamaBlock<T>& block : model.blocks) {
    for (const MatrixRef<T>& reader : {block.q, block.k, block.v}) fuser.read_behind<T>(block.attention_norm, reader);
    for (const MatrixRef<T>& reader : {block.gate, block.up}) fuser.read_behind<T>(block.ffn_norm, reader);
    for (const MatrixRef<T>& writer : {block.o, block.down}) fuser.write<T>(writer);
    if (options.rotate_heads) {
      fuser.absorb_outputs<T>(per_head, block.v);
      fuser.absorb_inputs<T>(per_head, block.o);
      fuser.absorb_inputs<T>(across_heads, block.o);
    }
    if (options.rotate_ffn) fuser.absorb_inputs<T>(activation, block.down);
    Eigen::Ref<Vector<T>>(block.attention_norm).setOnes();
    Eigen::Ref<Vector<T>>(block.ffn_norm).setOnes();
  }
  Eigen::Ref<Vector<T>>(model.final_norm).setOnes();
  return fused;
}

}  // namespace basin
