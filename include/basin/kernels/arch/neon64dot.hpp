#pragma once

#if defined(__aarch64__) && defined(__ARM_NEON) && defined(__ARM_FEATURE_DOTPROD)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/neon64.hpp>
#include <basin/kernels/arch/neon64dot_levels.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/lut_matvec_simd.hpp>
#include <basin/kernels/lut_matvec.hpp>

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

/// AArch64 with dot products of bytes.
namespace basin::kernels {
namespace detail {
template <>
struct Simd<neon64dot> : Simd<neon64> {
  /// The four entries of a row side by side: one instruction scales, widens and adds them.
  static BASIN_ALWAYS_INLINE void accumulate(Sums& sums, const Bytes (&entry)[4], const std::int32_t* multipliers,
                                             std::ptrdiff_t q) noexcept {
    std::int32_t four;
    __builtin_memcpy(&four, reinterpret_cast<const std::uint8_t*>(multipliers) + q, sizeof four);
    add_products(sums, vreinterpretq_s8_s32(vdupq_n_s32(four)), entry[0], entry[1], entry[2], entry[3]);
  }
  static BASIN_ALWAYS_INLINE void accumulate(Sums& sums, const Bytes (&entry)[1], const std::int32_t* multipliers,
                                             std::ptrdiff_t q) noexcept {
    const Bytes zero = vdupq_n_u8(0);
    add_products(sums, vdupq_n_s8(reinterpret_cast<const std::int8_t*>(multipliers)[q]), entry[0], zero, zero, zero);
  }

 private:
  static BASIN_ALWAYS_INLINE void add_products(Sums& sums, int8x16_t k, Bytes a, Bytes b, Bytes c, Bytes d) noexcept {
    const uint16x8_t ab[2] = {vreinterpretq_u16_u8(vzip1q_u8(a, b)), vreinterpretq_u16_u8(vzip2q_u8(a, b))};
    const uint16x8_t cd[2] = {vreinterpretq_u16_u8(vzip1q_u8(c, d)), vreinterpretq_u16_u8(vzip2q_u8(c, d))};
    unroll<2>([&](int i) BASIN_LAMBDA_INLINE {
      sums.v[2 * i] = vdotq_s32(sums.v[2 * i], k, vreinterpretq_s8_u16(vzip1q_u16(ab[i], cd[i])));
      sums.v[2 * i + 1] = vdotq_s32(sums.v[2 * i + 1], k, vreinterpretq_s8_u16(vzip2q_u16(ab[i], cd[i])));
    });
  }
};
}  // namespace detail

template <class Precision>
struct LutMatvec<neon64dot, Precision> : detail::SimdLutMatvec<neon64dot, Precision> {};

}  // namespace basin::kernels

#endif
