#pragma once

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/avx512bw.hpp>
#include <basin/kernels/arch/avx512vnni_levels.hpp>
#include <basin/kernels/arch/avx512vnni_octets.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/lut_matvec_simd.hpp>
#include <basin/kernels/lut_matvec.hpp>

#include <immintrin.h>

#include <cstdint>

/// AVX-512 with dot products of bytes.
namespace basin::kernels {
namespace detail {
template <>
struct Simd<avx512vnni> : Simd<avx512bw> {
  static constexpr int codes_at_once = 4;

  static BASIN_ALWAYS_INLINE void set_multiplier(std::int32_t* multipliers, std::ptrdiff_t q, std::int32_t k) noexcept {
    reinterpret_cast<std::uint8_t*>(multipliers)[q] = static_cast<std::uint8_t>(k);
  }
  /// The four entries of a row side by side: one instruction scales, widens and adds them. Quarter i of sum v holds
  /// rows 16 i + 4 v ..
  static BASIN_ALWAYS_INLINE void accumulate(Sums& sums, const Bytes (&entry)[4], const std::int32_t* multipliers,
                                             std::ptrdiff_t q) noexcept {
    std::int32_t four;
    __builtin_memcpy(&four, reinterpret_cast<const std::uint8_t*>(multipliers) + q, sizeof four);
    add_products(sums, _mm512_set1_epi32(four), entry[0], entry[1], entry[2], entry[3]);
  }
  static BASIN_ALWAYS_INLINE void accumulate(Sums& sums, const Bytes (&entry)[1], const std::int32_t* multipliers,
                                             std::ptrdiff_t q) noexcept {
    const __m512i zero = _mm512_setzero_si512();
    add_products(sums, _mm512_set1_epi8(reinterpret_cast<const char*>(multipliers)[q]), entry[0], zero, zero, zero);
  }
  static BASIN_ALWAYS_INLINE void interleave(const Floats (&in)[4], float* out) noexcept { gather_quarters(in, out); }

 private:
  static BASIN_ALWAYS_INLINE void add_products(Sums& sums, __m512i k, Bytes a, Bytes b, Bytes c, Bytes d) noexcept {
    const __m512i ab[2] = {_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b)};
    const __m512i cd[2] = {_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d)};
    for (int i = 0; i < 2; ++i) {
      sums.v[2 * i] = _mm512_dpbusd_epi32(sums.v[2 * i], _mm512_unpacklo_epi16(ab[i], cd[i]), k);
      sums.v[2 * i + 1] = _mm512_dpbusd_epi32(sums.v[2 * i + 1], _mm512_unpackhi_epi16(ab[i], cd[i]), k);
    }
  }
};
}  // namespace detail

template <class Precision>
struct LutMatvec<avx512vnni, Precision> : detail::SimdLutMatvec<avx512vnni, Precision> {};

}  // namespace basin::kernels

#endif
