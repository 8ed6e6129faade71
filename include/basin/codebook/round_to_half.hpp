#pragma once

#include <basin/codebook/additive_weight.hpp>
#include <basin/core/error.hpp>
#include <basin/core/half.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>

namespace basin {
/// Rounds codebooks and scales to the fp16 values that a checkpoint stores. A power of two moves from
/// scales to codewords first, which changes no product, so that neither side lands in fp16's
/// subnormals while the other has room.
///
/// Accuracy  every entry changes by at most 2^-11 of itself while it is a normal fp16 number.
/// @throws ValueError if a value does not fit into fp16 however it is balanced.
template <std::floating_point T>
void round_to_half(AdditiveWeight<T>& weight) {
  const T codeword = weight.codebooks.values().cwiseAbs().maxCoeff();
  const T scale = weight.scales.cwiseAbs().maxCoeff();
  if (codeword > 0 && scale > 0) {
    const int shift = static_cast<int>(std::lround((std::log2(scale) - std::log2(codeword)) / 2));
    weight.codebooks.values() *= std::ldexp(T(1), shift);
    weight.scales *= std::ldexp(T(1), -shift);
  }
  const auto rounded = [](T value) { return static_cast<T>(round_to_half(static_cast<float>(value))); };
  weight.codebooks.values() = weight.codebooks.values().unaryExpr(rounded);
  weight.scales = weight.scales.unaryExpr(rounded);
  if (!weight.codebooks.values().allFinite() || !weight.scales.allFinite())
    raise<ValueError>("round_to_half: codewords up to ", static_cast<double>(codeword), " times scales up to ",
                      static_cast<double>(scale), " do not fit into fp16; scale the layer down");
}

}  // namespace basin
