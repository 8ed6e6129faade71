#pragma once

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/x86_unpack.hpp>
#include <basin/kernels/arch/avx2_kv4.hpp>
#include <basin/kernels/arch/avx2_levels.hpp>
#include <basin/kernels/arch/avx2_octets.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/lut_matvec_simd.hpp>
#include <basin/kernels/detail/simd.hpp>
#include <basin/kernels/lut_matvec.hpp>

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

/// AVX2: 32 look-ups in 16 bytes are one instruction, in larger tables a tree of them.
namespace basin::kernels {
namespace detail {
template <>
struct Simd<avx2> {
  static constexpr int lanes = 32, floats = 8, half_floats = 4, build_vectors = 8, codes_at_once = 4;
  static constexpr bool signed_entries = true;
  template <int Planes>
  static constexpr int strips = 1;
  using Unpacker = X86Unpacker;
  using Bytes = __m256i;
  using Floats = __m256;
  struct Sums {
    __m256i v[4];
  };

  static BASIN_ALWAYS_INLINE Floats broadcast(float value) noexcept { return _mm256_set1_ps(value); }
  static BASIN_ALWAYS_INLINE Floats load(const float* at) noexcept { return _mm256_loadu_ps(at); }
  static BASIN_ALWAYS_INLINE void store(float* at, Floats value) noexcept { _mm256_storeu_ps(at, value); }
  static BASIN_ALWAYS_INLINE Floats add(Floats a, Floats b) noexcept { return _mm256_add_ps(a, b); }
  static BASIN_ALWAYS_INLINE Floats multiply(Floats a, Floats b) noexcept { return _mm256_mul_ps(a, b); }
  static BASIN_ALWAYS_INLINE Floats multiply_add(Floats a, Floats b, Floats c) noexcept { return _mm256_fmadd_ps(a, b, c); }
  static BASIN_ALWAYS_INLINE Floats max_magnitude(Floats largest, Floats value) noexcept {
    return _mm256_max_ps(_mm256_andnot_ps(_mm256_set1_ps(-0.0f), value), largest);  // a NaN leaves `largest`
  }
  static BASIN_ALWAYS_INLINE float largest_lane(Floats value) noexcept {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(value), _mm256_extractf128_ps(value, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
  }
  static BASIN_ALWAYS_INLINE float sum_lanes(Floats value) noexcept {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(value), _mm256_extractf128_ps(value, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
  }
  static BASIN_ALWAYS_INLINE Floats load_half(const std::uint16_t* at) noexcept {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
  }
  static BASIN_ALWAYS_INLINE void decode_two(const std::uint16_t* a, const std::uint16_t* b, Floats (&out)[2]) noexcept {
    out[0] = load_half(a);
    out[1] = load_half(b);
  }
  /// sum[0..3] += x[0..3] * codeword[0..3].
  static BASIN_ALWAYS_INLINE Floats multiply_add_half(const float* x, const std::uint16_t* codeword, Floats sum) noexcept {
    const __m128 w = _mm_cvtph_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codeword)));
    return _mm256_fmadd_ps(_mm256_zextps128_ps256(_mm_loadu_ps(x)), _mm256_zextps128_ps256(w), sum);
  }
  static BASIN_ALWAYS_INLINE float half_to_float(std::uint16_t bits) noexcept { return _cvtsh_ss(bits); }

  static BASIN_ALWAYS_INLINE Bytes load_bytes(const std::uint8_t* at) noexcept { return load_vector(at); }
  static BASIN_ALWAYS_INLINE Bytes low_half(Bytes codes) noexcept { return _mm256_and_si256(codes, _mm256_set1_epi8(15)); }
  static BASIN_ALWAYS_INLINE Bytes high_half(Bytes codes) noexcept { return low_half(_mm256_srli_epi16(codes, 4)); }
  static BASIN_ALWAYS_INLINE Bytes low_six(Bytes codes) noexcept { return codes; }  // lookup<64> reads no other bits
  static BASIN_ALWAYS_INLINE Bytes top_bits(Bytes a, Bytes b, Bytes c) noexcept {
    const __m256i first = _mm256_and_si256(_mm256_srli_epi16(a, 6), _mm256_set1_epi8(0x03));
    const __m256i second = _mm256_and_si256(_mm256_srli_epi16(b, 4), _mm256_set1_epi8(0x0c));
    const __m256i third = _mm256_and_si256(_mm256_srli_epi16(c, 2), _mm256_set1_epi8(0x30));
    return _mm256_or_si256(_mm256_or_si256(first, second), third);
  }

