#pragma once

#include "packed_linear.hpp"

#include <basin/core/executor.hpp>
#include <basin/core/types.hpp>
#include <basin/transform/hadamard.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace llama {
/// How a model of scalar levels is run, beside its weights.
struct RunFormat {
  std::optional<std::uint64_t> rotation_seed;  ///< of the Hadamard transforms that its weights were quantized under
  int activation_bits = 16;                    ///< 4 or 8: inputs of quantized layers are rounded, token by token; 16: not
  int kv_bits = 16;                            ///< 4: so are keys, behind a Hadamard transform of each head, and values
};

/// The transform of the inputs of all layers with n_in inputs.
[[nodiscard]] inline basin::HadamardTransform input_rotation(Index n_in, std::uint64_t seed) {
  return basin::HadamardTransform(n_in, {.sign_seed = seed});
}

/// What a quantized layer does to its inputs before it multiplies: a rotation, and rounding to integers.
class InputPath {
 public:
  InputPath() = default;
  InputPath(Index n_in, const RunFormat& format) : bits_(format.activation_bits) {
    if (format.rotation_seed) rotation_ = std::make_shared<const basin::HadamardTransform>(input_rotation(n_in, *format.rotation_seed));
    if (bits_ < 16) kernels_ = &best_kernels();
  }

  [[nodiscard]] bool changes_inputs() const noexcept { return rotation_ != nullptr || bits_ < 16; }
  void apply(basin::Matrix<float>& x, const basin::ExecutorRef& executor) const {
    if (rotation_) rotation_->apply(x, {.executor = executor});
    if (bits_ < 16) round_tokens(x, executor);
  }

 private:
  /// To the values that the integers of QuantizeActivations stand for.
  void round_tokens(basin::Matrix<float>& x, const basin::ExecutorRef& executor) const {
    const basin::kernels::ActivationFormat format{.bits = bits_, .clip = bits_ == 4 ? 0.9f : 1.0f};
    basin::for_each_range(executor, x.rows(), 16, [&](Index begin, Index end) {
      const Index tokens = end - begin;
      static thread_local support::AlignedBuffer buffer;
      std::byte* workspace = buffer.require(basin::kernels::activation_bytes(format, x.cols(), tokens));
      kernels_->activations.run(format, x.data() + begin * x.cols(), x.cols(), x.cols(), tokens, 0, tokens, workspace);
      const auto at = basin::kernels::quantized_activations(format, x.cols(), tokens, workspace);
      for (Index t = 0; t < tokens; ++t)
        for (Index i = 0; i < x.cols(); ++i) x(begin + t, i) = at.steps[t] * static_cast<float>(at.values[t * at.row_bytes + i]);
    });
  }

  std::shared_ptr<const basin::HadamardTransform> rotation_;
  const basin::kernels::KernelSet* kernels_ = nullptr;  // where inputs are rounded
  int bits_ = 16;
};

}  // namespace llama
