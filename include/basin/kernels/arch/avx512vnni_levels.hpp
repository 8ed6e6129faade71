#pragma once

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/avx2_kv4.hpp>
#include <basin/kernels/arch/avx512bw_levels.hpp>
#include <basin/kernels/concepts.hpp>

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

/// Levels with AVX-512 VNNI. As assembly: g++ 12 copies the sums of its intrinsics from register to register.
namespace basin::kernels {
namespace detail {
/// A byte has several rows' values, and products with all of it, with all but the lowest, .. are taken apart by
/// subtraction: the first needs no mask.
///
///     codes    c0 + 4 c1 + 16 c2 + 64 c3: sums of x v, x (v & 252), x (v & 240), x (v & 192)
///     levels   two bytes u0 + 16 u1, u2 + 16 u3 by look-up: sums of x p, x (p & 240) for both
///
/// Sums wrap around and their differences fit: words_per_sum * 4 * 240 * 128 < 2^31.
struct LevelVnni : LevelAvx512 {
  static constexpr int chains = 4;
  static constexpr std::ptrdiff_t words_per_sum = 16384;
  static constexpr bool uses_codes = true;
  template <bool Codes>
  struct Tables {
    __m512i low, high, pair;
  };

  template <bool Codes>
  static BASIN_ALWAYS_INLINE Tables<Codes> make_tables(const std::int8_t* levels) noexcept {
    const HalfByteTables tables = half_byte_tables(levels);
    const __m512i low = table(tables.low), high = table(tables.high);
    return {low, high, _mm512_or_si512(low, _mm512_slli_epi16(high, 4))};
  }
  static BASIN_ALWAYS_INLINE Fields fields(Bytes codes, const Tables<true>&) noexcept {
    return {{codes, _mm512_and_si512(codes, _mm512_set1_epi8(static_cast<char>(252))), upper(codes),
             _mm512_and_si512(codes, _mm512_set1_epi8(static_cast<char>(192)))}};
  }
  static BASIN_ALWAYS_INLINE void multiply_add(Sums& sums, const Fields& fields, Words inputs) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { dot(sums.v[k], fields.v[k], inputs); });
  }
  template <bool Codes>
  static BASIN_ALWAYS_INLINE void add_sums(const Sums& sums, std::int32_t* to) noexcept {
    const __m512i *s = sums.v, first = _mm512_sub_epi32(s[0], s[1]);
    add_to(first, to);
    if constexpr (Codes) {
      add_to(_mm512_srai_epi32(_mm512_sub_epi32(s[1], s[2]), 2), to + 16);
      add_to(_mm512_srai_epi32(_mm512_sub_epi32(s[2], s[3]), 4), to + 32);
      add_to(_mm512_srai_epi32(s[3], 6), to + 48);
    } else {
      add_to(_mm512_srai_epi32(s[1], 4), to + 16);
      add_to(_mm512_sub_epi32(s[2], s[3]), to + 32);
      add_to(_mm512_srai_epi32(s[3], 4), to + 48);
    }
  }
  static BASIN_ALWAYS_INLINE void decode(Bytes codes, const Tables<false>& tables, std::uint8_t* out) noexcept {
    store(look_up(codes, tables.low, tables.high), out);
  }
  static BASIN_ALWAYS_INLINE void dot(Dot& sum, Bytes weights, Words inputs) noexcept {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(weights), "v"(inputs));
  }
  static BASIN_ALWAYS_INLINE void add_dot(Dot sum, std::int32_t* to) noexcept { add_to(sum, to); }

 protected:
  static BASIN_ALWAYS_INLINE __m512i upper(__m512i bytes) noexcept { return _mm512_and_si512(bytes, _mm512_set1_epi8(static_cast<char>(240))); }
  static BASIN_ALWAYS_INLINE Fields pairs(__m512i first, __m512i second) noexcept { return {{first, upper(first), second, upper(second)}}; }
};

template <>
struct LevelSimd<avx512vnni> : LevelVnni {
  using LevelVnni::fields;
  static BASIN_ALWAYS_INLINE Fields fields(Bytes codes, const Tables<false>& tables) noexcept {
    const __m512i half = _mm512_set1_epi8(15);
    return pairs(_mm512_shuffle_epi8(tables.pair, _mm512_and_si512(codes, half)),
                 _mm512_shuffle_epi8(tables.pair, _mm512_and_si512(_mm512_srli_epi16(codes, 4), half)));
  }
};
template <>
struct Kv4Simd<avx512vnni> : Kv4Simd<avx2> {
  static BASIN_ALWAYS_INLINE std::int32_t dot(const std::uint8_t* codes, const std::int8_t* q, std::ptrdiff_t count) noexcept {
    __m256i sum = _mm256_setzero_si256();
    for (std::ptrdiff_t i = 0; i < count; ++i)
      sum = _mm256_dpbusd_epi32(sum, unpack(codes + 16 * i), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + 32 * i)));
    return sum_lanes(sum);
  }
};
}  // namespace detail

template <>
struct QuantizeActivations<avx512vnni> : detail::SimdQuantizeActivations<avx512vnni> {};
template <>
struct LevelMatvec<avx512vnni> : detail::SimdLevelMatvec<avx512vnni> {};
template <>
struct LevelMatmul<avx512vnni> : detail::SimdLevelMatmul<avx512vnni> {};
template <>
struct Kv4<avx512vnni> : detail::SimdKv4<avx512vnni> {};

}  // namespace basin::kernels

#endif
