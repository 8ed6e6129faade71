#pragma once

#include <basin/core/config.hpp>
#include <basin/core/types.hpp>

#include <xsimd/xsimd.hpp>

#include <bit>
#include <cstdint>
#include <cstring>

namespace basin::detail {
/// coarse[k] = floor((x[k] - origin) * per_step), at most 255, for x[k] >= origin.
template <class T>
inline void quantize_down(const T* BASIN_RESTRICT x, T origin, T per_step, Index n,
                          std::uint8_t* BASIN_RESTRICT coarse) noexcept {
  for (Index k = 0; k < n; ++k) {
    const T steps = (x[k] - origin) * per_step;
    coarse[k] = static_cast<std::uint8_t>(static_cast<std::int32_t>(steps < T(255) ? steps : T(255)));
  }
}

/// rooms[k] = (start - x[k] - y[k]) * per_step + slack, rounded down to 0..255; open[k] = 1 unless it is negative.
template <class T>
inline void measure_room(const T* BASIN_RESTRICT x, const T* BASIN_RESTRICT y, T start, T per_step, T slack, Index n,
                         std::uint8_t* BASIN_RESTRICT rooms, std::uint8_t* BASIN_RESTRICT open) noexcept {
  for (Index k = 0; k < n; ++k) {
    const T room = (start - x[k] - y[k]) * per_step + slack;
    const T steps = room < T(255) ? room : T(255);
    rooms[k] = static_cast<std::uint8_t>(static_cast<std::int32_t>(steps > T(0) ? steps : T(0)));
    open[k] = static_cast<std::uint8_t>(static_cast<std::int32_t>(room >= T(0) ? T(1) : T(0)));
  }
}

/// Bit i of the result is flags[i], for 64 bytes that are 0 or 1.
[[nodiscard]] inline std::uint64_t lane_mask(const std::uint8_t* flags) noexcept {
  std::uint64_t mask = 0;
  for (int chunk = 0; chunk < 8; ++chunk) {
    std::uint64_t bytes = 0;
    if constexpr (std::endian::native == std::endian::little)
      std::memcpy(&bytes, flags + 8 * chunk, 8);
    else
      for (int i = 0; i < 8; ++i) bytes |= std::uint64_t{flags[8 * chunk + i]} << (8 * i);
    // The product gathers the eight low bits in its top byte.
    mask |= ((bytes * 0x0102040810204080u) >> 56) << (8 * chunk);
  }
  return mask;
}

/// x + y, at most 255.
[[nodiscard]] inline xsimd::batch<std::uint8_t> saturating_sum(xsimd::batch<std::uint8_t> x,
                                                               xsimd::batch<std::uint8_t> y) noexcept {
#if defined(__AVX512BW__) && XSIMD_VERSION_MAJOR < 9
  return _mm512_adds_epu8(x, y);  // xsimd 8.1's own does not compile here unless it is optimized
#else
  return xsimd::sadd(x, y);
#endif
}

/// The rows k < n with open[k] = 1, in order: fills rows[0..count) and returns count; n a multiple of 64.
[[nodiscard]] inline Index list_open_rows(const std::uint8_t* open, Index n, std::uint16_t* rows) noexcept {
  Index count = 0;
  for (Index block = 0; block < n; block += 64)
    for (std::uint64_t lanes = lane_mask(open + block); lanes != 0; lanes &= lanes - 1)
      rows[count++] = static_cast<std::uint16_t>(block + std::countr_zero(lanes));
  return count;
}

/// Position of the first row in rows[from..count) in which coarse[row, k] + second[k], saturating at 255, is at
/// most rooms[row] for some k < 64 * Blocks; else count. `coarse` and `second` begin on cache lines.
template <int Blocks>
[[nodiscard]] inline Index next_promising(const std::uint8_t* coarse, const std::uint8_t* second,
                                          const std::uint8_t* rooms, const std::uint16_t* rows, Index from,
                                          Index count) noexcept {
  using Batch = xsimd::batch<std::uint8_t>;
  constexpr int width = static_cast<int>(Batch::size), batches = 64 * Blocks / width;
  static_assert(64 % width == 0, "registers of more than 64 bytes need wider padding of the tables");
  Batch partner[batches];
  for (int b = 0; b < batches; ++b) partner[b] = Batch::load_aligned(second + b * width);
  for (Index i = from; i < count; ++i) {
    const std::uint8_t* row = coarse + Index{rows[i]} * (64 * Blocks);
    Batch least = saturating_sum(Batch::load_aligned(row), partner[0]);
    for (int b = 1; b < batches; ++b)
      least = xsimd::min(least, saturating_sum(Batch::load_aligned(row + b * width), partner[b]));
    if (xsimd::any(least <= Batch(rooms[rows[i]]))) return i;
  }
  return count;
}

/// The same for rows of n entries, n a multiple of 64.
[[nodiscard]] inline Index next_promising(const std::uint8_t* coarse, const std::uint8_t* second, Index n,
                                          const std::uint8_t* rooms, const std::uint16_t* rows, Index from,
                                          Index count) noexcept {
  BASIN_ASSERT(reinterpret_cast<std::uintptr_t>(coarse) % 64 == 0 && reinterpret_cast<std::uintptr_t>(second) % 64 == 0);
  if (n == 64) return next_promising<1>(coarse, second, rooms, rows, from, count);
  if (n == 128) return next_promising<2>(coarse, second, rooms, rows, from, count);
  if (n == 256) return next_promising<4>(coarse, second, rooms, rows, from, count);
  using Batch = xsimd::batch<std::uint8_t>;
  constexpr Index width = static_cast<Index>(Batch::size);
  for (Index i = from; i < count; ++i) {
    const std::uint8_t* row = coarse + Index{rows[i]} * n;
    Batch least = saturating_sum(Batch::load_aligned(row), Batch::load_aligned(second));
    for (Index k = width; k < n; k += width)
      least = xsimd::min(least, saturating_sum(Batch::load_aligned(row + k), Batch::load_aligned(second + k)));
    if (xsimd::any(least <= Batch(rooms[rows[i]]))) return i;
  }
  return count;
}

}  // namespace basin::detail
