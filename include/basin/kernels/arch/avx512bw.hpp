#pragma once

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/x86_unpack.hpp>
#include <basin/kernels/arch/avx512bw_levels.hpp>
#include <basin/kernels/arch/avx512bw_octets.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/lut_matvec_simd.hpp>
#include <basin/kernels/detail/simd.hpp>
#include <basin/kernels/lut_matvec.hpp>

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

/// AVX-512 without dot products and byte permutes.
namespace basin::kernels {
namespace detail {
template <>
struct Simd<avx512bw> {
  static constexpr int lanes = 64, floats = 16, half_floats = 8, build_vectors = 16, codes_at_once = 2;
  static constexpr bool signed_entries = false;
  template <int Planes>
  static constexpr int strips = Planes == 1 ? 2 : 1;
  using Unpacker = X86Unpacker;
  using Bytes = __m512i;
  using Floats = __m512;
  struct Sums {
    __m512i v[4];
  };

  static BASIN_ALWAYS_INLINE Floats broadcast(float value) noexcept { return _mm512_set1_ps(value); }
  static BASIN_ALWAYS_INLINE Floats load(const float* at) noexcept { return _mm512_loadu_ps(at); }
  static BASIN_ALWAYS_INLINE void store(float* at, Floats value) noexcept { _mm512_storeu_ps(at, value); }
  static BASIN_ALWAYS_INLINE Floats add(Floats a, Floats b) noexcept { return _mm512_add_ps(a, b); }
  static BASIN_ALWAYS_INLINE Floats multiply(Floats a, Floats b) noexcept { return _mm512_mul_ps(a, b); }
  static BASIN_ALWAYS_INLINE Floats multiply_add(Floats a, Floats b, Floats c) noexcept { return _mm512_fmadd_ps(a, b, c); }
  static BASIN_ALWAYS_INLINE Floats max_magnitude(Floats largest, Floats value) noexcept {
    return _mm512_max_ps(_mm512_abs_ps(value), largest);  // a NaN leaves `largest`
  }
  static BASIN_ALWAYS_INLINE float largest_lane(Floats value) noexcept { return _mm512_reduce_max_ps(value); }
  static BASIN_ALWAYS_INLINE float sum_lanes(Floats value) noexcept { return _mm512_reduce_add_ps(value); }
  static BASIN_ALWAYS_INLINE Floats load_half(const std::uint16_t* at) noexcept {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
  }
  static BASIN_ALWAYS_INLINE void decode_two(const std::uint16_t* a, const std::uint16_t* b, Floats (&out)[1]) noexcept {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a)), high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
    out[0] = _mm512_cvtph_ps(_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1));
  }
  /// sum[0..7] += x[0..7] * codeword[0..7].
  static BASIN_ALWAYS_INLINE Floats multiply_add_half(const float* x, const std::uint16_t* codeword, Floats sum) noexcept {
    const __m256 w = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codeword)));
    return _mm512_mask3_fmadd_ps(_mm512_zextps256_ps512(_mm256_loadu_ps(x)), _mm512_zextps256_ps512(w), sum, 0xff);
  }
  static BASIN_ALWAYS_INLINE float half_to_float(std::uint16_t bits) noexcept { return _cvtsh_ss(bits); }

  static BASIN_ALWAYS_INLINE Bytes load_bytes(const std::uint8_t* at) noexcept { return _mm512_loadu_si512(at); }
  static BASIN_ALWAYS_INLINE Bytes low_half(Bytes codes) noexcept { return _mm512_and_si512(codes, _mm512_set1_epi8(15)); }
  static BASIN_ALWAYS_INLINE Bytes high_half(Bytes codes) noexcept { return low_half(_mm512_srli_epi16(codes, 4)); }
  static BASIN_ALWAYS_INLINE Bytes low_six(Bytes codes) noexcept { return codes; }  // lookup<64> reads no other bits
  static BASIN_ALWAYS_INLINE Bytes top_bits(Bytes a, Bytes b, Bytes c) noexcept {
    const __m512i first = _mm512_srli_epi16(a, 6), second = _mm512_srli_epi16(b, 4), third = _mm512_srli_epi16(c, 2);
    const __m512i two = _mm512_ternarylogic_epi32(first, second, _mm512_set1_epi8(0x03), 0xe4);  // first under the mask, else second
    return _mm512_ternarylogic_epi32(two, third, _mm512_set1_epi8(0x0f), 0xe4);
  }

  template <int Size>
  struct Table {
    __m512i v[Size == 256 ? 4 : 1];
  };
  template <int Size>
  static BASIN_ALWAYS_INLINE Table<Size> load_table(const std::uint8_t* at) noexcept {
    Table<Size> table;
    if constexpr (Size == 16) {
      table.v[0] = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    } else {
      for (int i = 0; i < Size / 64; ++i) table.v[i] = _mm512_loadu_si512(at + 64 * i);
    }
    return table;
  }

  /// A table's bytes are looked up as words of two: bits 1 and up of a code choose the word, bit 0 its byte.
  template <int Size>
  static BASIN_ALWAYS_INLINE Bytes lookup(const Table<Size>& table, Bytes codes) noexcept {
    if constexpr (Size == 16) {
      return _mm512_shuffle_epi8(table.v[0], codes);
    } else {
      __m512i even = words(table, _mm512_srli_epi16(codes, 1), _mm512_test_epi16_mask(codes, _mm512_set1_epi16(0x80)));
      __m512i odd = words(table, _mm512_srli_epi16(codes, 9), _mm512_movepi16_mask(codes));
      even = _mm512_mask_srli_epi16(even, _mm512_test_epi16_mask(codes, _mm512_set1_epi16(1)), even, 8);
      odd = _mm512_mask_slli_epi16(odd, _mm512_testn_epi16_mask(codes, _mm512_set1_epi16(0x100)), odd, 8);
      return _mm512_ternarylogic_epi32(_mm512_set1_epi16(0xff), even, odd, 0xca);
    }
  }

  static BASIN_ALWAYS_INLINE Sums load_sums(const std::int32_t* at) noexcept {
    Sums sums;
    for (int i = 0; i < 4; ++i) sums.v[i] = _mm512_loadu_si512(at + 16 * i);
    return sums;
  }
  static BASIN_ALWAYS_INLINE void store_sums(std::int32_t* at, const Sums& sums) noexcept {
    for (int i = 0; i < 4; ++i) _mm512_storeu_si512(at + 16 * i, sums.v[i]);
  }
  static BASIN_ALWAYS_INLINE void set_multiplier(std::int32_t* multipliers, std::ptrdiff_t q, std::int32_t k) noexcept {
    const __m128i shifted = _mm_sllv_epi32(_mm_set1_epi32(k), _mm_setr_epi32(0, 8, 16, 24));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(multipliers + 4 * q), shifted);
  }
  /// Products of two codes fill 16 bits: 2 * 127 * 255 < 2^16.
  static BASIN_ALWAYS_INLINE void accumulate(Sums& sums, const Bytes (&entry)[2], const std::int32_t* multipliers,
                                             std::ptrdiff_t q) noexcept {
    const std::int32_t *ka = multipliers + 4 * q, *kb = ka + 4;
    add_words(sums, _mm512_add_epi16(even_products(entry[0], ka), even_products(entry[1], kb)),
              _mm512_add_epi16(odd_products(entry[0], ka), odd_products(entry[1], kb)));
  }
  static BASIN_ALWAYS_INLINE void accumulate(Sums& sums, const Bytes (&entry)[1], const std::int32_t* multipliers,
                                             std::ptrdiff_t q) noexcept {
    add_words(sums, even_products(entry[0], multipliers + 4 * q), odd_products(entry[0], multipliers + 4 * q));
  }

  /// Entries fit by construction: their step was chosen for the largest of them.
  template <int Planes, int Size>
  static BASIN_ALWAYS_INLINE void quantize(const float* entries, float inverse, std::uint8_t* table) noexcept {
    const __m512 factor = _mm512_set1_ps(inverse);
    const auto round = [&](int k) BASIN_LAMBDA_INLINE { return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(entries + k), factor)); };
    if constexpr (Size == 16) {
      const __m512i value = _mm512_add_epi32(round(0), _mm512_set1_epi32(Planes == 1 ? 128 : 32768));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(table), _mm512_cvtepi32_epi8(value));
      if constexpr (Planes == 2)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(table + Size), _mm512_cvtepi32_epi8(_mm512_srli_epi32(value, 8)));
    } else {
      // Packing works within quarters of a vector; one permutation of words of four bytes restores the order.
      const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
      for (int k = 0; k < Size; k += 64) {
        const __m512i a = _mm512_packs_epi32(round(k), round(k + 16)), b = _mm512_packs_epi32(round(k + 32), round(k + 48));
        if constexpr (Planes == 1) {
          const __m512i bytes = _mm512_xor_si512(_mm512_packs_epi16(a, b), _mm512_set1_epi8(-128));
          _mm512_storeu_si512(table + k, _mm512_permutexvar_epi32(order, bytes));
        } else {
          const __m512i low = _mm512_set1_epi16(255), sign = _mm512_set1_epi8(-128);
          const __m512i lows = _mm512_packus_epi16(_mm512_and_si512(a, low), _mm512_and_si512(b, low));
          const __m512i highs = _mm512_xor_si512(_mm512_packs_epi16(_mm512_srai_epi16(a, 8), _mm512_srai_epi16(b, 8)), sign);
          _mm512_storeu_si512(table + k, _mm512_permutexvar_epi32(order, lows));
          _mm512_storeu_si512(table + Size + k, _mm512_permutexvar_epi32(order, highs));
        }
      }
    }
  }
  static BASIN_ALWAYS_INLINE Floats to_floats(const std::int32_t* at, std::int32_t bias) noexcept {
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_loadu_si512(at), _mm512_set1_epi32(bias)));
  }
  static BASIN_ALWAYS_INLINE void interleave(const Floats (&in)[4], float* out) noexcept {
    const __m512 a = _mm512_unpacklo_ps(in[0], in[1]), b = _mm512_unpackhi_ps(in[0], in[1]);
    const __m512 c = _mm512_unpacklo_ps(in[2], in[3]), d = _mm512_unpackhi_ps(in[2], in[3]);
    const auto pick = [](__m512 x, __m512 y, bool high) BASIN_LAMBDA_INLINE {
      const __m512d u = _mm512_castps_pd(x), w = _mm512_castps_pd(y);
      return _mm512_castpd_ps(high ? _mm512_unpackhi_pd(u, w) : _mm512_unpacklo_pd(u, w));
    };
    const __m512 quads[4] = {pick(a, c, false), pick(a, c, true), pick(b, d, false), pick(b, d, true)};
    gather_quarters(quads, out);
  }
  /// To row order from where quarter i of vector v holds rows 16 i + 4 v ..
  static BASIN_ALWAYS_INLINE void gather_quarters(const Floats (&in)[4], float* out) noexcept {
    const __m512 low = _mm512_shuffle_f32x4(in[0], in[1], 0x44), high = _mm512_shuffle_f32x4(in[0], in[1], 0xee);
    const __m512 low2 = _mm512_shuffle_f32x4(in[2], in[3], 0x44), high2 = _mm512_shuffle_f32x4(in[2], in[3], 0xee);
    _mm512_storeu_ps(out, _mm512_shuffle_f32x4(low, low2, 0x88));
    _mm512_storeu_ps(out + 16, _mm512_shuffle_f32x4(low, low2, 0xdd));
    _mm512_storeu_ps(out + 32, _mm512_shuffle_f32x4(high, high2, 0x88));
    _mm512_storeu_ps(out + 48, _mm512_shuffle_f32x4(high, high2, 0xdd));
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
    add_bytes<avx512bw, Bits>(tile, rows, num_codes, tables, sums);
  }
  /// With the look-ups of Arch, this instruction set or a larger one.
  template <class Arch, int Bits>
  static BASIN_ALWAYS_INLINE void add_bytes(const std::uint8_t* tile, std::ptrdiff_t rows, std::ptrdiff_t num_codes,
                                            const std::uint8_t* tables, float* sums) noexcept {
    constexpr int size = 1 << Bits;
    for (std::ptrdiff_t first = 0; first < rows; first += lanes) {
      __m512 sum[4];
      for (int i = 0; i < 4; ++i) sum[i] = _mm512_loadu_ps(sums + first + 16 * i);
      const auto look_up = [&](__m512i codes, std::ptrdiff_t q) BASIN_LAMBDA_INLINE {
        const std::uint8_t* table = tables + q * 4 * size;
        __m512i byte[4];
        unroll<4>([&](int i) BASIN_LAMBDA_INLINE { byte[i] = Simd<Arch>::lookup(load_table<size>(table + i * size), codes); });
        const __m512i low[2] = {_mm512_unpacklo_epi8(byte[0], byte[1]), _mm512_unpackhi_epi8(byte[0], byte[1])};
        const __m512i high[2] = {_mm512_unpacklo_epi8(byte[2], byte[3]), _mm512_unpackhi_epi8(byte[2], byte[3])};
        unroll<2>([&](int i) BASIN_LAMBDA_INLINE {
          sum[2 * i] = _mm512_add_ps(sum[2 * i], _mm512_castsi512_ps(_mm512_unpacklo_epi16(low[i], high[i])));
          sum[2 * i + 1] = _mm512_add_ps(sum[2 * i + 1], _mm512_castsi512_ps(_mm512_unpackhi_epi16(low[i], high[i])));
        });
      };
      visit_codes<Arch, Bits, 1, Bits == 8 ? 8192 : 6144>(tile + first, rows, num_codes, [&](const auto& codes, std::ptrdiff_t q) BASIN_LAMBDA_INLINE {
        unroll<sizeof codes[0] / sizeof codes[0][0]>([&](int n) BASIN_LAMBDA_INLINE { look_up(codes[0][n], q + n); });
      });
      for (int i = 0; i < 4; ++i) _mm512_storeu_ps(sums + first + 16 * i, sum[i]);
    }
  }
  static BASIN_ALWAYS_INLINE void exact_rows(const float* sums, float* out) noexcept {
    const Floats in[4] = {load(sums), load(sums + 16), load(sums + 32), load(sums + 48)};
    gather_quarters(in, out);
  }

 private:
  template <int Size>
  static BASIN_ALWAYS_INLINE __m512i words(const Table<Size>& table, __m512i index, __mmask32 top) noexcept {
    if constexpr (Size == 64) {
      return _mm512_permutexvar_epi16(index, table.v[0]);
    } else {
      return _mm512_mask_mov_epi16(_mm512_permutex2var_epi16(table.v[0], index, table.v[1]), top,
                                   _mm512_permutex2var_epi16(table.v[2], index, table.v[3]));
    }
  }
  static BASIN_ALWAYS_INLINE __m512i even_products(Bytes a, const std::int32_t* k) noexcept {
    return _mm512_maddubs_epi16(a, _mm512_set1_epi16(static_cast<short>(k[0])));
  }
  static BASIN_ALWAYS_INLINE __m512i odd_products(Bytes a, const std::int32_t* k) noexcept {
    return _mm512_maddubs_epi16(a, _mm512_set1_epi16(static_cast<short>(k[1])));
  }
  static BASIN_ALWAYS_INLINE void add_words(Sums& sums, __m512i even, __m512i odd) noexcept {
    const __m512i low = _mm512_set1_epi32(0xffff);
    sums.v[0] = _mm512_add_epi32(sums.v[0], _mm512_and_si512(even, low));
    sums.v[1] = _mm512_add_epi32(sums.v[1], _mm512_and_si512(odd, low));
    sums.v[2] = _mm512_add_epi32(sums.v[2], _mm512_srli_epi32(even, 16));
    sums.v[3] = _mm512_add_epi32(sums.v[3], _mm512_srli_epi32(odd, 16));
  }
};
}  // namespace detail

template <class Precision>
struct LutMatvec<avx512bw, Precision> : detail::SimdLutMatvec<avx512bw, Precision> {};

}  // namespace basin::kernels

#endif
