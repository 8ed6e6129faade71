#pragma once

#include <xsimd/xsimd.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

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

/// Bit i stands for lane i.
template <std::floating_point T>
[[nodiscard]] inline std::uint64_t mask(const xsimd::batch_bool<T>& which) noexcept {
  if constexpr (requires { which.mask(); }) {
    return which.mask();
  } else if constexpr (std::is_integral_v<decltype(which.data)>) {  // lives in a mask register
    return which.data;
  } else {
    bool lane[xsimd::batch_bool<T>::size];
    which.store_unaligned(lane);
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < xsimd::batch_bool<T>::size; ++i) bits |= std::uint64_t{lane[i]} << i;
    return bits;
  }
}

}  // namespace basin::simd
