#pragma once

#if defined(__AVXVNNI__) && defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/avx2.hpp>
#include <basin/kernels/arch/avx2vnni_levels.hpp>
#include <basin/kernels/arch/avx2vnni_octets.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/lut_matvec_simd.hpp>
#include <basin/kernels/lut_matvec.hpp>

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

/// AVX2 with dot products of bytes.
namespace basin::kernels {
namespace detail {
template <>
struct Simd<avx2vnni> : Simd<avx2> {
  /// The four entries of a row side by side: one instruction scales, widens and adds them. Rows as in Simd<avx2>.
  static BASIN_ALWAYS_INLINE void accumulate(Sums& sums, const Bytes (&entry)[4], const std::int32_t* multipliers,
                                             std::ptrdiff_t q) noexcept {
    std::int32_t four;
    __builtin_memcpy(&four, reinterpret_cast<const std::uint8_t*>(multipliers) + q, sizeof four);
    add_products(sums, _mm256_set1_epi32(four), entry[0], entry[1], entry[2], entry[3]);
  }
  static BASIN_ALWAYS_INLINE void accumulate(Sums& sums, const Bytes (&entry)[1], const std::int32_t* multipliers,
                                             std::ptrdiff_t q) noexcept {
    const __m256i zero = _mm256_setzero_si256();
    add_products(sums, _mm256_set1_epi8(reinterpret_cast<const char*>(multipliers)[q]), entry[0], zero, zero, zero);
  }

 private:
  static BASIN_ALWAYS_INLINE void add_products(Sums& sums, __m256i k, Bytes a, Bytes b, Bytes c, Bytes d) noexcept {
    const __m256i ab[2] = {_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b)};
    const __m256i cd[2] = {_mm256_unpacklo_epi8(c, d), _mm256_unpackhi_epi8(c, d)};
    for (int i = 0; i < 2; ++i) {
      sums.v[2 * i] = _mm256_dpbusd_avx_epi32(sums.v[2 * i], k, _mm256_unpacklo_epi16(ab[i], cd[i]));
      sums.v[2 * i + 1] = _mm256_dpbusd_avx_epi32(sums.v[2 * i + 1], k, _mm256_unpackhi_epi16(ab[i], cd[i]));
    }
  }
};
}  // namespace detail

template <class Precision>
struct LutMatvec<avx2vnni, Precision> : detail::SimdLutMatvec<avx2vnni, Precision> {};

}  // namespace basin::kernels

#endif
