#pragma once

#if defined(__AVXVNNI__) && defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/avx2_kv4.hpp>
#include <basin/kernels/arch/avx2_levels.hpp>
#include <basin/kernels/concepts.hpp>

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

/// Levels with AVX-VNNI.
namespace basin::kernels {
namespace detail {
template <>
struct LevelSimd<avx2vnni> : LevelSimd<avx2> {
  static constexpr int chains = 2;
  static constexpr std::ptrdiff_t words_per_sum = 16384;

  static BASIN_ALWAYS_INLINE void multiply_add(Sums& sums, const Fields& fields, Words inputs) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { dot(sums.v[k], fields.v[k], inputs); });
  }
  static BASIN_ALWAYS_INLINE void add(Sums& sums, const Sums& more) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { sums.v[k] = _mm256_add_epi32(sums.v[k], more.v[k]); });
  }
  template <bool>
  static BASIN_ALWAYS_INLINE void add_sums(const Sums& sums, std::int32_t* to) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { add_dot(sums.v[k], to + 16 * k); });
  }
  static BASIN_ALWAYS_INLINE void dot(Dot& sum, Bytes weights, Words inputs) noexcept {
    sum = _mm256_dpbusd_avx_epi32(sum, weights, inputs);
  }
  static BASIN_ALWAYS_INLINE void add_dot(Dot sum, std::int32_t* to) noexcept { add_to(sum, to); }
};
template <>
struct Kv4Simd<avx2vnni> : Kv4Simd<avx2> {
  static BASIN_ALWAYS_INLINE std::int32_t dot(const std::uint8_t* codes, const std::int8_t* q, std::ptrdiff_t count) noexcept {
    __m256i sum = _mm256_setzero_si256();
    for (std::ptrdiff_t i = 0; i < count; ++i)
      sum = _mm256_dpbusd_avx_epi32(sum, unpack(codes + 16 * i), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + 32 * i)));
    return sum_lanes(sum);
  }
};
}  // namespace detail

template <>
struct QuantizeActivations<avx2vnni> : detail::SimdQuantizeActivations<avx2vnni> {};
template <>
struct LevelMatvec<avx2vnni> : detail::SimdLevelMatvec<avx2vnni> {};
template <>
struct LevelMatmul<avx2vnni> : detail::SimdLevelMatmul<avx2vnni> {};
template <>
struct Kv4<avx2vnni> : detail::SimdKv4<avx2vnni> {};

}  // namespace basin::kernels

#endif
