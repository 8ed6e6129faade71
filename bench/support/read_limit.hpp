#pragma once

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>

#include "support/buffer.hpp"
#include "support/timing.hpp"

namespace basin::bench {
/// Reads every byte once and does next to nothing with it. PrefetchBytes ahead, 0 for none.
template <std::size_t PrefetchBytes>
[[nodiscard]] std::uint64_t read_all(const std::uint8_t* bytes, std::size_t size) noexcept {
  using Batch = xsimd::batch<std::uint64_t>;
  constexpr std::size_t width = sizeof(Batch), step = 8 * width;
  Batch sums[8] = {Batch(std::uint64_t{0}), Batch(std::uint64_t{0}), Batch(std::uint64_t{0}), Batch(std::uint64_t{0}),
                   Batch(std::uint64_t{0}), Batch(std::uint64_t{0}), Batch(std::uint64_t{0}), Batch(std::uint64_t{0})};
  std::size_t i = 0;
  for (; i + step <= size; i += step) {
#if defined(__GNUC__)
    if constexpr (PrefetchBytes > 0)
      for (std::size_t line = 0; line < step; line += 64) __builtin_prefetch(bytes + i + PrefetchBytes + line);
#endif
    for (std::size_t k = 0; k < 8; ++k)
      sums[k] = sums[k] | Batch::load_unaligned(reinterpret_cast<const std::uint64_t*>(bytes + i + k * width));
  }
  for (std::size_t k = 1; k < 8; ++k) sums[0] = sums[0] | sums[k];
  std::uint64_t lanes[Batch::size], all = 0;
  sums[0].store_unaligned(lanes);
  for (const std::uint64_t lane : lanes) all |= lane;
  for (; i < size; ++i) all |= bytes[i];
  return all;
}

/// Nanoseconds of one thread to read some bytes: nobody who needs them all is faster.
struct ReadLimit {
  double warm = 0;  ///< the same bytes again
  double cold = 0;  ///< bytes that no cache holds
};

/// Measured once per size and process, on the bytes at hand; the faster of two ways to read them.
[[nodiscard]] inline const ReadLimit& read_limit(const std::uint8_t* bytes, RotatingCopies<std::uint8_t>& copies) {
  static std::map<std::size_t, ReadLimit> measured;
  const auto [entry, is_new] = measured.try_emplace(copies.size());
  if (is_new) {
    const std::size_t size = copies.size();
    volatile std::uint64_t sink = 0;
    constexpr std::size_t ahead = 4096;
    entry->second.warm = std::min(median_call([&] { sink = read_all<0>(bytes, size); }),
                                  median_call([&] { sink = read_all<ahead>(bytes, size); }));
    entry->second.cold = std::min(median_call([&] { sink = read_all<0>(copies.next(), size); }, 20),
                                  median_call([&] { sink = read_all<ahead>(copies.next(), size); }, 20));
  }
  return entry->second;
}

/// Nanoseconds to store `size` values again and again to the same place.
template <class T>
[[nodiscard]] double store_limit(std::size_t size) {
  using Batch = xsimd::batch<float>;
  Buffer<float> out(size * sizeof(T) / sizeof(float) + Batch::size);
  constexpr int stores = 64;
  return median_call([&] {
           for (int i = 0; i < stores; ++i) {
             const Batch value(static_cast<float>(i));
             for (std::size_t at = 0; at < size * sizeof(T) / sizeof(float); at += Batch::size)
               value.store_aligned(out.data() + at);
             clobber_memory();
           }
         }) /
         stores;
}

}  // namespace basin::bench
