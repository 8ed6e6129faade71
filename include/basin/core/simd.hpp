#pragma once

#include <xsimd/xsimd.hpp>

#include <concepts>

/// The few vector operations the offline half uses, at the width the host compiles for.
namespace basin::simd {
template <std::floating_point T>
using Batch = xsimd::batch<T>;

template <std::floating_point T>
inline constexpr int lanes = static_cast<int>(Batch<T>::size);

template <std::floating_point T>
[[nodiscard]] inline Batch<T> load(const T* from) noexcept {
  return Batch<T>::load_unaligned(from);
}
template <std::floating_point T>
inline void store(T* to, const Batch<T>& value) noexcept {
  value.store_unaligned(to);
}

}  // namespace basin::simd
