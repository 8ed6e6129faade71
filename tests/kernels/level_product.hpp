#pragma once

#include <basin/kernels/dispatch.hpp>

#include <cstddef>
#include <limits>
#include <vector>

#include "kernels/random_levels.hpp"
#include "support/aligned.hpp"
#include "support/catch.hpp"

namespace basin::test {
/// A workspace of activations with a guard behind it.
class Activations {
 public:
  Activations(const kernels::ActivationKernels& kernels, const kernels::ActivationFormat& how, const std::vector<float>& x, std::ptrdiff_t inputs,
              std::ptrdiff_t tokens)
      : format(how), n_in(inputs), batch(tokens), bytes(kernels::activation_bytes(how, inputs, tokens) + guard) {
    // From an address that suits no vector, in two ranges and backwards: tokens do not depend on one another.
    const std::ptrdiff_t stride = n_in + 3;
    std::vector<float> shifted(static_cast<std::size_t>(batch * stride) + 1, std::numeric_limits<float>::quiet_NaN());
    for (std::ptrdiff_t v = 0; v < batch; ++v)
      for (std::ptrdiff_t i = 0; i < n_in; ++i) shifted[static_cast<std::size_t>(1 + v * stride + i)] = x[static_cast<std::size_t>(v * n_in + i)];
    kernels.run(format, shifted.data() + 1, stride, n_in, batch, batch / 2, batch, bytes.data());
    kernels.run(format, shifted.data() + 1, stride, n_in, batch, 0, batch / 2, bytes.data());
    check_guard();
  }
  void check_guard() const {
    bool untouched = true;
    for (std::size_t i = bytes.size() - guard; i < bytes.size(); ++i) untouched &= bytes.data()[i] == std::byte{0xa5};
    CHECK(untouched);
  }
  [[nodiscard]] kernels::QuantizedActivations view() const { return kernels::quantized_activations(format, n_in, batch, bytes.data()); }

  static constexpr std::size_t guard = 64;
  kernels::ActivationFormat format;
  std::ptrdiff_t n_in, batch;
  AlignedBytes bytes;
};

/// y, [batch, last - first], by matvec or matmul; y starts at an address that suits no vector.
[[nodiscard]] inline std::vector<float> level_product(const kernels::KernelSet& set, bool is_matmul, const PackedLevels& layer, const Activations& x,
                                                      std::ptrdiff_t first, std::ptrdiff_t last) {
  const std::ptrdiff_t stride = last - first + 3;
  std::vector<float> padded(static_cast<std::size_t>(x.batch * stride) + 1, -7.0f), y;
  if (is_matmul) {
    const AlignedBytes scratch(set.level_matmul.scratch_size(x.batch) + Activations::guard);
    set.level_matmul.run(layer, x.format, x.bytes.data(), x.batch, first, last, padded.data() + 1, stride, scratch.data());
    bool untouched = true;
    for (std::size_t i = scratch.size() - Activations::guard; i < scratch.size(); ++i) untouched &= scratch.data()[i] == std::byte{0xa5};
    CHECK(untouched);
  } else {
    set.level_matvec(layer, x.format, x.bytes.data(), x.batch, first, last, padded.data() + 1, stride);
  }
  bool guarded = padded[0] == -7.0f;
  for (std::ptrdiff_t v = 0; v < x.batch; ++v)
    for (std::ptrdiff_t r = 0; r < stride; ++r) {
      const float value = padded[static_cast<std::size_t>(1 + v * stride + r)];
      if (r < last - first) y.push_back(value);
      else guarded &= value == -7.0f;
    }
  CHECK(guarded);
  return y;
}

/// The Accuracy line of LevelMatvec: y in double from the quantized activations, and how far from it a path may be.
struct LevelReference {
  std::vector<double> y, bound;
};
[[nodiscard]] inline LevelReference level_reference(const RandomLevels& layer, const Activations& activations) {
  const kernels::QuantizedActivations x = activations.view();
  LevelReference result;
  for (std::ptrdiff_t v = 0; v < activations.batch; ++v)
    for (std::ptrdiff_t o = 0; o < layer.n_out; ++o) {
      double y = 0, magnitude = 0;
      for (std::ptrdiff_t g = 0; g < x.groups; ++g) {
        double sum = 0;
        for (std::ptrdiff_t i = g * x.group_inputs; i < layer.n_in && i < (g + 1) * x.group_inputs; ++i)
          sum += layer.level(o, i) * x.values[v * x.row_bytes + i];
        const double part = sum * static_cast<double>(x.steps[v * x.groups + g]);
        y += part;
        magnitude += part < 0 ? -part : part;
      }
      const double scale = static_cast<double>(layer.scales[static_cast<std::size_t>(o)]);
      result.y.push_back(scale * y);
      result.bound.push_back((static_cast<double>(x.groups) + 2) * 0x1p-24 * (scale < 0 ? -scale : scale) * magnitude);
    }
  return result;
}

}  // namespace basin::test
