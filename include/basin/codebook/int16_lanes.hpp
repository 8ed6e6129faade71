#pragma once

#include <basin/core/config.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VNNI__)
#include <immintrin.h>
#define BASIN_HAS_INT16_DOT 1
#else
#define BASIN_HAS_INT16_DOT 0
#endif

namespace basin::detail {
/// What Int16Table asks of a processor, sixteen lanes at a time, in plain loops: the specification.
struct PlainInt16Lanes {
  struct Floats {
    float lane[16];
  };
  struct Ints {
    std::int32_t lane[16];
  };
  static constexpr bool is_fast = false;

  [[nodiscard]] static Floats load(const float* from) noexcept {
    return each<Floats>([&](int i) { return from[i]; });
  }
  [[nodiscard]] static Ints load(const std::int32_t* from) noexcept {
    return each<Ints>([&](int i) { return from[i]; });
  }
  static void store(float* to, const Floats& x) noexcept { std::copy_n(x.lane, 16, to); }
  static void store(std::int32_t* to, const Ints& x) noexcept { std::copy_n(x.lane, 16, to); }
  [[nodiscard]] static Floats all(float x) noexcept {
    return each<Floats>([&](int) { return x; });
  }
  [[nodiscard]] static Ints all(std::int32_t x) noexcept {
    return each<Ints>([&](int) { return x; });
  }
  /// x y + z, rounded once.
  [[nodiscard]] static Floats multiply_add(const Floats& x, const Floats& y, const Floats& z) noexcept {
    return each<Floats>([&](int i) { return std::fma(x.lane[i], y.lane[i], z.lane[i]); });
  }
  [[nodiscard]] static Floats multiply(const Floats& x, const Floats& y) noexcept {
    return each<Floats>([&](int i) { return x.lane[i] * y.lane[i]; });
  }
  [[nodiscard]] static Floats square_root(const Floats& x) noexcept {
    return each<Floats>([&](int i) { return std::sqrt(x.lane[i]); });
  }
  [[nodiscard]] static Floats min(const Floats& x, const Floats& y) noexcept {
    return each<Floats>([&](int i) { return std::min(x.lane[i], y.lane[i]); });
  }
  [[nodiscard]] static Floats max(const Floats& x, const Floats& y) noexcept {
    return each<Floats>([&](int i) { return std::max(x.lane[i], y.lane[i]); });
  }
  [[nodiscard]] static Floats add(const Floats& x, const Floats& y) noexcept {
    return each<Floats>([&](int i) { return x.lane[i] + y.lane[i]; });
  }
  /// Elements 0, 2, 4, ... or 1, 3, 5, ... of x followed by y.
  [[nodiscard]] static Floats even(const Floats& x, const Floats& y) noexcept {
    return each<Floats>([&](int i) { return (i < 8 ? x : y).lane[i % 8 * 2]; });
  }
  [[nodiscard]] static Floats odd(const Floats& x, const Floats& y) noexcept {
    return each<Floats>([&](int i) { return (i < 8 ? x : y).lane[i % 8 * 2 + 1]; });
  }
  /// To the nearest integer, halves to even.
  [[nodiscard]] static Ints round(const Floats& x) noexcept {
    return each<Ints>([&](int i) { return static_cast<std::int32_t>(std::nearbyint(x.lane[i])); });
  }
  /// The low halves of both, x below y.
  [[nodiscard]] static Ints pairs(const Ints& x, const Ints& y) noexcept {
    return each<Ints>([&](int i) {
      return static_cast<std::int32_t>((static_cast<std::uint32_t>(x.lane[i]) & 0xffffu) |
                                       static_cast<std::uint32_t>(y.lane[i]) << 16);
    });
  }
  [[nodiscard]] static Ints min(const Ints& x, const Ints& y) noexcept {
    return each<Ints>([&](int i) { return std::min(x.lane[i], y.lane[i]); });
  }
  [[nodiscard]] static Ints max(const Ints& x, const Ints& y) noexcept {
    return each<Ints>([&](int i) { return std::max(x.lane[i], y.lane[i]); });
  }
  [[nodiscard]] static Ints add(const Ints& x, const Ints& y) noexcept {
    return each<Ints>([&](int i) { return x.lane[i] + y.lane[i]; });
  }
  /// Where x < y the third, elsewhere the fourth.
  [[nodiscard]] static Ints where_less(const Ints& x, const Ints& y, const Ints& yes, const Ints& no) noexcept {
    return each<Ints>([&](int i) { return x.lane[i] < y.lane[i] ? yes.lane[i] : no.lane[i]; });
  }
  /// Bit i: x <= y in lane i.
  [[nodiscard]] static std::uint32_t at_most(const Ints& x, const Ints& y) noexcept {
    std::uint32_t mask = 0;
    for (int i = 0; i < 16; ++i) mask |= std::uint32_t{x.lane[i] <= y.lane[i]} << i;
    return mask;
  }
  /// sum + x_0 y_0 + x_1 y_1 of the two int16 halves of a lane.
  [[nodiscard]] static Ints dot(const Ints& sum, const Ints& x, const Ints& y) noexcept {
    return each<Ints>([&](int i) { return sum.lane[i] + low(x.lane[i]) * low(y.lane[i]) + high(x.lane[i]) * high(y.lane[i]); });
  }

