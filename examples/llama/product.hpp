#pragma once

#include "../support/fail.hpp"

#include <basin/core/error.hpp>
#include <basin/kernels.hpp>

namespace llama {
/// How the engine multiplies with a quantized layer.
enum class Product {
  dense,       ///< decoded to fp32 when the model is loaded; as much memory as the original
  dequantize,  ///< additive codes: decoded tile by tile and multiplied, again for every product
  exact,       ///< additive codes: look-ups in tables of fp32,
  int16,       ///< of 16
  int8         ///< or of 8 bits; scalar levels: products of integers, of inputs in 8 bits or fewer
};

/// The best path of this program on this processor, or the one of BASIN_ARCH.
inline const basin::kernels::KernelSet& best_kernels() {
  const basin::kernels::KernelChoice choice = basin::kernels::choose_kernels();
  if (choice.error != basin::kernels::ArchError::none) {
    char text[256];
    basin::raise<support::UsageError>(describe(choice, text));
  }
  return *choice.kernels;
}

}  // namespace llama
