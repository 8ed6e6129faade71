#pragma once

#include <basin/core/config.hpp>
#include <basin/core/types.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>

namespace basin::detail {
/// Tables over codewords are padded to a multiple of this many entries.
inline constexpr Index scan_padding = 64;

[[nodiscard]] constexpr Index padded_scan_size(Index n) noexcept {
  return (n + scan_padding - 1) / scan_padding * scan_padding;
}

/// out[k] = start[k] + sum_d v[d] * table[d, k] for k < n; n a multiple of scan_padding.
template <class T>
inline void accumulate_scores(const T* BASIN_RESTRICT start, const T* BASIN_RESTRICT table, const T* BASIN_RESTRICT v,
                              Index depth, Index n, T* BASIN_RESTRICT out) noexcept {
  using Batch = xsimd::batch<T>;
  constexpr Index width = static_cast<Index>(Batch::size);
  for (Index k = 0; k < n; k += 4 * width) {
    Batch s0 = Batch::load_unaligned(start + k), s1 = Batch::load_unaligned(start + k + width),
          s2 = Batch::load_unaligned(start + k + 2 * width), s3 = Batch::load_unaligned(start + k + 3 * width);
    for (Index d = 0; d < depth; ++d) {
      const Batch x(v[d]);
      const T* row = table + d * n + k;
      s0 = xsimd::fma(x, Batch::load_unaligned(row), s0);
      s1 = xsimd::fma(x, Batch::load_unaligned(row + width), s1);
      s2 = xsimd::fma(x, Batch::load_unaligned(row + 2 * width), s2);
      s3 = xsimd::fma(x, Batch::load_unaligned(row + 3 * width), s3);
    }
    s0.store_unaligned(out + k);
    s1.store_unaligned(out + k + width);
    s2.store_unaligned(out + k + 2 * width);
    s3.store_unaligned(out + k + 3 * width);
  }
}

template <class T>
struct Extremes {
  T least, most;
};

/// Smallest and largest of x[0..n), n >= 1.
template <class T>
[[nodiscard]] inline Extremes<T> extremes(const T* x, Index n) noexcept {
  using Batch = xsimd::batch<T>;
  constexpr Index width = static_cast<Index>(Batch::size);
  Extremes<T> found{x[0], x[0]};
  Index k = 0;
  if (n >= width) {
    Batch least = Batch::load_unaligned(x), most = least;
    for (k = width; k + width <= n; k += width) {
      const Batch next = Batch::load_unaligned(x + k);
      least = xsimd::min(least, next);
      most = xsimd::max(most, next);
    }
    T lanes[2 * width];
    least.store_unaligned(lanes);
    most.store_unaligned(lanes + width);
    found = {*std::min_element(lanes, lanes + width), *std::max_element(lanes + width, lanes + 2 * width)};
  }
  for (; k < n; ++k) found = {std::min(found.least, x[k]), std::max(found.most, x[k])};
  return found;
}

/// Index of the first k in [from, n) with x[k] + y[k] <= limit, else n; n a multiple of scan_padding.
template <class T>
[[nodiscard]] inline Index find_sum_at_most(const T* x, const T* y, T limit, Index from, Index n) noexcept {
  using Batch = xsimd::batch<T>;
  constexpr Index width = static_cast<Index>(Batch::size);
  const Batch bound(limit);
  for (Index block = from / width * width; block < n; block += width) {
    const Batch sum = Batch::load_unaligned(x + block) + Batch::load_unaligned(y + block);
    if (!xsimd::any(sum <= bound)) continue;
    for (Index k = std::max(block, from); k < block + width; ++k)
      if (x[k] + y[k] <= limit) return k;
  }
  return n;
}

/// The same for one table.
template <class T>
[[nodiscard]] inline Index find_at_most(const T* x, T limit, Index from, Index n) noexcept {
  using Batch = xsimd::batch<T>;
  constexpr Index width = static_cast<Index>(Batch::size);
  const Batch bound(limit);
  for (Index block = from / width * width; block < n; block += width) {
    if (!xsimd::any(Batch::load_unaligned(x + block) <= bound)) continue;
    for (Index k = std::max(block, from); k < block + width; ++k)
      if (x[k] <= limit) return k;
  }
  return n;
}

}  // namespace basin::detail
