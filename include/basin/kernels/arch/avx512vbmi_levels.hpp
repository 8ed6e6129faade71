#pragma once

#if defined(__AVX512VBMI__) && defined(__AVX512VNNI__)

#include <basin/core/config.hpp>
#include <basin/kernels/arch/avx2_kv4.hpp>
#include <basin/kernels/arch/avx512vnni_levels.hpp>
#include <basin/kernels/concepts.hpp>

#include <immintrin.h>

/// Levels with byte permutes: the bits of an index above the table's are ignored and need no mask.
namespace basin::kernels {
namespace detail {
template <>
struct LevelSimd<avx512vbmi> : LevelVnni {
  using LevelVnni::fields;
  static BASIN_ALWAYS_INLINE Fields fields(Bytes codes, const Tables<false>& tables) noexcept {
    return pairs(_mm512_permutexvar_epi8(codes, tables.pair), _mm512_permutexvar_epi8(_mm512_srli_epi16(codes, 4), tables.pair));
  }
};
template <>
struct Kv4Simd<avx512vbmi> : Kv4Simd<avx512vnni> {};
}  // namespace detail

template <>
struct QuantizeActivations<avx512vbmi> : detail::SimdQuantizeActivations<avx512vbmi> {};
template <>
struct LevelMatvec<avx512vbmi> : detail::SimdLevelMatvec<avx512vbmi> {};
template <>
struct LevelMatmul<avx512vbmi> : detail::SimdLevelMatmul<avx512vbmi> {};
template <>
struct Kv4<avx512vbmi> : detail::SimdKv4<avx512vbmi> {};

}  // namespace basin::kernels

#endif
