#pragma once

#if defined(__aarch64__) && defined(__ARM_NEON)

#include <basin/core/config.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/dequantize_simd.hpp>
#include <basin/kernels/detail/matmul_blocks.hpp>
#include <basin/kernels/detail/matmul_simd.hpp>
#include <basin/kernels/detail/octets.hpp>
#include <basin/kernels/dequantize_matmul.hpp>
#include <basin/kernels/lut_dequantize.hpp>

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

/// Decoding and products of tiles with Advanced SIMD: an octet of floats is two vectors.
namespace basin::kernels {
namespace detail {
template <>
struct Octets<neon64> {
  static BASIN_ALWAYS_INLINE float32x4x2_t load(const float* at) noexcept { return {{vld1q_f32(at), vld1q_f32(at + 4)}}; }
  static BASIN_ALWAYS_INLINE int16x8_t load(const std::int16_t* at) noexcept { return vld1q_s16(at); }
  static BASIN_ALWAYS_INLINE float32x4x2_t load_halves(const float* low, const float* high) noexcept {
    return {{vld1q_f32(low), vld1q_f32(high)}};
  }
  static BASIN_ALWAYS_INLINE int16x8_t load_halves(const std::int16_t* low, const std::int16_t* high) noexcept {
    return vcombine_s16(vld1_s16(low), vld1_s16(high));
  }
  template <class Value>
  using Of = decltype(load(static_cast<const Value*>(nullptr)));

  static BASIN_ALWAYS_INLINE float32x4x2_t broadcast(float value) noexcept { return {{vdupq_n_f32(value), vdupq_n_f32(value)}}; }
  static BASIN_ALWAYS_INLINE float32x4x2_t add(float32x4x2_t a, float32x4x2_t b) noexcept {
    return {{vaddq_f32(a.val[0], b.val[0]), vaddq_f32(a.val[1], b.val[1])}};
  }
  static BASIN_ALWAYS_INLINE int16x8_t add(int16x8_t a, int16x8_t b) noexcept { return vaddq_s16(a, b); }
  static BASIN_ALWAYS_INLINE float32x4x2_t multiply(float32x4x2_t a, float32x4x2_t b) noexcept {
    return {{vmulq_f32(a.val[0], b.val[0]), vmulq_f32(a.val[1], b.val[1])}};
  }
  static BASIN_ALWAYS_INLINE float32x4x2_t load_half(const std::uint16_t* at) noexcept {
    return {{vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(at))), vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(at + 4)))}};
  }
  static BASIN_ALWAYS_INLINE float half_to_float(std::uint16_t bits) noexcept {
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(bits))), 0);
  }

  static BASIN_ALWAYS_INLINE void store(float* at, float32x4x2_t value) noexcept {
    vst1q_f32(at, value.val[0]);
    vst1q_f32(at + 4, value.val[1]);
  }
  static BASIN_ALWAYS_INLINE void store(half* at, float32x4x2_t value) noexcept {
    for (int i = 0; i < 2; ++i) vst1_u16(reinterpret_cast<std::uint16_t*>(at) + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(value.val[i])));
  }
  static BASIN_ALWAYS_INLINE void store(bfloat16* at, float32x4x2_t value) noexcept {
    for (int i = 0; i < 2; ++i) {
      const uint32x4_t bits = vreinterpretq_u32_f32(value.val[i]), odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
      const uint32x4_t nearest = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
      const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));  // a NaN stays one
      const uint32x4_t number = vceqq_f32(value.val[i], value.val[i]);
      vst1_u16(reinterpret_cast<std::uint16_t*>(at) + 4 * i, vshrn_n_u32(vbslq_u32(number, nearest, quiet), 16));
    }
  }
  static BASIN_ALWAYS_INLINE void store(std::int16_t* at, int16x8_t words) noexcept { vst1q_s16(at, words); }

  static BASIN_ALWAYS_INLINE void round(const float* x, float inverse, std::int16_t* out) noexcept { vst1q_s16(out, rounded(x, inverse)); }
  static BASIN_ALWAYS_INLINE void round(const float* x, float inverse, std::int8_t* out) noexcept {
    vst1_s8(out, vqmovn_s16(rounded(x, inverse)));
  }

 private:
  static BASIN_ALWAYS_INLINE int16x8_t rounded(const float* x, float inverse) noexcept {
    const int32x4_t low = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x), inverse)), high = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4), inverse));
    return vcombine_s16(vqmovn_s32(low), vqmovn_s32(high));
  }
};
template <>
struct Octets<neon64dot> : Octets<neon64> {};