  /// Tables of more than 16 bytes stay in memory: they would fill all registers.
  template <int Size>
  struct Table {
    const std::uint8_t* at;
  };
  template <int Size>
  static BASIN_ALWAYS_INLINE Table<Size> load_table(const std::uint8_t* at) noexcept {
    return {at};
  }
  /// Bits 0-3 of a code choose within a part of 16 bytes, bits 4-5 between parts by blending. Bits 6-7 of
  /// 256 entries: see fold_parts. A shuffle answers 0 where the top bit of its index is set.
  template <int Size>
  static BASIN_ALWAYS_INLINE Bytes lookup(const Table<Size>& table, Bytes codes) noexcept {
    if constexpr (Size == 16) {
      return look_up_part(table.at, codes);
    } else {
      const __m256i bit4 = _mm256_slli_epi16(codes, 3), bit5 = _mm256_slli_epi16(codes, 2);
      const __m256i low = low_half(codes);
      __m256i part[4];
      if constexpr (Size == 64) {
        for (int i = 0; i < 4; ++i) part[i] = look_up_part(table.at + 16 * i, low);
      } else {
        const __m256i not6 = _mm256_or_si256(low, _mm256_and_si256(_mm256_add_epi8(codes, codes), _mm256_set1_epi8(-128)));
        const __m256i neither = _mm256_or_si256(codes, not6);
        unroll<4>([&](int i) BASIN_LAMBDA_INLINE {
          const std::uint8_t* at = table.at + 16 * i;
          const __m256i one = _mm256_xor_si256(look_up_part(at + 192, low), look_up_part(at + 64, codes));
          const __m256i two = _mm256_xor_si256(look_up_part(at + 128, not6), look_up_part(at, neither));
          part[i] = _mm256_xor_si256(one, two);
        });
      }
      return _mm256_blendv_epi8(_mm256_blendv_epi8(part[0], part[1], bit4), _mm256_blendv_epi8(part[2], part[3], bit4), bit5);
    }
  }

