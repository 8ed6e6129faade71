#pragma once

#if defined(__AVX2__)

#include <basin/core/config.hpp>

#include <immintrin.h>

#include <cstdint>

namespace basin::kernels::detail {
/// Eight bit-packed codes at once on any x86 path: eight codes fill whole bytes, a byte shuffle brings each its
/// four, shifts and a mask leave the code, and a product turns it into an offset.
struct X86Unpacker {
  __m256i bytes, shifts, mask, stride;

  BASIN_ALWAYS_INLINE X86Unpacker(int bits, std::int32_t codeword_stride) noexcept
      : mask(_mm256_set1_epi32((1 << bits) - 1)), stride(_mm256_set1_epi32(codeword_stride)) {
    alignas(32) std::int32_t byte[8], shift[8];
    for (int i = 0; i < 8; ++i) {
      byte[i] = i * bits / 8 * 0x01010101 + 0x03020100;  // past byte 15 only what the mask removes
      shift[i] = i * bits % 8;
    }
    bytes = _mm256_load_si256(reinterpret_cast<const __m256i*>(byte));
    shifts = _mm256_load_si256(reinterpret_cast<const __m256i*>(shift));
  }
  /// Reads 16 bytes, of which the codes are the first `bits`.
  BASIN_ALWAYS_INLINE void unpack(const std::uint8_t* at, std::uint32_t* offsets) const noexcept {
    const __m256i window = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    const __m256i codes = _mm256_and_si256(_mm256_srlv_epi32(_mm256_shuffle_epi8(window, bytes), shifts), mask);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(offsets), _mm256_mullo_epi32(codes, stride));
  }
};

}  // namespace basin::kernels::detail

#endif
