#pragma once

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)

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

/// Decoding as with AVX2, since codewords of eight floats fill its vectors; products in vectors of 64 bytes.
namespace basin::kernels {
namespace detail {
template <>
struct Octets<avx512bw> : Octets<avx2> {};

template <>
struct TileProduct<avx512bw, exact> {
  using Value = float;
  using Input = float;
  using Sum = __m512;
  static constexpr int rows = 8, sub_rows = 8, max_vectors = 6;

  template <class Floats>
  static BASIN_ALWAYS_INLINE void store_rows(std::uint8_t* step, std::ptrdiff_t, const Floats& octets) noexcept {
    for_rows<8>([&]<int R>() BASIN_LAMBDA_INLINE {
      _mm256_store_ps(reinterpret_cast<float*>(step + R % 4 * 64 + R / 4 * 32), octets.template at<R>());
    });
  }
  static BASIN_ALWAYS_INLINE __m512 load(const std::uint8_t* at) noexcept { return _mm512_load_ps(at); }
  static BASIN_ALWAYS_INLINE __m512 repeat(const float* at) noexcept { return _mm512_broadcast_f32x8(_mm256_load_ps(at)); }
  static BASIN_ALWAYS_INLINE void multiply_add(Sum& sum, __m512 weights, __m512 inputs) noexcept { sum = _mm512_fmadd_ps(weights, inputs, sum); }
  static BASIN_ALWAYS_INLINE Sum start(std::int32_t) noexcept { return _mm512_setzero_ps(); }
  static BASIN_ALWAYS_INLINE void finish(const Sum (&sum)[4], const float*, float, float* c) noexcept {
    const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(sum[0], sum[1]), _mm512_unpackhi_ps(sum[0], sum[1]));
    const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(sum[2], sum[3]), _mm512_unpackhi_ps(sum[2], sum[3]));
    const __m512 all = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
    // Quarters 0 and 1 belong to rows 0 to 3, quarters 2 and 3 to rows 4 to 7.
    const __m512 pairs = _mm512_add_ps(all, _mm512_shuffle_f32x4(all, all, 0xb1));
    const __m256 total = _mm512_castps512_ps256(_mm512_shuffle_f32x4(pairs, pairs, 0x08));
    _mm256_store_ps(c, _mm256_add_ps(_mm256_load_ps(c), total));
  }
};

template <class Precision>
struct WordProductAvx512 {
  using Value = std::int16_t;
  using Input = std::int16_t;
  using Sum = __m512i;
  static constexpr int shift = MatmulLevels<Precision>::shift, offset = 1 << (shift - 1), correction = 0;
  static constexpr int rows = 16, sub_rows = 16, max_vectors = 6;

  template <class Words>
  static BASIN_ALWAYS_INLINE void store_rows(std::uint8_t* step, std::ptrdiff_t strip, const Words& words) noexcept {
    for_rows<8>([&]<int R>() BASIN_LAMBDA_INLINE {
      auto* to = reinterpret_cast<__m128i*>(step + strip * 32 + R % 4 * 64 + R / 4 * 16);
      _mm_store_si128(to, _mm_srai_epi16(words.template at<R>(), shift));
    });
  }
  static BASIN_ALWAYS_INLINE __m512i load(const std::uint8_t* at) noexcept { return _mm512_load_si512(at); }
  static BASIN_ALWAYS_INLINE __m512i repeat(const std::int16_t* at) noexcept {
    return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(at)));
  }
  static BASIN_ALWAYS_INLINE void multiply_add(Sum& sum, __m512i weights, __m512i inputs) noexcept {
    sum = _mm512_add_epi32(sum, _mm512_madd_epi16(weights, inputs));
  }
  static BASIN_ALWAYS_INLINE Sum start(std::int32_t) noexcept { return _mm512_setzero_si512(); }
  static BASIN_ALWAYS_INLINE void finish(const Sum (&sum)[4], const float* row_scales, float scale, float* c) noexcept {
    const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(sum[0], sum[1]), _mm512_unpackhi_epi32(sum[0], sum[1]));
    const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(sum[2], sum[3]), _mm512_unpackhi_epi32(sum[2], sum[3]));
    const __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    const __m512 factor = _mm512_mul_ps(_mm512_loadu_ps(row_scales), _mm512_set1_ps(scale));
    _mm512_storeu_ps(c, _mm512_fmadd_ps(_mm512_cvtepi32_ps(all), factor, _mm512_loadu_ps(c)));
  }
};
template <>
struct TileProduct<avx512bw, int16> : WordProductAvx512<int16> {};
template <>
struct TileProduct<avx512bw, int8> : WordProductAvx512<int8> {};
}  // namespace detail

template <>
struct LutDequantize<avx512bw> : detail::SimdLutDequantize<avx512bw> {};
template <class Precision>
struct DequantizeMatmul<avx512bw, Precision> : detail::SimdDequantizeMatmul<avx512bw, Precision> {};

}  // namespace basin::kernels

#endif
