#pragma once

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/avx2_kv4.hpp>
#include <basin/kernels/arch/avx2_levels.hpp>
#include <basin/kernels/concepts.hpp>

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

/// Levels with AVX-512 without dot products.
namespace basin::kernels {
namespace detail {
/// What the paths of AVX-512 share.
struct LevelAvx512 : X86Activations {
  using Magnitudes = __m512i;
  static BASIN_ALWAYS_INLINE Magnitudes magnitudes(const float* x) noexcept {
    return _mm512_and_si512(_mm512_loadu_si512(x), _mm512_set1_epi32(0x7fffffff));
  }
  static BASIN_ALWAYS_INLINE Magnitudes larger(Magnitudes a, Magnitudes b) noexcept { return _mm512_max_epu32(a, b); }
  static BASIN_ALWAYS_INLINE float largest(Magnitudes value) noexcept {
    return X86Activations::largest(_mm256_max_epu32(_mm512_castsi512_si256(value), _mm512_extracti64x4_epi64(value, 1)));
  }
  static BASIN_ALWAYS_INLINE void quantize(const float* x, float step, float low, float high, std::int8_t* out) noexcept {
    const __m512 quotient = _mm512_div_ps(_mm512_loadu_ps(x), _mm512_set1_ps(step));
    const __m512i q = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(quotient, _mm512_set1_ps(low)), _mm512_set1_ps(high)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(q));
  }

  static constexpr int lanes = 16, matmul_vectors = 4, matmul_tokens = 6;
  using Bytes = __m512i;
  using Words = __m512i;
  using Dot = __m512i;
  struct Fields {
    __m512i v[4];
  };
  using Sums = Fields;

  static BASIN_ALWAYS_INLINE __m512i table(const std::uint8_t* entries) noexcept {
    return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(entries)));
  }
  /// In a register: g++ would load it again for every use.
  static BASIN_ALWAYS_INLINE Bytes load(const std::uint8_t* at) noexcept {
    __m512i bytes = _mm512_loadu_si512(at);
    __asm__("" : "+v"(bytes));
    return bytes;
  }
  static BASIN_ALWAYS_INLINE Words load_words(const std::int8_t* at) noexcept {
    std::int32_t four;
    __builtin_memcpy(&four, at, sizeof four);
    return _mm512_set1_epi32(four);
  }
  static BASIN_ALWAYS_INLINE Sums zero_sums() noexcept {
    const __m512i zero = _mm512_setzero_si512();
    return {{zero, zero, zero, zero}};
  }
  static BASIN_ALWAYS_INLINE void add(Sums& sums, const Sums& more) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { sums.v[k] = _mm512_add_epi32(sums.v[k], more.v[k]); });
  }
  static BASIN_ALWAYS_INLINE Dot zero_dot() noexcept { return _mm512_setzero_si512(); }
  /// Half a byte's two codes in `low`, `high`: the levels of all four codes.
  static BASIN_ALWAYS_INLINE Fields look_up(Bytes codes, __m512i low, __m512i high) noexcept {
    const __m512i half = _mm512_set1_epi8(15), first = _mm512_and_si512(codes, half), second = _mm512_and_si512(_mm512_srli_epi16(codes, 4), half);
    return {{_mm512_shuffle_epi8(low, first), _mm512_shuffle_epi8(high, first), _mm512_shuffle_epi8(low, second),
             _mm512_shuffle_epi8(high, second)}};
  }
  static BASIN_ALWAYS_INLINE void store(const Fields& bytes, std::uint8_t* out) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { _mm512_store_si512(out + 64 * k, bytes.v[k]); });
  }
  static BASIN_ALWAYS_INLINE void add_to(__m512i sum, std::int32_t* to) noexcept {
    _mm512_store_si512(to, _mm512_add_epi32(_mm512_load_si512(to), sum));
  }
  static BASIN_ALWAYS_INLINE void to_totals(const std::int32_t* sums, std::int32_t factor, std::int32_t correction, float step,
                                            float* totals) noexcept {
    const __m512i products = _mm512_mullo_epi32(_mm512_load_si512(sums), _mm512_set1_epi32(factor));
    const __m512 sum = _mm512_cvtepi32_ps(_mm512_add_epi32(products, _mm512_set1_epi32(correction)));
    _mm512_store_ps(totals, _mm512_fmadd_ps(sum, _mm512_set1_ps(step), _mm512_load_ps(totals)));
  }
};

template <>
struct LevelSimd<avx512bw> : LevelAvx512 {
  static constexpr int chains = 1;
  static constexpr std::ptrdiff_t words_per_sum = 8;  // 8 * 2 * 15 * 128 < 2^15
  static constexpr bool uses_codes = false;
  template <bool>
  struct Tables {
    __m512i low, high;
  };

  template <bool Codes>
  static BASIN_ALWAYS_INLINE Tables<Codes> make_tables(const std::int8_t* levels) noexcept {
    const HalfByteTables tables = half_byte_tables(levels);
    return {table(tables.low), table(tables.high)};
  }
  static BASIN_ALWAYS_INLINE Fields fields(Bytes codes, const Tables<false>& tables) noexcept { return look_up(codes, tables.low, tables.high); }
  static BASIN_ALWAYS_INLINE void multiply_add(Sums& sums, const Fields& fields, Words inputs) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { dot(sums.v[k], fields.v[k], inputs); });
  }
  template <bool>
  static BASIN_ALWAYS_INLINE void add_sums(const Sums& sums, std::int32_t* to) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { add_dot(sums.v[k], to + 16 * k); });
  }
  static BASIN_ALWAYS_INLINE void decode(Bytes codes, const Tables<false>& tables, std::uint8_t* out) noexcept { store(fields(codes, tables), out); }
  static BASIN_ALWAYS_INLINE void dot(Dot& sum, Bytes weights, Words inputs) noexcept {
    sum = _mm512_add_epi16(sum, _mm512_maddubs_epi16(weights, inputs));
  }
  static BASIN_ALWAYS_INLINE void add_dot(Dot sum, std::int32_t* to) noexcept { add_to(_mm512_madd_epi16(sum, _mm512_set1_epi16(1)), to); }
};
template <>
struct Kv4Simd<avx512bw> : Kv4Simd<avx2> {};
}  // namespace detail

template <>
struct QuantizeActivations<avx512bw> : detail::SimdQuantizeActivations<avx512bw> {};
template <>
struct LevelMatvec<avx512bw> : detail::SimdLevelMatvec<avx512bw> {};
template <>
struct LevelMatmul<avx512bw> : detail::SimdLevelMatmul<avx512bw> {};
template <>
struct Kv4<avx512bw> : detail::SimdKv4<avx512bw> {};

}  // namespace basin::kernels

#endif
