#pragma once

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#include <basin/core/config.hpp>
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

/// Decoding and products of tiles with AVX2: an octet of floats is one vector.
namespace basin::kernels {
namespace detail {
template <>
struct Octets<avx2> {
  static BASIN_ALWAYS_INLINE __m256 load(const float* at) noexcept { return _mm256_loadu_ps(at); }
  static BASIN_ALWAYS_INLINE __m128i load(const std::int16_t* at) noexcept { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
  static BASIN_ALWAYS_INLINE __m256 load_halves(const float* low, const float* high) noexcept {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
  }
  static BASIN_ALWAYS_INLINE __m128i load_halves(const std::int16_t* low, const std::int16_t* high) noexcept {
    return _mm_unpacklo_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(low)), _mm_loadl_epi64(reinterpret_cast<const __m128i*>(high)));
  }
  template <class Value>
  using Of = decltype(load(static_cast<const Value*>(nullptr)));

  static BASIN_ALWAYS_INLINE __m256 broadcast(float value) noexcept { return _mm256_set1_ps(value); }
  static BASIN_ALWAYS_INLINE __m256 add(__m256 a, __m256 b) noexcept { return _mm256_add_ps(a, b); }
  static BASIN_ALWAYS_INLINE __m128i add(__m128i a, __m128i b) noexcept { return _mm_add_epi16(a, b); }
  static BASIN_ALWAYS_INLINE __m256 multiply(__m256 a, __m256 b) noexcept { return _mm256_mul_ps(a, b); }
  static BASIN_ALWAYS_INLINE __m256 load_half(const std::uint16_t* at) noexcept {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
  }
  static BASIN_ALWAYS_INLINE float half_to_float(std::uint16_t bits) noexcept { return _cvtsh_ss(bits); }

  static BASIN_ALWAYS_INLINE void store(float* at, __m256 value) noexcept { _mm256_storeu_ps(at, value); }
  static BASIN_ALWAYS_INLINE void store(half* at, __m256 value) noexcept {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
  }
  static BASIN_ALWAYS_INLINE void store(bfloat16* at, __m256 value) noexcept {
    const __m256i bits = _mm256_castps_si256(value), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i nearest = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));  // a NaN stays one
    const __m256 nan = _mm256_cmp_ps(value, value, _CMP_UNORD_Q);
    const __m256i top = _mm256_srli_epi32(_mm256_blendv_epi8(nearest, quiet, _mm256_castps_si256(nan)), 16);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm_packus_epi32(_mm256_castsi256_si128(top), _mm256_extracti128_si256(top, 1)));
  }
  static BASIN_ALWAYS_INLINE void store(std::int16_t* at, __m128i words) noexcept { _mm_storeu_si128(reinterpret_cast<__m128i*>(at), words); }

  static BASIN_ALWAYS_INLINE void round(const float* x, float inverse, std::int16_t* out) noexcept { store(out, rounded(x, inverse)); }
  static BASIN_ALWAYS_INLINE void round(const float* x, float inverse, std::int8_t* out) noexcept {
    const __m128i words = rounded(x, inverse);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packs_epi16(words, words));
  }

 private:
  static BASIN_ALWAYS_INLINE __m128i rounded(const float* x, float inverse) noexcept {
    const __m256i values = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), _mm256_set1_ps(inverse)));
    return _mm_packs_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
  }
};

/// Row 4 i + w of a sub-tile is part i of weight vector w, so that adding across lanes leaves the rows in order.
template <>
struct TileProduct<avx2, exact> {
  using Value = float;
  using Input = float;
  using Sum = __m256;
  static constexpr int rows = 8, sub_rows = 4, max_vectors = 3;