  static BASIN_ALWAYS_INLINE Sums load_sums(const std::int32_t* at) noexcept {
    Sums sums;
    for (int i = 0; i < 4; ++i) sums.v[i] = load_vector(at + 8 * i);
    return sums;
  }
  static BASIN_ALWAYS_INLINE void store_sums(std::int32_t* at, const Sums& sums) noexcept {
    for (int i = 0; i < 4; ++i) store_vector(at + 8 * i, sums.v[i]);
  }
  static BASIN_ALWAYS_INLINE void set_multiplier(std::int32_t* multipliers, std::ptrdiff_t q, std::int32_t k) noexcept {
    reinterpret_cast<std::uint8_t*>(multipliers)[q] = static_cast<std::uint8_t>(k);
  }
  /// Products of two codes fill 16 bits: 2 * 127 * 128 < 2^15. Quarter L of vector v holds rows 16 L + 4 v ..
  static BASIN_ALWAYS_INLINE void accumulate(Sums& sums, const Bytes (&entry)[4], const std::int32_t* multipliers,
                                             std::ptrdiff_t q) noexcept {
    const auto* k = reinterpret_cast<const std::uint8_t*>(multipliers) + q;
    const __m256i ab = _mm256_set1_epi16(load_word(k)), cd = _mm256_set1_epi16(load_word(k + 2)), one = _mm256_set1_epi16(1);
    const __m256i first[2] = {_mm256_maddubs_epi16(ab, _mm256_unpacklo_epi8(entry[0], entry[1])),
                              _mm256_maddubs_epi16(ab, _mm256_unpackhi_epi8(entry[0], entry[1]))};
    const __m256i last[2] = {_mm256_maddubs_epi16(cd, _mm256_unpacklo_epi8(entry[2], entry[3])),
                             _mm256_maddubs_epi16(cd, _mm256_unpackhi_epi8(entry[2], entry[3]))};
    for (int i = 0; i < 2; ++i) {
      sums.v[2 * i] = _mm256_add_epi32(sums.v[2 * i], _mm256_madd_epi16(_mm256_unpacklo_epi16(first[i], last[i]), one));
      sums.v[2 * i + 1] = _mm256_add_epi32(sums.v[2 * i + 1], _mm256_madd_epi16(_mm256_unpackhi_epi16(first[i], last[i]), one));
    }
  }
  static BASIN_ALWAYS_INLINE void accumulate(Sums& sums, const Bytes (&entry)[1], const std::int32_t* multipliers,
                                             std::ptrdiff_t q) noexcept {
    const __m256i k = _mm256_set1_epi8(reinterpret_cast<const char*>(multipliers)[q]), zero = _mm256_setzero_si256();
    const __m256i product[2] = {_mm256_maddubs_epi16(k, _mm256_unpacklo_epi8(entry[0], zero)),
                                _mm256_maddubs_epi16(k, _mm256_unpackhi_epi8(entry[0], zero))};
    const __m256i one = _mm256_set1_epi16(1);
    for (int i = 0; i < 2; ++i) {
      sums.v[2 * i] = _mm256_add_epi32(sums.v[2 * i], _mm256_madd_epi16(_mm256_unpacklo_epi16(product[i], zero), one));
      sums.v[2 * i + 1] = _mm256_add_epi32(sums.v[2 * i + 1], _mm256_madd_epi16(_mm256_unpackhi_epi16(product[i], zero), one));
    }
  }

