#pragma once

#if defined(__aarch64__) && defined(__ARM_NEON)

#include <basin/core/config.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/level_matmul_simd.hpp>
#include <basin/kernels/detail/level_matvec_simd.hpp>
#include <basin/kernels/detail/level_simd.hpp>
#include <basin/kernels/detail/simd.hpp>
#include <basin/kernels/level_matmul.hpp>
#include <basin/kernels/level_matvec.hpp>
#include <basin/kernels/quantize_activations.hpp>

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

/// Levels with NEON: products of bytes in 16 bits, added in pairs.
namespace basin::kernels {
namespace detail {
template <>
struct LevelSimd<neon64> {
  static constexpr int lanes = 4, chains = 1, matmul_vectors = 2, matmul_tokens = 4;
  static constexpr std::ptrdiff_t words_per_sum = 16384;
  static constexpr bool uses_codes = false;
  using Magnitudes = uint32x4_t;
  using Bytes = uint8x16_t;
  using Words = int8x16_t;
  template <bool>
  struct Tables {
    uint8x16_t low, high;
  };
  struct Fields {
    uint8x16_t v[4];
  };
  struct Dot {
    int32x4_t low, high;  ///< rows 0 and 1, rows 2 and 3: two parts each
  };
  struct Sums {
    Dot v[4];
  };

  static BASIN_ALWAYS_INLINE Magnitudes magnitudes(const float* x) noexcept {
    const auto four = [&](int i) BASIN_LAMBDA_INLINE { return vreinterpretq_u32_f32(vabsq_f32(vld1q_f32(x + 4 * i))); };
    return vmaxq_u32(vmaxq_u32(four(0), four(1)), vmaxq_u32(four(2), four(3)));
  }
  static BASIN_ALWAYS_INLINE Magnitudes larger(Magnitudes a, Magnitudes b) noexcept { return vmaxq_u32(a, b); }
  static BASIN_ALWAYS_INLINE float largest(Magnitudes value) noexcept {
    const std::uint32_t bits = vmaxvq_u32(value);
    float magnitude;
    __builtin_memcpy(&magnitude, &bits, sizeof magnitude);
    return magnitude;
  }
  static BASIN_ALWAYS_INLINE void quantize(const float* x, float step, float low, float high, std::int8_t* out) noexcept {
    const auto four = [&](int i) BASIN_LAMBDA_INLINE {
      const float32x4_t quotient = vdivq_f32(vld1q_f32(x + 4 * i), vdupq_n_f32(step));
      return vmovn_s32(vcvtnq_s32_f32(vminq_f32(vmaxq_f32(quotient, vdupq_n_f32(low)), vdupq_n_f32(high))));
    };
    const int8x8_t first = vmovn_s16(vcombine_s16(four(0), four(1))), second = vmovn_s16(vcombine_s16(four(2), four(3)));
    vst1q_s8(out, vcombine_s8(first, second));
  }
  /// Of `count` times sixteen values.
  static BASIN_ALWAYS_INLINE std::int32_t sum(const std::int8_t* values, std::ptrdiff_t count) noexcept {
    int32x4_t sums = vdupq_n_s32(0);
    for (std::ptrdiff_t i = 0; i < count; ++i) sums = vpadalq_s16(sums, vpaddlq_s8(vld1q_s8(values + 16 * i)));
    return vaddvq_s32(sums);
  }
  static BASIN_ALWAYS_INLINE void unpack_int4(const std::uint8_t* packed, std::int8_t* out) noexcept {
    const uint8x8_t bytes = vld1_u8(packed), low = vand_u8(bytes, vdup_n_u8(15)), high = vshr_n_u8(bytes, 4);
    const uint8x16_t halves = vcombine_u8(vzip1_u8(low, high), vzip2_u8(low, high));
    vst1q_s8(out, vreinterpretq_s8_u8(vsubq_u8(veorq_u8(halves, vdupq_n_u8(8)), vdupq_n_u8(8))));
  }

