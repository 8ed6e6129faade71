#pragma once

#if defined(__aarch64__) && defined(__ARM_NEON) && defined(__ARM_FEATURE_DOTPROD)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/neon64_kv4.hpp>
#include <basin/kernels/arch/neon64_levels.hpp>
#include <basin/kernels/concepts.hpp>

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

/// Levels with the dot products of AArch64.
namespace basin::kernels {
namespace detail {
template <>
struct LevelSimd<neon64dot> : LevelSimd<neon64> {
  static constexpr int chains = 2, matmul_vectors = 4, matmul_tokens = 4;
  using Dot = int32x4_t;
  struct Sums {
    Dot v[4];
  };

  static BASIN_ALWAYS_INLINE Sums zero_sums() noexcept { return {{zero_dot(), zero_dot(), zero_dot(), zero_dot()}}; }
  static BASIN_ALWAYS_INLINE void multiply_add(Sums& sums, const Fields& fields, Words inputs) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { dot(sums.v[k], fields.v[k], inputs); });
  }
  static BASIN_ALWAYS_INLINE void add(Sums& sums, const Sums& more) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { sums.v[k] = vaddq_s32(sums.v[k], more.v[k]); });
  }
  template <bool>
  static BASIN_ALWAYS_INLINE void add_sums(const Sums& sums, std::int32_t* to) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { add_dot(sums.v[k], to + 16 * k); });
  }
  static BASIN_ALWAYS_INLINE Dot zero_dot() noexcept { return vdupq_n_s32(0); }
  static BASIN_ALWAYS_INLINE void dot(Dot& sum, Bytes weights, Words inputs) noexcept {
    sum = vdotq_s32(sum, vreinterpretq_s8_u8(weights), inputs);
  }
  static BASIN_ALWAYS_INLINE void add_dot(Dot sum, std::int32_t* to) noexcept { add_to(sum, to); }
};
template <>
struct Kv4Simd<neon64dot> : Kv4Simd<neon64> {
  static BASIN_ALWAYS_INLINE std::int32_t dot(const std::uint8_t* codes, const std::int8_t* q, std::ptrdiff_t count) noexcept {
    int32x4_t sum = vdupq_n_s32(0);
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      const Halves halves = unpack(codes + 16 * i);
      unroll<2>([&](int k) BASIN_LAMBDA_INLINE { sum = vdotq_s32(sum, vreinterpretq_s8_u8(halves.v[k]), vld1q_s8(q + 32 * i + 16 * k)); });
    }
    return vaddvq_s32(sum);
  }
};
}  // namespace detail

template <>
struct QuantizeActivations<neon64dot> : detail::SimdQuantizeActivations<neon64dot> {};
template <>
struct LevelMatvec<neon64dot> : detail::SimdLevelMatvec<neon64dot> {};
template <>
struct LevelMatmul<neon64dot> : detail::SimdLevelMatmul<neon64dot> {};
template <>
struct Kv4<neon64dot> : detail::SimdKv4<neon64dot> {};

}  // namespace basin::kernels

#endif
