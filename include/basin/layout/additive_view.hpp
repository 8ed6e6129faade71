#pragma once

#include <basin/core/scheme.hpp>

#include <cstddef>
#include <cstdint>

namespace basin {
/// A stored layer in memory that the host owns, in the order of AdditiveLayer. Code is std::uint16_t,
/// or std::uint8_t for b <= 8: the bytes of a checkpoint's int8 codes.
template <class Code>
struct BasicAdditiveView {
  Scheme scheme;
  std::ptrdiff_t n_out = 0;
  std::ptrdiff_t n_in = 0;
  const Code* codes = nullptr;               ///< [O, J, M]
  const std::uint16_t* codebooks = nullptr;  ///< fp16 bits, [M, K, g_out, g]
  const std::uint16_t* scales = nullptr;     ///< fp16 bits, [O]
};
using AdditiveView = BasicAdditiveView<std::uint16_t>;

}  // namespace basin
