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
  /// A multiplier in byte v of every four picks the rows 4 i + v: one instruction scales, widens and adds.
  template <int Count>
  static BASIN_ALWAYS_INLINE void accumulate(Sums& sums, const Bytes (&entry)[Count], const std::int32_t* multipliers,
                                             std::ptrdiff_t q) noexcept {
    for (int i = 0; i < Count; ++i)
      for (int v = 0; v < 4; ++v) sums.v[v] = _mm512_dpbusd_epi32(sums.v[v], entry[i], _mm512_set1_epi32(multipliers[4 * (q + i) + v]));
  }
};
}  // namespace detail

template <class Precision>
struct LutMatvec<avx512vnni, Precision> : detail::SimdLutMatvec<avx512vnni, Precision> {};

}  // namespace basin::kernels

#endif
