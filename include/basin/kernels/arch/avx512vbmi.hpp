#pragma once

#if defined(__AVX512VBMI__) && defined(__AVX512VNNI__)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/avx512vnni.hpp>
#include <basin/kernels/arch/avx512vbmi_levels.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/lut_matvec_simd.hpp>
#include <basin/kernels/lut_matvec.hpp>

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

/// AVX-512 with byte permutes: 64 look-ups in a table of 64 or 128 bytes are one instruction.
namespace basin::kernels {
namespace detail {
template <>
struct Simd<avx512vbmi> : Simd<avx512vnni> {
  // Byte permutes read six bits of a code, and a table of 16 stands in its vector four times: nothing to mask.
  static BASIN_ALWAYS_INLINE Bytes low_half(Bytes codes) noexcept { return codes; }
  static BASIN_ALWAYS_INLINE Bytes high_half(Bytes codes) noexcept { return _mm512_srli_epi16(codes, 4); }

  template <int Size>
  static BASIN_ALWAYS_INLINE Bytes lookup(const Table<Size>& table, Bytes codes) noexcept {
    if constexpr (Size <= 64) return _mm512_permutexvar_epi8(codes, table.v[0]);
    else return select(table, codes, _mm512_movepi8_mask(codes));
  }

  template <int Bits>
  static BASIN_ALWAYS_INLINE void add_exact(const std::uint8_t* tile, std::ptrdiff_t rows, std::ptrdiff_t num_codes,
                                            const std::uint8_t* tables, float* sums) noexcept {
    add_bytes<avx512vbmi, Bits>(tile, rows, num_codes, tables, sums);
  }

 private:
  static BASIN_ALWAYS_INLINE Bytes select(const Table<256>& table, Bytes codes, __mmask64 top) noexcept {
    return _mm512_mask_mov_epi8(_mm512_permutex2var_epi8(table.v[0], codes, table.v[1]), top,
                                _mm512_permutex2var_epi8(table.v[2], codes, table.v[3]));
  }
};
}  // namespace detail

template <class Precision>
struct LutMatvec<avx512vbmi, Precision> : detail::SimdLutMatvec<avx512vbmi, Precision> {};

}  // namespace basin::kernels

#endif