 private:
  [[nodiscard]] static std::int32_t low(std::int32_t x) noexcept { return static_cast<std::int16_t>(x & 0xffff); }
  [[nodiscard]] static std::int32_t high(std::int32_t x) noexcept { return x >> 16; }
  template <class Lanes, class Function>
  [[nodiscard]] static Lanes each(Function&& of_lane) noexcept {
    Lanes x;
    for (int i = 0; i < 16; ++i) x.lane[i] = of_lane(i);
    return x;
  }
};

#if BASIN_HAS_INT16_DOT
/// The same in AVX-512 with VNNI.
struct Avx512Int16Lanes {
  using Floats = __m512;
  using Ints = __m512i;
  static constexpr bool is_fast = true;

  [[nodiscard]] static Floats load(const float* from) noexcept { return _mm512_loadu_ps(from); }
  [[nodiscard]] static Ints load(const std::int32_t* from) noexcept { return _mm512_loadu_si512(from); }
  static void store(float* to, Floats x) noexcept { _mm512_storeu_ps(to, x); }
  static void store(std::int32_t* to, Ints x) noexcept { _mm512_storeu_si512(to, x); }
  [[nodiscard]] static Floats all(float x) noexcept { return _mm512_set1_ps(x); }
  [[nodiscard]] static Ints all(std::int32_t x) noexcept { return _mm512_set1_epi32(x); }
  [[nodiscard]] static Floats multiply_add(Floats x, Floats y, Floats z) noexcept { return _mm512_fmadd_ps(x, y, z); }
  [[nodiscard]] static Floats multiply(Floats x, Floats y) noexcept { return _mm512_mul_ps(x, y); }
  [[nodiscard]] static Floats square_root(Floats x) noexcept { return _mm512_sqrt_ps(x); }
  [[nodiscard]] static Floats min(Floats x, Floats y) noexcept { return _mm512_min_ps(x, y); }
  [[nodiscard]] static Floats max(Floats x, Floats y) noexcept { return _mm512_max_ps(x, y); }
  [[nodiscard]] static Floats add(Floats x, Floats y) noexcept { return _mm512_add_ps(x, y); }
  [[nodiscard]] static Floats even(Floats x, Floats y) noexcept { return _mm512_permutex2var_ps(x, every_other(0), y); }
  [[nodiscard]] static Floats odd(Floats x, Floats y) noexcept { return _mm512_permutex2var_ps(x, every_other(1), y); }
  [[nodiscard]] static Ints round(Floats x) noexcept { return _mm512_cvt_roundps_epi32(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  [[nodiscard]] static Ints pairs(Ints x, Ints y) noexcept { return _mm512_mask_blend_epi16(0xaaaaaaaa, x, _mm512_slli_epi32(y, 16)); }
  [[nodiscard]] static Ints min(Ints x, Ints y) noexcept { return _mm512_min_epi32(x, y); }
  [[nodiscard]] static Ints max(Ints x, Ints y) noexcept { return _mm512_max_epi32(x, y); }
  [[nodiscard]] static Ints add(Ints x, Ints y) noexcept { return _mm512_add_epi32(x, y); }
  [[nodiscard]] static Ints where_less(Ints x, Ints y, Ints yes, Ints no) noexcept {
    return _mm512_mask_blend_epi32(_mm512_cmplt_epi32_mask(x, y), no, yes);
  }
  [[nodiscard]] static std::uint32_t at_most(Ints x, Ints y) noexcept { return _mm512_cmple_epi32_mask(x, y); }
  [[nodiscard]] static Ints dot(Ints sum, Ints x, Ints y) noexcept { return _mm512_dpwssd_epi32(sum, x, y); }

 private:
  [[nodiscard]] static __m512i every_other(int first) noexcept {
    return _mm512_add_epi32(_mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0), _mm512_set1_epi32(first));
  }
};
using Int16Lanes = Avx512Int16Lanes;
#else
using Int16Lanes = PlainInt16Lanes;
#endif

}  // namespace basin::detail
