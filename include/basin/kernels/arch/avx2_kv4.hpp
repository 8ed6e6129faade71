#pragma once

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/avx2_levels.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/kv4_simd.hpp>
#include <basin/kernels/detail/simd.hpp>
#include <basin/kernels/kv4.hpp>

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

/// Caches of 4 bits in vectors of 32 codes, on all paths of x86.
namespace basin::kernels {
namespace detail {
template <>
struct Kv4Simd<avx2> : X86Activations {
  struct Range {
    __m256 low, high;
  };

  static BASIN_ALWAYS_INLINE Range empty_range() noexcept { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static BASIN_ALWAYS_INLINE Range add_range(const float* x, const Range& range) noexcept {
    const __m256 a = _mm256_loadu_ps(x), b = _mm256_loadu_ps(x + 8);
    return {_mm256_min_ps(a, _mm256_min_ps(b, range.low)), _mm256_max_ps(a, _mm256_max_ps(b, range.high))};
  }
  static BASIN_ALWAYS_INLINE float low(const Range& range) noexcept { return -high_lane(_mm256_sub_ps(_mm256_setzero_ps(), range.low)); }
  static BASIN_ALWAYS_INLINE float high(const Range& range) noexcept { return high_lane(range.high); }

  static BASIN_ALWAYS_INLINE std::int32_t dot(const std::uint8_t* codes, const std::int8_t* q, std::ptrdiff_t count) noexcept {
    __m256i sum = _mm256_setzero_si256();
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      const __m256i pairs = _mm256_maddubs_epi16(unpack(codes + 16 * i), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + 32 * i)));
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    return sum_lanes(sum);
  }
  static BASIN_ALWAYS_INLINE void decode(const std::uint8_t* codes, std::uint8_t zero, float scale, float* out) noexcept {
    const __m256i values = above_zero(codes, zero);
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { _mm256_storeu_ps(out + 8 * k, _mm256_mul_ps(_mm256_set1_ps(scale), eight(values, k))); });
  }
  static BASIN_ALWAYS_INLINE void mix(const std::uint8_t* codes, std::ptrdiff_t stride, const float* scales, const std::uint8_t* zeros,
                                      std::ptrdiff_t group_stride, const float* weights, std::ptrdiff_t rows, float* out) noexcept {
    __m256 sum[4];
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { sum[k] = _mm256_setzero_ps(); });
    for (std::ptrdiff_t row = 0; row < rows; ++row) {
      const __m256i values = above_zero(codes + row * stride, zeros[row * group_stride]);
      const __m256 factor = _mm256_set1_ps(weights[row] * scales[row * group_stride]);
      unroll<4>([&](int k) BASIN_LAMBDA_INLINE { sum[k] = _mm256_fmadd_ps(factor, eight(values, k), sum[k]); });
    }
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { _mm256_storeu_ps(out + 8 * k, sum[k]); });
  }

 protected:
  /// 32 codes in order, a byte each.
  static BASIN_ALWAYS_INLINE __m256i unpack(const std::uint8_t* codes) noexcept {
    const __m256i words = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
    return _mm256_and_si256(_mm256_or_si256(words, _mm256_slli_epi16(words, 4)), _mm256_set1_epi8(15));
  }
  static BASIN_ALWAYS_INLINE std::int32_t sum_lanes(__m256i value) noexcept {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
  }

 private:
  static BASIN_ALWAYS_INLINE float high_lane(__m256 value) noexcept {
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(value), _mm256_extractf128_ps(value, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
  }
  static BASIN_ALWAYS_INLINE __m256i above_zero(const std::uint8_t* codes, std::uint8_t zero) noexcept {
    return _mm256_sub_epi8(unpack(codes), _mm256_set1_epi8(static_cast<char>(zero)));
  }
  /// Bytes 8 k to 8 k + 7 as floats.
  static BASIN_ALWAYS_INLINE __m256 eight(__m256i bytes, int k) noexcept {
    const __m128i half = k < 2 ? _mm256_castsi256_si128(bytes) : _mm256_extracti128_si256(bytes, 1);
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(k % 2 == 0 ? half : _mm_srli_si128(half, 8)));
  }
};
}  // namespace detail

template <>
struct Kv4<avx2> : detail::SimdKv4<avx2> {};

}  // namespace basin::kernels

#endif
