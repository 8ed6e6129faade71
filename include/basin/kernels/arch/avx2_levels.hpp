#pragma once

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#include <basin/core/config.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/level_matmul_simd.hpp>
#include <basin/kernels/detail/level_matvec_simd.hpp>
#include <basin/kernels/detail/level_simd.hpp>
#include <basin/kernels/detail/simd.hpp>
#include <basin/kernels/level_matmul.hpp>
#include <basin/kernels/level_matvec.hpp>
#include <basin/kernels/quantize_activations.hpp>

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

/// Levels with AVX2: byte look-ups of half a byte's two codes, products of bytes in pairs of 16 bits.
namespace basin::kernels {
namespace detail {
/// What every x86 path shares: activations, sixteen at a time.
struct X86Activations {
  using Magnitudes = __m256i;
  static BASIN_ALWAYS_INLINE Magnitudes magnitudes(const float* x) noexcept {
    const __m256i mask = _mm256_set1_epi32(0x7fffffff);
    return _mm256_max_epu32(_mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)), mask),
                            _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + 8)), mask));
  }
  static BASIN_ALWAYS_INLINE Magnitudes larger(Magnitudes a, Magnitudes b) noexcept { return _mm256_max_epu32(a, b); }
  static BASIN_ALWAYS_INLINE float largest(Magnitudes value) noexcept {
    __m128i four = _mm_max_epu32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_max_epu32(four, _mm_shuffle_epi32(four, 0xb1))));
  }
  static BASIN_ALWAYS_INLINE void quantize(const float* x, float step, float low, float high, std::int8_t* out) noexcept {
    const auto eight = [&](const float* at) BASIN_LAMBDA_INLINE {
      const __m256 quotient = _mm256_div_ps(_mm256_loadu_ps(at), _mm256_set1_ps(step));
      return _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(quotient, _mm256_set1_ps(low)), _mm256_set1_ps(high)));
    };
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(eight(x), eight(x + 8)), 0xd8);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
  }
  /// Of `count` times sixteen values.
  static BASIN_ALWAYS_INLINE std::int32_t sum(const std::int8_t* values, std::ptrdiff_t count) noexcept {
    __m256i sums = _mm256_setzero_si256();
    const __m256i ones = _mm256_set1_epi16(1);
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values + 16 * i));
      sums = _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_cvtepi8_epi16(bytes), ones));
    }
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
  }
  static BASIN_ALWAYS_INLINE void unpack_int4(const std::uint8_t* packed, std::int8_t* out) noexcept {
    const __m128i words = _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(packed)));
    const __m128i halves = _mm_and_si128(_mm_or_si128(words, _mm_slli_epi16(words, 4)), _mm_set1_epi8(15));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_sub_epi8(_mm_xor_si128(halves, _mm_set1_epi8(8)), _mm_set1_epi8(8)));
  }
};

/// level - levels[0] of the low and of the high code in half a byte.
struct HalfByteTables {
  alignas(16) std::uint8_t low[16], high[16];
};
[[nodiscard]] BASIN_ALWAYS_INLINE HalfByteTables half_byte_tables(const std::int8_t* levels) noexcept {
  HalfByteTables tables;
  for (int i = 0; i < 16; ++i) {
    tables.low[i] = static_cast<std::uint8_t>(levels[i & 3] - levels[0]);
    tables.high[i] = static_cast<std::uint8_t>(levels[i >> 2] - levels[0]);
  }
  return tables;
}

template <>
struct LevelSimd<avx2> : X86Activations {
  static constexpr int lanes = 8, chains = 1, matmul_vectors = 2, matmul_tokens = 4;
  static constexpr std::ptrdiff_t words_per_sum = 8;  // 8 * 2 * 15 * 128 < 2^15
  static constexpr bool uses_codes = false;
  using Bytes = __m256i;
  using Words = __m256i;
  using Dot = __m256i;
  template <bool>
  struct Tables {
    __m256i low, high;
  };
  struct Fields {
    __m256i v[4];
  };
  using Sums = Fields;

