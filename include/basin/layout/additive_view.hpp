#pragma once

#include <basin/core/scheme.hpp>
#include <basin/layout/additive_layer.hpp>

#include <cstddef>
#include <cstdint>

namespace basin {
/// What a kernel reads of a stored layer: pointers into memory that the host owns, in the order of
/// AdditiveLayer.
struct AdditiveView {
  Scheme scheme;
  std::ptrdiff_t n_out = 0;
  std::ptrdiff_t n_in = 0;
  const std::uint16_t* codes = nullptr;      ///< [O, J, M]
  const std::uint16_t* codebooks = nullptr;  ///< fp16 bits, [M, K, g_out, g]
  const std::uint16_t* scales = nullptr;     ///< fp16 bits, [O]
};

[[nodiscard]] inline AdditiveView view(const AdditiveLayer& layer) noexcept {
  return {layer.scheme, layer.n_out, layer.n_in, layer.codes.data(), layer.codebooks.data(), layer.scales.data()};
}

}  // namespace basin
