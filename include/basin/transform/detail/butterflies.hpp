#pragma once

#include <basin/core/config.hpp>
#include <basin/core/simd.hpp>
#include <basin/core/types.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <utility>

/// Walsh-Hadamard stages on raw storage, without their scale.
namespace basin::detail {
template <class V>
BASIN_ALWAYS_INLINE void butterfly(V& a, V& b) noexcept {
  const V sum = a + b;
  b = a - b;
  a = sum;
}
template <class V>
BASIN_ALWAYS_INLINE void butterfly(V& a, V& b, V& c, V& d) noexcept {
  butterfly(a, b), butterfly(c, d);
  butterfly(a, c), butterfly(b, d);
}

/// log2(Radix) stages of values that lie `stride` apart, at the place of x.
template <class V, class T, std::size_t... R>
BASIN_ALWAYS_INLINE void butterflies(T* x, Index stride, std::index_sequence<R...>) noexcept {
  const auto load = [x, stride](std::size_t r) BASIN_LAMBDA_INLINE {
    if constexpr (std::same_as<V, T>) return x[static_cast<Index>(r) * stride];
    else return simd::load(x + static_cast<Index>(r) * stride);
  };
  const auto store = [x, stride](std::size_t r, const V& value) BASIN_LAMBDA_INLINE {
    if constexpr (std::same_as<V, T>) x[static_cast<Index>(r) * stride] = value;
    else simd::store(x + static_cast<Index>(r) * stride, value);
  };
  V v[] = {load(R)...};
  if constexpr (sizeof...(R) == 2) {
    butterfly(v[0], v[1]);
  } else {
    butterfly(v[0], v[1], v[2], v[3]);
    if constexpr (sizeof...(R) == 8) {
      butterfly(v[4], v[5], v[6], v[7]);
      butterfly(v[0], v[4]), butterfly(v[1], v[5]), butterfly(v[2], v[6]), butterfly(v[3], v[7]);
    }
  }
  (store(R, v[R]), ...);
}

/// log2(Radix) stages at once: what lies `stride` apart is combined, for all of `total` values.
template <int Radix, std::floating_point T>
void butterfly_pass(T* x, Index total, Index stride) noexcept {
  using Places = std::make_index_sequence<Radix>;
  for (Index block = 0; block < total; block += Radix * stride) {
    Index i = block;
    for (; i + simd::lanes<T> <= block + stride; i += simd::lanes<T>) butterflies<simd::Batch<T>>(x + i, stride, Places{});
    for (; i < block + stride; ++i) butterflies<T>(x + i, stride, Places{});
  }
}

/// The stages of strides `first`, 2 first, .. up to total / 2; total / first is a power of two.
template <std::floating_point T>
void butterfly_stages(T* x, Index total, Index first) noexcept {
  Index stride = first;
  for (; 8 * stride <= total; stride *= 8) butterfly_pass<8>(x, total, stride);
  if (4 * stride == total) butterfly_pass<4>(x, total, stride);
  else if (2 * stride == total) butterfly_pass<2>(x, total, stride);
}

template <std::floating_point T>
inline constexpr auto vector_signs = [] {
  constexpr unsigned lanes = simd::lanes<T>;
  std::array<std::array<T, lanes>, lanes> signs{};
  for (unsigned a = 0; a < lanes; ++a)
    for (unsigned b = 0; b < lanes; ++b) signs[a][b] = std::popcount(a & b) % 2 == 0 ? T(1) : T(-1);
  return signs;
}();

/// factor times the stages inside every vector: a product with the Hadamard matrix of `lanes` rows.
template <std::floating_point T>
void vector_stages(T* x, Index total, T factor) noexcept {
  constexpr int lanes = simd::lanes<T>;
  simd::Batch<T> signs[lanes];
  for (std::size_t a = 0; a < lanes; ++a) signs[a] = simd::load(vector_signs<T>[a].data()) * simd::Batch<T>(factor);
  for (Index i = 0; i < total; i += lanes) {
    simd::Batch<T> even = signs[0] * simd::Batch<T>(x[i]), odd = signs[1] * simd::Batch<T>(x[i + 1]);
    for (int a = 2; a < lanes; a += 2) {
      even = xsimd::fma(signs[a], simd::Batch<T>(x[i + a]), even);
      odd = xsimd::fma(signs[a + 1], simd::Batch<T>(x[i + a + 1]), odd);
    }
    simd::store(x + i, even + odd);
  }
}

/// Every `size` of `total` consecutive values times factor and the Hadamard matrix of that size, a power of two.
template <std::floating_point T>
void walsh_hadamard(T* x, Index total, Index size, T factor) noexcept {
  const bool in_vectors = size >= simd::lanes<T>;
  if (in_vectors) vector_stages(x, total, factor);
  else
    for (Index i = 0; i < total; ++i) x[i] *= factor;
  for (Index at = 0; at < total; at += size) butterfly_stages(x + at, size, in_vectors ? Index{simd::lanes<T>} : Index{1});
}

/// x, [order, inner], becomes C x; C[a, b] is at core[a * row_step + b * column_step]. The order is a multiple of
/// 4 and at most `MaxOrder`.
template <Index MaxOrder, std::floating_point T>
void core_stage(T* x, Index order, Index inner, const float* core, Index row_step, Index column_step) noexcept {
  constexpr Index lanes = simd::lanes<T>;
  alignas(64) T held[MaxOrder * lanes];
  const auto product = [&]<class V>(const T* from, Index step, T* to, const V& zero, const auto& load, const auto& store)
                           BASIN_LAMBDA_INLINE {
    for (Index a = 0; a < order; a += 4) {
      // Eight sums, so that none waits for itself.
      V even0 = zero, even1 = zero, even2 = zero, even3 = zero, odd0 = zero, odd1 = zero, odd2 = zero, odd3 = zero;
      const float* row = core + a * row_step;
      const auto add = [&row, row_step](const V& value, V& sum0, V& sum1, V& sum2, V& sum3) BASIN_LAMBDA_INLINE {
        sum0 += V(static_cast<T>(row[0])) * value;
        sum1 += V(static_cast<T>(row[row_step])) * value;
        sum2 += V(static_cast<T>(row[2 * row_step])) * value;
        sum3 += V(static_cast<T>(row[3 * row_step])) * value;
      };
      for (Index b = 0; b < order; b += 2) {
        add(load(from + b * step), even0, even1, even2, even3);
        row += column_step;
        add(load(from + (b + 1) * step), odd0, odd1, odd2, odd3);
        row += column_step;
      }
      store(to + a * inner, even0 + odd0), store(to + (a + 1) * inner, even1 + odd1);
      store(to + (a + 2) * inner, even2 + odd2), store(to + (a + 3) * inner, even3 + odd3);
    }
  };
  Index i = 0;
  for (; i + lanes <= inner; i += lanes) {
    for (Index b = 0; b < order; ++b) simd::store(held + b * lanes, simd::load(x + b * inner + i));
    product(held, lanes, x + i, simd::Batch<T>(T(0)), [](const T* at) { return simd::load(at); },
            [](T* at, const simd::Batch<T>& value) { simd::store(at, value); });
  }
  for (; i < inner; ++i) {
    for (Index b = 0; b < order; ++b) held[b] = x[b * inner + i];
    product(held, Index{1}, x + i, T(0), [](const T* at) { return *at; }, [](T* at, T value) { *at = value; });
  }
}

}  // namespace basin::detail