  /// Entries fit by construction: their step was chosen for the largest of them.
  template <int Planes, int Size>
  static BASIN_ALWAYS_INLINE void quantize(const float* entries, float inverse, std::uint8_t* table) noexcept {
    const __m256 factor = _mm256_set1_ps(inverse);
    const auto words = [&](int k) BASIN_LAMBDA_INLINE {  // of 16 entries, in order
      const __m256i low = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(entries + k), factor));
      const __m256i high = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(entries + k + 8), factor));
      return _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
    };
    const __m256i sign = _mm256_set1_epi8(-128);
    for (int k = 0; k < Size; k += 16) {
      const __m256i word = words(k);
      const __m256i top = Planes == 1 ? word : _mm256_srai_epi16(word, 8);
      store_part(table + (Planes - 1) * Size + k, _mm256_packs_epi16(top, top));
      if constexpr (Planes == 2) {
        const __m256i low = _mm256_and_si256(word, _mm256_set1_epi16(255));
        store_part(table + k, _mm256_xor_si256(_mm256_packus_epi16(low, low), sign));
      }
    }
    if constexpr (Size == 256)
      for (int p = 0; p < Planes; ++p) fold_parts(table + p * Size);
  }
  static BASIN_ALWAYS_INLINE Floats to_floats(const std::int32_t* at, std::int32_t bias) noexcept {
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(load_vector(at), _mm256_set1_epi32(bias)));
  }
  static BASIN_ALWAYS_INLINE void interleave(const Floats (&in)[4], float* out) noexcept {
    for (int i = 0; i < 2; ++i) {
      _mm256_storeu_ps(out + 8 * i, _mm256_permute2f128_ps(in[2 * i], in[2 * i + 1], 0x20));
      _mm256_storeu_ps(out + 16 + 8 * i, _mm256_permute2f128_ps(in[2 * i], in[2 * i + 1], 0x31));
    }
  }

  /// A float table of 16 or 64 entries is four tables of bytes; four look-ups and eight interleaves make 32
  /// floats. 256 entries would take four times the shuffles, and loads of single floats are faster.
  template <int Size>
  static BASIN_ALWAYS_INLINE void pack_exact(const float* entries, std::uint8_t* table) noexcept {
    if constexpr (Size == 256) {
      for (int k = 0; k < Size; k += 8) _mm256_storeu_ps(reinterpret_cast<float*>(table) + k, _mm256_loadu_ps(entries + k));
    } else {
      const __m128i bytes = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
      for (int k = 0; k < Size; k += 16) {
        __m128i four[4];  // word b: byte b of four entries
        for (int i = 0; i < 4; ++i)
          four[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(entries + k + 4 * i)), bytes);
        const __m128i low[2] = {_mm_unpacklo_epi32(four[0], four[1]), _mm_unpacklo_epi32(four[2], four[3])};
        const __m128i high[2] = {_mm_unpackhi_epi32(four[0], four[1]), _mm_unpackhi_epi32(four[2], four[3])};
        auto* out = reinterpret_cast<__m128i*>(table + k);
        _mm_storeu_si128(out, _mm_unpacklo_epi64(low[0], low[1]));
        _mm_storeu_si128(out + Size / 16, _mm_unpackhi_epi64(low[0], low[1]));
        _mm_storeu_si128(out + Size / 8, _mm_unpacklo_epi64(high[0], high[1]));
        _mm_storeu_si128(out + Size / 16 * 3, _mm_unpackhi_epi64(high[0], high[1]));
      }
    }
  }
  template <int Bits>
  static BASIN_ALWAYS_INLINE void add_exact(const std::uint8_t* tile, std::ptrdiff_t rows, std::ptrdiff_t num_codes,
                                            const std::uint8_t* tables, float* sums) noexcept {
    if constexpr (Bits == 8) return add_loads(tile, rows, num_codes, reinterpret_cast<const float*>(tables), sums);
    else return add_bytes<Bits>(tile, rows, num_codes, tables, sums);
  }
  static BASIN_ALWAYS_INLINE void exact_rows(const float* sums, float* out) noexcept {
    for (int i = 0; i < 4; ++i) _mm256_storeu_ps(out + 8 * i, _mm256_loadu_ps(sums + 8 * i));
  }

 private:
  static BASIN_ALWAYS_INLINE __m256i load_vector(const void* at) noexcept { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }
  static BASIN_ALWAYS_INLINE void store_vector(void* at, __m256i value) noexcept {
    _mm256_storeu_si256(static_cast<__m256i*>(at), value);
  }
  static BASIN_ALWAYS_INLINE short load_word(const std::uint8_t* at) noexcept {
    short word;
    __builtin_memcpy(&word, at, sizeof word);
    return word;
  }
  static BASIN_ALWAYS_INLINE __m256i look_up_part(const std::uint8_t* part, __m256i index) noexcept {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(part))), index);
  }
  /// The 16 bytes that packing made twice, quarter by quarter.
  static BASIN_ALWAYS_INLINE void store_part(std::uint8_t* at, __m256i packed) noexcept {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at),
                     _mm_unpacklo_epi64(_mm256_castsi256_si128(packed), _mm256_extracti128_si256(packed, 1)));
  }
  /// Sums of 8 rows, one float load per look-up.
  static BASIN_ALWAYS_INLINE void add_loads(const std::uint8_t* tile, std::ptrdiff_t rows, std::ptrdiff_t num_codes, const float* tables,
                                            float* sums) noexcept {
    for (std::ptrdiff_t row = 0; row < rows; row += 8) {
      __m128 sum[8];  // scalars: as vectors they would be assembled by shuffles
      unroll<8>([&](int r) BASIN_LAMBDA_INLINE { sum[r] = _mm_load_ss(sums + row + r); });
      const std::uint8_t* column = tile + row;
      const float* table = tables;
      for (std::ptrdiff_t q = 0; q < num_codes; ++q, column += rows, table += 256) {
        __builtin_prefetch(column + 4096);
        std::uint64_t codes;
        __builtin_memcpy(&codes, column, sizeof codes);
        unroll<8>([&](int r) BASIN_LAMBDA_INLINE { sum[r] = _mm_add_ss(sum[r], _mm_load_ss(table + (codes >> (8 * r) & 255))); });
      }
      unroll<8>([&](int r) BASIN_LAMBDA_INLINE { _mm_store_ss(sums + row + r, sum[r]); });
    }
  }
  template <int Bits>
  static BASIN_ALWAYS_INLINE void add_bytes(const std::uint8_t* tile, std::ptrdiff_t rows, std::ptrdiff_t num_codes,
                                            const std::uint8_t* tables, float* sums) noexcept {
    constexpr int size = 1 << Bits;
    for (std::ptrdiff_t first = 0; first < rows; first += lanes) {
      Floats sum[4], order[4];
      for (int i = 0; i < 4; ++i) order[i] = _mm256_loadu_ps(sums + first + 8 * i);
      for (int i = 0; i < 2; ++i) {  // quarter L of sum v: rows 16 L + 4 v ..
        sum[2 * i] = _mm256_permute2f128_ps(order[i], order[i + 2], 0x20);
        sum[2 * i + 1] = _mm256_permute2f128_ps(order[i], order[i + 2], 0x31);
      }
      visit_codes<avx2, Bits, 1, Bits == 8 ? 8192 : 6144>(tile + first, rows, num_codes, [&](const auto& codes, std::ptrdiff_t q) BASIN_LAMBDA_INLINE {
        unroll<sizeof codes[0] / sizeof codes[0][0]>([&](int n) BASIN_LAMBDA_INLINE {
          const std::uint8_t* table = tables + (q + n) * 4 * size;
          __m256i byte[4];
          unroll<4>([&](int i) BASIN_LAMBDA_INLINE { byte[i] = lookup(load_table<size>(table + i * size), codes[0][n]); });
          const __m256i low[2] = {_mm256_unpacklo_epi8(byte[0], byte[1]), _mm256_unpackhi_epi8(byte[0], byte[1])};
          const __m256i high[2] = {_mm256_unpacklo_epi8(byte[2], byte[3]), _mm256_unpackhi_epi8(byte[2], byte[3])};
          unroll<2>([&](int i) BASIN_LAMBDA_INLINE {
            sum[2 * i] = _mm256_add_ps(sum[2 * i], _mm256_castsi256_ps(_mm256_unpacklo_epi16(low[i], high[i])));
            sum[2 * i + 1] = _mm256_add_ps(sum[2 * i + 1], _mm256_castsi256_ps(_mm256_unpackhi_epi16(low[i], high[i])));
          });
        });
      });
      float in_order[32];
      interleave(sum, in_order);
      for (int i = 0; i < 4; ++i) _mm256_storeu_ps(sums + first + 8 * i, _mm256_loadu_ps(in_order + 8 * i));
    }
  }
  /// Quarters T0..T3 of a table, by bits 6-7, become differences, so that of the four
  ///
  ///     T3                       always
  ///     T1 ^ T3                  where bit 7 is clear
  ///     T2 ^ T3                  where bit 6 is clear
  ///     T0 ^ T1 ^ T2 ^ T3        where both are
  ///
  /// add up (without carry) to the quarter that a code means.
  static BASIN_ALWAYS_INLINE void fold_parts(std::uint8_t* table) noexcept {
    for (int k = 0; k < 64; k += 32) {
      const __m256i t0 = load_vector(table + k), t1 = load_vector(table + 64 + k);
      const __m256i t2 = load_vector(table + 128 + k), t3 = load_vector(table + 192 + k);
      const __m256i not7 = _mm256_xor_si256(t1, t3);
      store_vector(table + k, _mm256_xor_si256(_mm256_xor_si256(t0, t2), not7));
      store_vector(table + 64 + k, not7);
      store_vector(table + 128 + k, _mm256_xor_si256(t2, t3));
    }
  }
};
}  // namespace detail

template <class Precision>
struct LutMatvec<avx2, Precision> : detail::SimdLutMatvec<avx2, Precision> {};

}  // namespace basin::kernels

#endif
