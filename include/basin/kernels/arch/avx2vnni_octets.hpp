#pragma once

#if defined(__AVXVNNI__) && defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/avx2_octets.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/dequantize_simd.hpp>
#include <basin/kernels/detail/matmul_blocks.hpp>
#include <basin/kernels/detail/matmul_simd.hpp>
#include <basin/kernels/detail/octets.hpp>
#include <basin/kernels/dequantize_matmul.hpp>
#include <basin/kernels/lut_dequantize.hpp>

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

/// Products with AVX-VNNI.
namespace basin::kernels {
namespace detail {
template <>
struct Octets<avx2vnni> : Octets<avx2> {};

template <>
struct TileProduct<avx2vnni, exact> : TileProduct<avx2, exact> {};

template <>
struct TileProduct<avx2vnni, int16> : TileProduct<avx2, int16> {
  static constexpr int max_vectors = 3;  // no register for products
  static BASIN_ALWAYS_INLINE void multiply_add(Sum& sum, __m256i weights, __m256i inputs) noexcept {
    sum = _mm256_dpwssd_avx_epi32(sum, weights, inputs);
  }
};

/// Unsigned bytes of weights, 128 too large, meet signed bytes of inputs. Rows 2 i and 2 i + 1 are neighbours in
/// weight vector i % 2 of a pair, where adding across lanes leaves the rows in order.
template <>
struct TileProduct<avx2vnni, int8> {
  using Value = std::int16_t;
  using Input = std::int8_t;
  using Sum = __m256i;
  static constexpr int offset = 128 + 32768, correction = 128;
  static constexpr int rows = 32, sub_rows = 16, max_vectors = 3;

  template <class Words>
  static BASIN_ALWAYS_INLINE void store_rows(std::uint8_t* step, std::ptrdiff_t strip, const Words& words) noexcept {
    for_rows<4>([&]<int Pair>() BASIN_LAMBDA_INLINE {
      const __m128i first = _mm_srli_epi16(words.template at<2 * Pair>(), 8), second = _mm_srli_epi16(words.template at<2 * Pair + 1>(), 8);
      auto* to = reinterpret_cast<__m128i*>(step + strip * 64 + Pair % 2 * 32 + Pair / 2 * 16);
      _mm_store_si128(to, _mm_packus_epi16(first, second));
    });
  }
  static BASIN_ALWAYS_INLINE __m256i load(const std::uint8_t* at) noexcept { return _mm256_load_si256(reinterpret_cast<const __m256i*>(at)); }
  static BASIN_ALWAYS_INLINE __m256i repeat(const std::int8_t* at) noexcept {
    return _mm256_broadcastq_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)));
  }
  static BASIN_ALWAYS_INLINE void multiply_add(Sum& sum, __m256i weights, __m256i inputs) noexcept {
    sum = _mm256_dpbusd_avx_epi32(sum, weights, inputs);
  }
  static BASIN_ALWAYS_INLINE Sum start(std::int32_t correction_sum) noexcept {
    const auto first = static_cast<std::int32_t>(0u - static_cast<std::uint32_t>(correction_sum));
    return _mm256_blend_epi32(_mm256_setzero_si256(), _mm256_set1_epi32(first), 0x55);
  }
  static BASIN_ALWAYS_INLINE void finish(const Sum (&sum)[4], const float* row_scales, float scale, float* c) noexcept {
    for (int i = 0; i < 2; ++i) {
      const __m256 a = _mm256_castsi256_ps(sum[2 * i]), b = _mm256_castsi256_ps(sum[2 * i + 1]);
      const __m256i all = _mm256_add_epi32(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)), _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd)));
      const __m256 factor = _mm256_mul_ps(_mm256_loadu_ps(row_scales + 8 * i), _mm256_set1_ps(scale));
      _mm256_store_ps(c + 8 * i, _mm256_fmadd_ps(_mm256_cvtepi32_ps(all), factor, _mm256_load_ps(c + 8 * i)));
    }
  }
};
}  // namespace detail

template <>
struct LutDequantize<avx2vnni> : detail::SimdLutDequantize<avx2vnni> {};
template <class Precision>
struct DequantizeMatmul<avx2vnni, Precision> : detail::SimdDequantizeMatmul<avx2vnni, Precision> {};

}  // namespace basin::kernels

#endif
