#pragma once

#include <basin/core/random.hpp>
#include <basin/layout/pack_levels.hpp>
#include <basin/layout/pack_w2.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/aligned.hpp"

namespace basin::test {
struct LevelSet {
  const char* name;
  std::int8_t levels[4];
};
inline constexpr LevelSet level_sets[] = {
    {"mirror no-zero", {-3, -1, 1, 3}}, {"powers of two", {-4, -1, 1, 4}}, {"far", {-2, -1, 1, 2}}, {"int", {-2, -1, 0, 1}}, {"widest", {-15, -14, -1, 0}}};

/// A weight of random levels, plain and packed.
class RandomLevels {
 public:
  RandomLevels(const LevelSet& set, std::ptrdiff_t rows, std::ptrdiff_t inputs, std::uint64_t seed)
      : n_out(rows), n_in(inputs), memory(packed_levels_bytes(rows, inputs)) {
    SplitMix64 random(seed);
    for (std::ptrdiff_t i = 0; i < n_out * n_in; ++i) codes.push_back(static_cast<std::uint8_t>(random.below(4)));
    for (std::ptrdiff_t o = 0; o < n_out; ++o) scales.push_back(static_cast<float>(random.normal()));
    pack(set);
  }
  void pack(const LevelSet& set) {
    const std::size_t row = w2_bytes(static_cast<std::size_t>(n_in));
    w2.assign(row * static_cast<std::size_t>(n_out), 0);
    for (std::size_t o = 0; o < static_cast<std::size_t>(n_out); ++o)
      pack_w2(std::span(codes).subspan(o * static_cast<std::size_t>(n_in), static_cast<std::size_t>(n_in)), std::span(w2).subspan(o * row, row));
    LevelView view{n_out, n_in, {}, w2.data(), scales.data()};
    for (int k = 0; k < 4; ++k) view.levels[k] = set.levels[k];
    packed = pack_levels(view, memory.span()).layer;
  }
  /// The integer behind a weight.
  [[nodiscard]] int level(std::ptrdiff_t row, std::ptrdiff_t input) const {
    return packed.levels[codes[static_cast<std::size_t>(row * n_in + input)]];
  }

  std::ptrdiff_t n_out, n_in;
  std::vector<std::uint8_t> codes, w2;
  std::vector<float> scales;
  AlignedBytes memory;
  PackedLevels packed;
};

}  // namespace basin::test
