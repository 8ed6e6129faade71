#pragma once

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/avx512bw_octets.hpp>
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

/// Products with AVX-512 VNNI. As assembly: g++ 12 copies the sums of its intrinsics from register to register.
namespace basin::kernels {
namespace detail {
template <>
struct Octets<avx512vnni> : Octets<avx512bw> {};
template <>
struct Octets<avx512vbmi> : Octets<avx512vnni> {};

template <>
struct TileProduct<avx512vnni, exact> : TileProduct<avx512bw, exact> {};

template <>
struct TileProduct<avx512vnni, int16> : TileProduct<avx512bw, int16> {
  static BASIN_ALWAYS_INLINE void multiply_add(Sum& sum, __m512i weights, __m512i inputs) noexcept {
    __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(weights), "v"(inputs));
  }
};

/// Unsigned bytes of weights, 128 too large, meet signed bytes of inputs. Rows 2 i and 2 i + 1 are neighbours in
/// weight vector i % 2 of a pair, where adding across lanes leaves the rows in order.
template <>
struct TileProduct<avx512vnni, int8> {
  using Value = std::int16_t;
  using Input = std::int8_t;
  using Sum = __m512i;
  static constexpr int offset = 128 + 32768, correction = 128;
  static constexpr int rows = 32, sub_rows = 32, max_vectors = 6;

  template <class Words>
  static BASIN_ALWAYS_INLINE void store_rows(std::uint8_t* step, std::ptrdiff_t strip, const Words& words) noexcept {
    std::uint8_t* to = step + strip / 2 * 128 + strip % 2 * 32;
    for_rows<4>([&]<int Pair>() BASIN_LAMBDA_INLINE {
      const __m128i first = _mm_srli_epi16(words.template at<2 * Pair>(), 8), second = _mm_srli_epi16(words.template at<2 * Pair + 1>(), 8);
      _mm_store_si128(reinterpret_cast<__m128i*>(to + Pair % 2 * 64 + Pair / 2 * 16), _mm_packus_epi16(first, second));
    });
  }
  static BASIN_ALWAYS_INLINE __m512i load(const std::uint8_t* at) noexcept { return _mm512_load_si512(at); }
  static BASIN_ALWAYS_INLINE __m512i repeat(const std::int8_t* at) noexcept {
    return _mm512_broadcastq_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)));
  }
  static BASIN_ALWAYS_INLINE void multiply_add(Sum& sum, __m512i weights, __m512i inputs) noexcept {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(weights), "v"(inputs));
  }
  static BASIN_ALWAYS_INLINE Sum start(std::int32_t correction_sum) noexcept {
    return _mm512_maskz_set1_epi32(0x5555, static_cast<std::int32_t>(0u - static_cast<std::uint32_t>(correction_sum)));
  }
  static BASIN_ALWAYS_INLINE void finish(const Sum (&sum)[4], const float* row_scales, float scale, float* c) noexcept {
    for (int i = 0; i < 2; ++i) {
      const __m512 a = _mm512_castsi512_ps(sum[2 * i]), b = _mm512_castsi512_ps(sum[2 * i + 1]);
      const __m512i all = _mm512_add_epi32(_mm512_castps_si512(_mm512_shuffle_ps(a, b, 0x88)), _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0xdd)));
      const __m512 factor = _mm512_mul_ps(_mm512_loadu_ps(row_scales + 16 * i), _mm512_set1_ps(scale));
      _mm512_storeu_ps(c + 16 * i, _mm512_fmadd_ps(_mm512_cvtepi32_ps(all), factor, _mm512_loadu_ps(c + 16 * i)));
    }
  }
};
template <class Precision>
struct TileProduct<avx512vbmi, Precision> : TileProduct<avx512vnni, Precision> {};
}  // namespace detail

template <>
struct LutDequantize<avx512vnni> : detail::SimdLutDequantize<avx512vnni> {};
template <>
struct LutDequantize<avx512vbmi> : detail::SimdLutDequantize<avx512vbmi> {};
template <class Precision>
struct DequantizeMatmul<avx512vnni, Precision> : detail::SimdDequantizeMatmul<avx512vnni, Precision> {};
template <class Precision>
struct DequantizeMatmul<avx512vbmi, Precision> : detail::SimdDequantizeMatmul<avx512vbmi, Precision> {};

}  // namespace basin::kernels

#endif