  template <bool Codes>
  static BASIN_ALWAYS_INLINE Tables<Codes> make_tables(const std::int8_t* levels) noexcept {
    std::uint8_t low[16], high[16];
    for (int i = 0; i < 16; ++i) {
      low[i] = static_cast<std::uint8_t>(levels[i & 3] - levels[0]);
      high[i] = static_cast<std::uint8_t>(levels[i >> 2] - levels[0]);
    }
    return {vld1q_u8(low), vld1q_u8(high)};
  }
  static BASIN_ALWAYS_INLINE Bytes load(const std::uint8_t* at) noexcept { return vld1q_u8(at); }
  static BASIN_ALWAYS_INLINE Words load_words(const std::int8_t* at) noexcept {
    std::int32_t four;
    __builtin_memcpy(&four, at, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
  }
  static BASIN_ALWAYS_INLINE Fields fields(Bytes codes, const Tables<false>& tables) noexcept {
    const uint8x16_t low = vandq_u8(codes, vdupq_n_u8(15)), high = vshrq_n_u8(codes, 4);
    return {{vqtbl1q_u8(tables.low, low), vqtbl1q_u8(tables.high, low), vqtbl1q_u8(tables.low, high), vqtbl1q_u8(tables.high, high)}};
  }
  static BASIN_ALWAYS_INLINE Sums zero_sums() noexcept { return {{zero_dot(), zero_dot(), zero_dot(), zero_dot()}}; }
  static BASIN_ALWAYS_INLINE void multiply_add(Sums& sums, const Fields& fields, Words inputs) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { dot(sums.v[k], fields.v[k], inputs); });
  }
  template <bool>
  static BASIN_ALWAYS_INLINE void add_sums(const Sums& sums, std::int32_t* to) noexcept {
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { add_dot(sums.v[k], to + 16 * k); });
  }
  static BASIN_ALWAYS_INLINE void decode(Bytes codes, const Tables<false>& tables, std::uint8_t* out) noexcept {
    const Fields bytes = fields(codes, tables);
    unroll<4>([&](int k) BASIN_LAMBDA_INLINE { vst1q_u8(out + 64 * k, bytes.v[k]); });
  }
  static BASIN_ALWAYS_INLINE Dot zero_dot() noexcept { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
  static BASIN_ALWAYS_INLINE void dot(Dot& sum, Bytes weights, Words inputs) noexcept {
    const int8x16_t levels = vreinterpretq_s8_u8(weights);
    sum.low = vpadalq_s16(sum.low, vmull_s8(vget_low_s8(levels), vget_low_s8(inputs)));
    sum.high = vpadalq_s16(sum.high, vmull_high_s8(levels, inputs));
  }
  static BASIN_ALWAYS_INLINE void add_dot(const Dot& sum, std::int32_t* to) noexcept { add_to(vpaddq_s32(sum.low, sum.high), to); }

  static BASIN_ALWAYS_INLINE void to_totals(const std::int32_t* sums, std::int32_t factor, std::int32_t correction, float step,
                                            float* totals) noexcept {
    for (int i = 0; i < 16; i += 4) {
      const int32x4_t sum = vmlaq_n_s32(vdupq_n_s32(correction), vld1q_s32(sums + i), factor);
      vst1q_f32(totals + i, vfmaq_n_f32(vld1q_f32(totals + i), vcvtq_f32_s32(sum), step));
    }
  }

 protected:
  static BASIN_ALWAYS_INLINE void add_to(int32x4_t sum, std::int32_t* to) noexcept { vst1q_s32(to, vaddq_s32(vld1q_s32(to), sum)); }
};
}  // namespace detail

template <>
struct QuantizeActivations<neon64> : detail::SimdQuantizeActivations<neon64> {};
template <>
struct LevelMatvec<neon64> : detail::SimdLevelMatvec<neon64> {};
template <>
struct LevelMatmul<neon64> : detail::SimdLevelMatmul<neon64> {};

}  // namespace basin::kernels

#endif