/// A weight vector is one row's octet.
template <>
struct TileProduct<neon64, exact> {
  using Value = float;
  using Input = float;
  using Sum = float32x4x2_t;
  static constexpr int rows = 8, sub_rows = 4, max_vectors = 2;

  template <class Floats>
  static BASIN_ALWAYS_INLINE void store_rows(std::uint8_t* step, std::ptrdiff_t, const Floats& octets) noexcept {
    for_rows<8>([&]<int R>() BASIN_LAMBDA_INLINE { Octets<neon64>::store(reinterpret_cast<float*>(step) + 8 * R, octets.template at<R>()); });
  }
  static BASIN_ALWAYS_INLINE float32x4x2_t load(const std::uint8_t* at) noexcept { return Octets<neon64>::load(reinterpret_cast<const float*>(at)); }
  static BASIN_ALWAYS_INLINE float32x4x2_t repeat(const float* at) noexcept { return Octets<neon64>::load(at); }
  static BASIN_ALWAYS_INLINE void multiply_add(Sum& sum, float32x4x2_t weights, float32x4x2_t inputs) noexcept {
    for (int i = 0; i < 2; ++i) sum.val[i] = vfmaq_f32(sum.val[i], weights.val[i], inputs.val[i]);
  }
  static BASIN_ALWAYS_INLINE Sum start(std::int32_t) noexcept { return {{vdupq_n_f32(0), vdupq_n_f32(0)}}; }
  static BASIN_ALWAYS_INLINE void finish(const Sum (&sum)[4], const float*, float, float* c) noexcept {
    float32x4_t row[4];
    for (int w = 0; w < 4; ++w) row[w] = vaddq_f32(sum[w].val[0], sum[w].val[1]);
    const float32x4_t all = vpaddq_f32(vpaddq_f32(row[0], row[1]), vpaddq_f32(row[2], row[3]));
    vst1q_f32(c, vaddq_f32(vld1q_f32(c), all));
  }
};

template <class Precision>
struct WordProductNeon {
  using Value = std::int16_t;
  using Input = std::int16_t;
  using Sum = int32x4_t;
  static constexpr int shift = MatmulLevels<Precision>::shift, offset = 1 << (shift - 1), correction = 0;
  static constexpr int rows = 16, sub_rows = 4, max_vectors = 4;

