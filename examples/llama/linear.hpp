#pragma once

#include "input_path.hpp"
#include "layer_inputs.hpp"
#include "packed_level_linear.hpp"
#include "packed_linear.hpp"

#include <basin/core/executor.hpp>
#include <basin/core/half.hpp>
#include <basin/core/types.hpp>
#include <basin/layout/additive_layer.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <memory>
#include <utility>

namespace llama {
using basin::Index;
using Matrix = basin::Matrix<float>;
using Vector = basin::Vector<float>;
using MatrixView = basin::ConstMatrixRef<float>;

/// y = x w^T for tokens x [n, n_in] and a weight w [n_out, n_in], in tiles that the executor shares
/// out. The tiles do not depend on the number of threads, so neither does the result.
inline void multiply(MatrixView x, MatrixView w, Matrix& y, const basin::ExecutorRef& executor) {
  constexpr Index tile_tokens = 256, tile_outputs = 96;
  y.resize(x.rows(), w.rows());
  const Index token_tiles = (x.rows() + tile_tokens - 1) / tile_tokens;
  const Index output_tiles = (w.rows() + tile_outputs - 1) / tile_outputs;
  executor(token_tiles * output_tiles, [&](Index tile) {
    const Index token = tile / output_tiles * tile_tokens, out = tile % output_tiles * tile_outputs;
    const Index tokens = std::min(tile_tokens, x.rows() - token);
    const Index outputs = std::min(tile_outputs, w.rows() - out);
    const auto rows = w.middleRows(out, outputs);
    if (x.rows() == 1) y.row(0).segment(out, outputs).transpose().noalias() = rows * x.row(0).transpose();
    else y.block(token, out, tokens, outputs).noalias() = x.middleRows(token, tokens) * rows.transpose();
  });
}

/// The weight that an additively quantized layer stands for; see layout/additive_layer.hpp.
inline Matrix decode(const basin::AdditiveLayer& layer) {
  const basin::Scheme s = layer.scheme;
  const Index g = s.in_group_size, rows = s.out_group_size, groups = layer.num_in_groups();
  Vector codewords(static_cast<Index>(layer.codebooks.size()));
  for (Index i = 0; i < codewords.size(); ++i)
    codewords[i] = basin::half_to_float(layer.codebooks[static_cast<std::size_t>(i)]);
  Matrix weight = Matrix::Zero(layer.n_out, groups * g);  // the last group may be padded
  const std::uint16_t* code = layer.codes.data();
  for (Index o = 0; o < layer.num_out_groups(); ++o) {
    for (Index j = 0; j < groups; ++j)
      for (Index m = 0; m < s.num_codebooks; ++m)
        weight.block(o * rows, j * g, rows, g) += basin::ConstMatrixMap<float>(
            codewords.data() + (m * s.codebook_size() + *code++) * s.codeword_size(), rows, g);
    weight.middleRows(o * rows, rows) *= basin::half_to_float(layer.scales[static_cast<std::size_t>(o)]);
  }
  return weight.leftCols(layer.n_in);
}

/// The engine's own linear layer: fp32, or a quantized one that is multiplied straight from its codes.
class Linear {
 public:
  Linear() = default;
  explicit Linear(Matrix weight) : weight_(std::move(weight)) {}
  explicit Linear(const basin::AdditiveLayer& layer) : weight_(decode(layer)) {}
  /// A weight for inputs that go through `path` first.
  Linear(Matrix weight, InputPath path) : weight_(std::move(weight)), path_(std::move(path)) {}
  explicit Linear(PackedLinear packed) : packed_(std::make_shared<const PackedLinear>(std::move(packed))) {}
  /// @param path  one that rounds
  Linear(PackedLevelLinear packed, InputPath path)
      : path_(std::move(path)), packed_levels_(std::make_shared<const PackedLevelLinear>(std::move(packed))) {}

  /// Empty where the layer is kept as codes.
  [[nodiscard]] const Matrix& weight() const& noexcept { return weight_; }
  [[nodiscard]] Matrix weight() && noexcept { return std::move(weight_); }
  /// What it does to its inputs first.
  [[nodiscard]] const InputPath& path() const noexcept { return path_; }
  [[nodiscard]] bool keeps_codes() const noexcept { return packed_ || packed_levels_; }
  /// y = x W^T: x [n, n_in], y [n, n_out].
  void apply(MatrixView x, Matrix& y, const basin::ExecutorRef& executor) const {
    LayerInputs inputs(x, executor);
    apply(inputs, y);
  }
  /// The same for inputs that other layers read too.
  void apply(LayerInputs& inputs, Matrix& y) const {
    if (packed_levels_) packed_levels_->apply(inputs.integers(path_), y, inputs.executor());
    else if (packed_) packed_->apply(inputs.values(path_), y, inputs.executor());
    else multiply(inputs.values(path_), weight_, y, inputs.executor());
  }

 private:
  Matrix weight_;  // [n_out, n_in]
  InputPath path_;
  std::shared_ptr<const PackedLinear> packed_;
  std::shared_ptr<const PackedLevelLinear> packed_levels_;
};

}  // namespace llama
