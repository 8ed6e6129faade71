#pragma once

#if defined(__AVXVNNI__) && defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#include <basin/core/config.hpp>
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
}  // namespace detail

template <>
struct QuantizeActivations<avx2vnni> : detail::SimdQuantizeActivations<avx2vnni> {};
template <>
struct LevelMatvec<avx2vnni> : detail::SimdLevelMatvec<avx2vnni> {};
template <>
struct LevelMatmul<avx2vnni> : detail::SimdLevelMatmul<avx2vnni> {};

}  // namespace basin::kernels

#endif