  template <class Words>
  static BASIN_ALWAYS_INLINE void store_rows(std::uint8_t* step, std::ptrdiff_t strip, const Words& words) noexcept {
    for_rows<8>([&]<int R>() BASIN_LAMBDA_INLINE {
      vst1q_s16(reinterpret_cast<std::int16_t*>(step + strip * 128) + 8 * R, vshrq_n_s16(words.template at<R>(), shift));
    });
  }
  static BASIN_ALWAYS_INLINE int16x8_t load(const std::uint8_t* at) noexcept { return vld1q_s16(reinterpret_cast<const std::int16_t*>(at)); }
  static BASIN_ALWAYS_INLINE int16x8_t repeat(const std::int16_t* at) noexcept { return vld1q_s16(at); }
  static BASIN_ALWAYS_INLINE void multiply_add(Sum& sum, int16x8_t weights, int16x8_t inputs) noexcept {
    sum = vmlal_high_s16(vmlal_s16(sum, vget_low_s16(weights), vget_low_s16(inputs)), weights, inputs);
  }
  static BASIN_ALWAYS_INLINE Sum start(std::int32_t) noexcept { return vdupq_n_s32(0); }
  static BASIN_ALWAYS_INLINE void finish(const Sum (&sum)[4], const float* row_scales, float scale, float* c) noexcept {
    const int32x4_t all = vpaddq_s32(vpaddq_s32(sum[0], sum[1]), vpaddq_s32(sum[2], sum[3]));
    vst1q_f32(c, vfmaq_f32(vld1q_f32(c), vcvtq_f32_s32(all), vmulq_n_f32(vld1q_f32(row_scales), scale)));
  }
};
template <>
struct TileProduct<neon64, int16> : WordProductNeon<int16> {};
template <>
struct TileProduct<neon64, int8> : WordProductNeon<int8> {};
template <>
struct TileProduct<neon64dot, exact> : TileProduct<neon64, exact> {};
template <>
struct TileProduct<neon64dot, int16> : TileProduct<neon64, int16> {};

#if defined(__ARM_FEATURE_DOTPROD)
/// Signed bytes of two rows in a weight vector.
template <>
struct TileProduct<neon64dot, int8> {
  using Value = std::int16_t;
  using Input = std::int8_t;
  using Sum = int32x4_t;
  static constexpr int offset = 128, correction = 0;
  static constexpr int rows = 32, sub_rows = 8, max_vectors = 4;

  template <class Words>
  static BASIN_ALWAYS_INLINE void store_rows(std::uint8_t* step, std::ptrdiff_t strip, const Words& words) noexcept {
    for_rows<8>([&]<int R>() BASIN_LAMBDA_INLINE {
      vst1_s8(reinterpret_cast<std::int8_t*>(step + strip * 64) + 8 * R, vshrn_n_s16(words.template at<R>(), 8));
    });
  }
  static BASIN_ALWAYS_INLINE int8x16_t load(const std::uint8_t* at) noexcept { return vreinterpretq_s8_u8(vld1q_u8(at)); }
  static BASIN_ALWAYS_INLINE int8x16_t repeat(const std::int8_t* at) noexcept {
    const int8x8_t inputs = vld1_s8(at);
    return vcombine_s8(inputs, inputs);
  }
  static BASIN_ALWAYS_INLINE void multiply_add(Sum& sum, int8x16_t weights, int8x16_t inputs) noexcept { sum = vdotq_s32(sum, weights, inputs); }
  static BASIN_ALWAYS_INLINE Sum start(std::int32_t) noexcept { return vdupq_n_s32(0); }
  static BASIN_ALWAYS_INLINE void finish(const Sum (&sum)[4], const float* row_scales, float scale, float* c) noexcept {
    for (int i = 0; i < 2; ++i) {
      const float32x4_t all = vcvtq_f32_s32(vpaddq_s32(sum[2 * i], sum[2 * i + 1]));
      vst1q_f32(c + 4 * i, vfmaq_f32(vld1q_f32(c + 4 * i), all, vmulq_n_f32(vld1q_f32(row_scales + 4 * i), scale)));
    }
  }
};
#endif
}  // namespace detail

template <>
struct LutDequantize<neon64> : detail::SimdLutDequantize<neon64> {};
template <class Precision>
struct DequantizeMatmul<neon64, Precision> : detail::SimdDequantizeMatmul<neon64, Precision> {};
#if defined(__ARM_FEATURE_DOTPROD)
template <>
struct LutDequantize<neon64dot> : detail::SimdLutDequantize<neon64dot> {};
template <class Precision>
struct DequantizeMatmul<neon64dot, Precision> : detail::SimdDequantizeMatmul<neon64dot, Precision> {};
#endif

}  // namespace basin::kernels

#endif