  template <class Floats>
  static BASIN_ALWAYS_INLINE void store_rows(std::uint8_t* step, std::ptrdiff_t, const Floats& octets) noexcept {
    for_rows<8>([&]<int R>() BASIN_LAMBDA_INLINE { _mm256_store_ps(reinterpret_cast<float*>(step) + 8 * R, octets.template at<R>()); });
  }
  static BASIN_ALWAYS_INLINE __m256 load(const std::uint8_t* at) noexcept { return _mm256_load_ps(reinterpret_cast<const float*>(at)); }
  static BASIN_ALWAYS_INLINE __m256 repeat(const float* at) noexcept {
    __m256 inputs = _mm256_load_ps(at);
    __asm__("" : "+x"(inputs));  // one load for four rows, where g++ would fold four
    return inputs;
  }
  static BASIN_ALWAYS_INLINE void multiply_add(Sum& sum, __m256 weights, __m256 inputs) noexcept { sum = _mm256_fmadd_ps(weights, inputs, sum); }
  static BASIN_ALWAYS_INLINE Sum start(std::int32_t) noexcept { return _mm256_setzero_ps(); }
  static BASIN_ALWAYS_INLINE void finish(const Sum (&sum)[4], const float*, float, float* c) noexcept {
    const __m256 all = _mm256_hadd_ps(_mm256_hadd_ps(sum[0], sum[1]), _mm256_hadd_ps(sum[2], sum[3]));
    _mm_store_ps(c, _mm_add_ps(_mm_load_ps(c), _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1))));
  }
};

template <class Precision>
struct WordProductAvx2 {
  using Value = std::int16_t;
  using Input = std::int16_t;
  using Sum = __m256i;
  static constexpr int shift = MatmulLevels<Precision>::shift, offset = 1 << (shift - 1), correction = 0;
  static constexpr int rows = 16, sub_rows = 8, max_vectors = 2;

  template <class Words>
  static BASIN_ALWAYS_INLINE void store_rows(std::uint8_t* step, std::ptrdiff_t strip, const Words& words) noexcept {
    for_rows<8>([&]<int R>() BASIN_LAMBDA_INLINE {
      auto* to = reinterpret_cast<__m128i*>(step + strip * 128 + R % 4 * 32 + R / 4 * 16);
      _mm_store_si128(to, _mm_srai_epi16(words.template at<R>(), shift));
    });
  }
  static BASIN_ALWAYS_INLINE __m256i load(const std::uint8_t* at) noexcept { return _mm256_load_si256(reinterpret_cast<const __m256i*>(at)); }
  static BASIN_ALWAYS_INLINE __m256i repeat(const std::int16_t* at) noexcept {
    return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(at)));
  }
  static BASIN_ALWAYS_INLINE void multiply_add(Sum& sum, __m256i weights, __m256i inputs) noexcept {
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(weights, inputs));
  }
  static BASIN_ALWAYS_INLINE Sum start(std::int32_t) noexcept { return _mm256_setzero_si256(); }
  static BASIN_ALWAYS_INLINE void finish(const Sum (&sum)[4], const float* row_scales, float scale, float* c) noexcept {
    const __m256i all = _mm256_hadd_epi32(_mm256_hadd_epi32(sum[0], sum[1]), _mm256_hadd_epi32(sum[2], sum[3]));
    const __m256 factor = _mm256_mul_ps(_mm256_loadu_ps(row_scales), _mm256_set1_ps(scale));
    _mm256_store_ps(c, _mm256_fmadd_ps(_mm256_cvtepi32_ps(all), factor, _mm256_load_ps(c)));
  }
};
template <>
struct TileProduct<avx2, int16> : WordProductAvx2<int16> {};
/// Sums of two products of bytes would overflow 16 bits, so bytes are words here.
template <>
struct TileProduct<avx2, int8> : WordProductAvx2<int8> {};
}  // namespace detail

template <>
struct LutDequantize<avx2> : detail::SimdLutDequantize<avx2> {};
template <class Precision>
struct DequantizeMatmul<avx2, Precision> : detail::SimdDequantizeMatmul<avx2, Precision> {};

}  // namespace basin::kernels

#endif
