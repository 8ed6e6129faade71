#pragma once

#if defined(__aarch64__) && defined(__ARM_NEON)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/neon64_levels.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/kv4_simd.hpp>
#include <basin/kernels/detail/simd.hpp>
#include <basin/kernels/kv4.hpp>

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

/// Caches of 4 bits on AArch64.
namespace basin::kernels {
namespace detail {
template <>
struct Kv4Simd<neon64> : LevelSimd<neon64> {
  struct Range {
    float32x4_t low, high;
  };
  /// 32 codes in order, a byte each.
  struct Halves {
    uint8x16_t v[2];
  };

  static BASIN_ALWAYS_INLINE Range empty_range() noexcept { return {vdupq_n_f32(0), vdupq_n_f32(0)}; }
  static BASIN_ALWAYS_INLINE Range add_range(const float* x, Range range) noexcept {
    unroll<4>([&](int i) BASIN_LAMBDA_INLINE {
      const float32x4_t four = vld1q_f32(x + 4 * i);
      range.low = vminq_f32(range.low, four);
      range.high = vmaxq_f32(range.high, four);
    });
    return range;
  }
  static BASIN_ALWAYS_INLINE float low(const Range& range) noexcept { return vminvq_f32(range.low); }
  static BASIN_ALWAYS_INLINE float high(const Range& range) noexcept { return vmaxvq_f32(range.high); }

  static BASIN_ALWAYS_INLINE Halves unpack(const std::uint8_t* codes) noexcept {
    const uint8x16_t bytes = vld1q_u8(codes), low = vandq_u8(bytes, vdupq_n_u8(15)), high = vshrq_n_u8(bytes, 4);
    return {{vzip1q_u8(low, high), vzip2q_u8(low, high)}};
  }
  static BASIN_ALWAYS_INLINE std::int32_t dot(const std::uint8_t* codes, const std::int8_t* q, std::ptrdiff_t count) noexcept {
    LevelSimd<neon64>::Dot sum = zero_dot();
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      const Halves halves = unpack(codes + 16 * i);
      unroll<2>([&](int k) BASIN_LAMBDA_INLINE { LevelSimd<neon64>::dot(sum, halves.v[k], vld1q_s8(q + 32 * i + 16 * k)); });
    }
    return vaddvq_s32(vaddq_s32(sum.low, sum.high));
  }
  static BASIN_ALWAYS_INLINE void decode(const std::uint8_t* codes, std::uint8_t zero, float scale, float* out) noexcept {
    const Halves halves = unpack(codes);
    unroll<8>([&](int k) BASIN_LAMBDA_INLINE { vst1q_f32(out + 4 * k, vmulq_n_f32(four(halves, zero, k), scale)); });
  }
  static BASIN_ALWAYS_INLINE void mix(const std::uint8_t* codes, std::ptrdiff_t stride, const float* scales, const std::uint8_t* zeros,
                                      std::ptrdiff_t group_stride, const float* weights, std::ptrdiff_t rows, float* out) noexcept {
    float32x4_t sum[8];
    unroll<8>([&](int k) BASIN_LAMBDA_INLINE { sum[k] = vdupq_n_f32(0); });
    for (std::ptrdiff_t row = 0; row < rows; ++row) {
      const Halves halves = unpack(codes + row * stride);
      const float factor = weights[row] * scales[row * group_stride];
      unroll<8>([&](int k) BASIN_LAMBDA_INLINE { sum[k] = vfmaq_n_f32(sum[k], four(halves, zeros[row * group_stride], k), factor); });
    }
    unroll<8>([&](int k) BASIN_LAMBDA_INLINE { vst1q_f32(out + 4 * k, sum[k]); });
  }

 private:
  /// Values 4 k to 4 k + 3.
  static BASIN_ALWAYS_INLINE float32x4_t four(const Halves& halves, std::uint8_t zero, int k) noexcept {
    const int8x16_t values = vreinterpretq_s8_u8(vsubq_u8(halves.v[k / 4], vdupq_n_u8(zero)));
    const int16x8_t words = k % 4 < 2 ? vmovl_s8(vget_low_s8(values)) : vmovl_high_s8(values);
    return vcvtq_f32_s32(k % 2 == 0 ? vmovl_s16(vget_low_s16(words)) : vmovl_high_s16(words));
  }
};
}  // namespace detail

template <>
struct Kv4<neon64> : detail::SimdKv4<neon64> {};

}  // namespace basin::kernels

#endif
