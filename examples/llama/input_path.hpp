#pragma once

#include "../support/aligned_buffer.hpp"
#include "product.hpp"

#include <basin/core/config.hpp>
#include <basin/core/executor.hpp>
#include <basin/core/types.hpp>
#include <basin/kernels.hpp>
#include <basin/transform/hadamard.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace llama {
using basin::Index;

/// How a model of scalar levels is run, beside its weights.
struct RunFormat {
  std::optional<std::uint64_t> rotation_seed{};  ///< of the Hadamard transforms that its weights were quantized under
  int activation_bits = 16;                      ///< 4 or 8: inputs of quantized layers are rounded, token by token; 16: not
  int kv_bits = 16;                              ///< 4: so are keys, behind a Hadamard transform of each head, and values
};

/// The transform of the inputs of all layers with n_in inputs.
[[nodiscard]] inline basin::HadamardTransform input_rotation(Index n_in, std::uint64_t seed) {
  return basin::HadamardTransform(n_in, {.sign_seed = seed});
}

/// Inputs [tokens, n_in] as integers, in the workspace of the QuantizeActivations kernels.
struct IntegerInputs {
  basin::kernels::ActivationFormat format;
  Index tokens = 0, n_in = 0;
  std::byte* workspace = nullptr;

  /// The values that the integers stand for, to x [tokens, n_in].
  void decode(basin::Matrix<float>& x, const basin::ExecutorRef& executor) const {
    x.resize(tokens, n_in);
    const auto at = basin::kernels::quantized_activations(format, n_in, tokens, workspace);
    basin::for_each_range(executor, tokens, 16, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t)
        for (Index i = 0; i < n_in; ++i) x(t, i) = at.steps[t] * static_cast<float>(at.values[t * at.row_bytes + i]);
    });
  }
};

/// What a quantized layer does to its inputs before it multiplies: a rotation, and rounding to integers. Equal paths
/// make the same of the same inputs.
class InputPath {
 public:
  InputPath() = default;
  InputPath(Index n_in, const RunFormat& format) : n_in_(n_in), seed_(format.rotation_seed), bits_(format.activation_bits) {
    if (seed_) rotation_ = std::make_shared<const basin::HadamardTransform>(input_rotation(n_in, *seed_));
    if (rounds()) kernels_ = &best_kernels();
  }

  [[nodiscard]] bool rotates() const noexcept { return rotation_ != nullptr; }
  [[nodiscard]] bool rounds() const noexcept { return bits_ < 16; }
  [[nodiscard]] bool changes_inputs() const noexcept { return rotates() || rounds(); }

  /// In place; of paths that rotate.
  void rotate(basin::Matrix<float>& x, const basin::ExecutorRef& executor) const { rotation_->apply(x, {.executor = executor}); }
  /// To integers that live in `memory`; of paths that round.
  [[nodiscard]] IntegerInputs quantize(const basin::ConstMatrixRef<float>& x, support::AlignedBuffer& memory,
                                       const basin::ExecutorRef& executor) const {
    BASIN_ASSERT(rounds());
    const basin::kernels::ActivationFormat format{.bits = bits_, .clip = bits_ == 4 ? 0.9f : 1.0f};
    const IntegerInputs integers{format, x.rows(), x.cols(), memory.require(basin::kernels::activation_bytes(format, x.cols(), x.rows()))};
    basin::for_each_range(executor, x.rows(), 16, [&](Index begin, Index end) {
      kernels_->activations.run(format, x.data(), x.outerStride(), x.cols(), x.rows(), begin, end, integers.workspace);
    });
    return integers;
  }

  friend bool operator==(const InputPath& a, const InputPath& b) noexcept {
    return a.n_in_ == b.n_in_ && a.seed_ == b.seed_ && a.bits_ == b.bits_;
  }

 private:
  Index n_in_ = 0;
  std::optional<std::uint64_t> seed_;
  int bits_ = 16;
  std::shared_ptr<const basin::HadamardTransform> rotation_;  // null without a seed
  const basin::kernels::KernelSet* kernels_ = nullptr;        // where inputs are rounded
};

}  // namespace llama
