#pragma once

#if defined(__AVX512VBMI__) && defined(__AVX512VNNI__)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/avx512vnni.hpp>
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
  template <int Size>
  static BASIN_ALWAYS_INLINE Bytes lookup(const Table<Size>& table, Bytes codes) noexcept {
    if constexpr (Size == 16) return _mm512_shuffle_epi8(table.v[0], codes);
    else if constexpr (Size == 64) return _mm512_permutexvar_epi8(codes, table.v[0]);
    else return select(table, codes, _mm512_movepi8_mask(codes));
  }

  /// A float table is four tables of bytes; four look-ups and eight interleaves make 64 floats.
  template <int Size>
  static BASIN_ALWAYS_INLINE void pack_exact(const float* entries, std::uint8_t* table) noexcept {
    for (int k = 0; k < Size; k += 16) {
      const __m512i bits = _mm512_loadu_si512(entries + k);
      for (int byte = 0; byte < 4; ++byte)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(table + byte * Size + k),
                         _mm512_cvtepi32_epi8(_mm512_srli_epi32(bits, static_cast<unsigned>(8 * byte))));
    }
  }
  template <int Bits>
  static BASIN_ALWAYS_INLINE void add_exact(const std::uint8_t* tile, std::ptrdiff_t rows, std::ptrdiff_t num_codes,
                                            const std::uint8_t* tables, float* sums) noexcept {
    constexpr int size = 1 << Bits;
    for (std::ptrdiff_t first = 0; first < rows; first += lanes) {
      __m512 sum[4];
      for (int i = 0; i < 4; ++i) sum[i] = _mm512_loadu_ps(sums + first + 16 * i);
      const auto look_up = [&](__m512i codes, std::ptrdiff_t q) BASIN_LAMBDA_INLINE {
        const std::uint8_t* table = tables + q * 4 * size;
        __m512i byte[4];
        for (int i = 0; i < 4; ++i) byte[i] = lookup<size>(load_table<size>(table + i * size), codes);
        const __m512i low[2] = {_mm512_unpacklo_epi8(byte[0], byte[1]), _mm512_unpackhi_epi8(byte[0], byte[1])};
        const __m512i high[2] = {_mm512_unpacklo_epi8(byte[2], byte[3]), _mm512_unpackhi_epi8(byte[2], byte[3])};
        for (int i = 0; i < 2; ++i) {
          sum[2 * i] = _mm512_add_ps(sum[2 * i], _mm512_castsi512_ps(_mm512_unpacklo_epi16(low[i], high[i])));
          sum[2 * i + 1] = _mm512_add_ps(sum[2 * i + 1], _mm512_castsi512_ps(_mm512_unpackhi_epi16(low[i], high[i])));
        }
      };
      visit_codes<avx512vbmi, Bits, 1>(tile + first, rows, num_codes, [&](int, const auto& codes, std::ptrdiff_t q) BASIN_LAMBDA_INLINE {
        for (const __m512i& code : codes) look_up(code, q++);
      });
      for (int i = 0; i < 4; ++i) _mm512_storeu_ps(sums + first + 16 * i, sum[i]);
    }
  }
  /// Quarter i of vector v holds rows 16 i + 4 v ..
  static BASIN_ALWAYS_INLINE void exact_rows(const float* sums, float* out) noexcept {
    for (int v = 0; v < 4; ++v)
      for (int i = 0; i < 4; ++i) _mm_storeu_ps(out + 16 * i + 4 * v, _mm_loadu_ps(sums + 16 * v + 4 * i));
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