  template <bool Codes>
  static BASIN_ALWAYS_INLINE Tables<Codes> make_tables(const std::int8_t* levels) noexcept {
    const HalfByteTables tables = half_byte_tables(levels);
    return {_mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(tables.low))),
            _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(tables.high)))};
  }
  static BASIN_ALWAYS_INLINE Bytes load(const std::uint8_t* at) noexcept { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }
  static BASIN_ALWAYS_INLINE Words load_words(const std::int8_t* at) noexcept {
    std::int32_t four;
    __builtin_memcpy(&four, at, sizeof four);
    return _mm256_set1_epi32(four);
  }

  static BASIN_ALWAYS_INLINE Fields fields(Bytes codes, const Tables<false>& tables) noexcept {
    const __m256i half = _mm256_set1_epi8(15), low = _mm256_and_si256(codes, half);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(codes, 4), half);
    return {{_mm256_shuffle_epi8(tables.low, low), _mm256_shuffle_epi8(tables.high, low), _mm256_shuffle_epi8(tables.low, high),
             _mm256_shuffle_epi8(tables.high, high)}};
  }
  static BASIN_ALWAYS_INLINE Sums zero_sums() noexcept {
    const __m256i zero = _mm256_setzero_si256();
    return {{zero, zero, zero, zero}};
  }
  static BASIN_ALWAYS_INLINE void multiply_add(Sums& sums, const Fields& fields, Words inputs) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { dot(sums.v[k], fields.v[k], inputs); });
  }
  template <bool>
  static BASIN_ALWAYS_INLINE void add_sums(const Sums& sums, std::int32_t* to) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { add_dot(sums.v[k], to + 16 * k); });
  }

  static BASIN_ALWAYS_INLINE void decode(Bytes codes, const Tables<false>& tables, std::uint8_t* out) noexcept {
    const Fields bytes = fields(codes, tables);
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { _mm256_store_si256(reinterpret_cast<__m256i*>(out + 64 * k), bytes.v[k]); });
  }
  static BASIN_ALWAYS_INLINE Dot zero_dot() noexcept { return _mm256_setzero_si256(); }
  static BASIN_ALWAYS_INLINE void dot(Dot& sum, Bytes weights, Words inputs) noexcept {
    sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(weights, inputs));
  }
  static BASIN_ALWAYS_INLINE void add_dot(Dot sum, std::int32_t* to) noexcept { add_to(_mm256_madd_epi16(sum, _mm256_set1_epi16(1)), to); }

  static BASIN_ALWAYS_INLINE void to_totals(const std::int32_t* sums, std::int32_t factor, std::int32_t correction, float step,
                                            float* totals) noexcept {
    for (int i = 0; i < 16; i += 8) {
      const __m256i products = _mm256_mullo_epi32(_mm256_load_si256(reinterpret_cast<const __m256i*>(sums + i)), _mm256_set1_epi32(factor));
      const __m256 sum = _mm256_cvtepi32_ps(_mm256_add_epi32(products, _mm256_set1_epi32(correction)));
      _mm256_store_ps(totals + i, _mm256_fmadd_ps(sum, _mm256_set1_ps(step), _mm256_load_ps(totals + i)));
    }
  }

 protected:
  static BASIN_ALWAYS_INLINE void add_to(__m256i sum, std::int32_t* to) noexcept {
    auto* at = reinterpret_cast<__m256i*>(to);
    _mm256_store_si256(at, _mm256_add_epi32(_mm256_load_si256(at), sum));
  }
};
}  // namespace detail

template <>
struct QuantizeActivations<avx2> : detail::SimdQuantizeActivations<avx2> {};
template <>
struct LevelMatvec<avx2> : detail::SimdLevelMatvec<avx2> {};
template <>
struct LevelMatmul<avx2> : detail::SimdLevelMatmul<avx2> {};

}  // namespace basin::kernels

#endif
