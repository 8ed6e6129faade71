#pragma once

#include <basin/core/random.hpp>
#include <basin/kernels/dispatch.hpp>
#include <basin/layout/pack_levels.hpp>
#include <basin/layout/pack_w2.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/bench.hpp"

namespace basin::bench {
struct LevelSet {
  const char* name;
  std::int8_t levels[4];
};
inline constexpr LevelSet level_sets[] = {{"mnz", {-3, -1, 1, 3}}, {"pot", {-4, -1, 1, 4}}};

/// How activations are quantized, by name.
struct NamedFormat {
  const char* name;
  kernels::ActivationFormat format;
};
inline constexpr NamedFormat activation_formats[] = {{"a8", {8, 1, 0}}, {"a4", {4, 0.9f, 0}}, {"a8g128", {8, 1, 128}}};

/// A weight of random codes as kernels read it.
class PackedBenchLevels {
 public:
  PackedBenchLevels(const LevelSet& levels, const Shape& shape)
      : set(&levels), w2_(static_cast<std::size_t>(shape.n_out) * w2_bytes(static_cast<std::size_t>(shape.n_in))),
        bytes_(packed_levels_bytes(shape.n_out, shape.n_in)) {
    SplitMix64 random(5);
    for (std::uint8_t& byte : w2_) byte = static_cast<std::uint8_t>(random());
    for (std::ptrdiff_t o = 0; o < shape.n_out; ++o) scales_.push_back(static_cast<float>(0.01 * (0.5 + random.uniform())));
    LevelView view{shape.n_out, shape.n_in, {}, w2_.data(), scales_.data()};
    std::memcpy(view.levels, levels.levels, 4);
    const LevelsResult result = pack_levels(view, std::span<std::byte>(bytes_.data(), bytes_.size()));
    if (result.error != LevelsError::none) throw std::runtime_error(std::string("pack_levels: ") + describe(result.error));
    packed = result.layer;
    copies = RotatingCopies<std::uint8_t>(packed.codes, bytes_.size() - static_cast<std::size_t>(packed.codes - reinterpret_cast<const std::uint8_t*>(bytes_.data())));
  }

  [[nodiscard]] Shape shape() const noexcept { return {packed.n_out, packed.n_in}; }
  [[nodiscard]] double bytes_per_weight() const noexcept { return static_cast<double>(bytes_.size()) / shape().num_weights(); }
  [[nodiscard]] const ReadLimit& limit() { return read_limit(packed.codes, copies); }
  /// The weight with its codes where no cache has them.
  [[nodiscard]] PackedLevels cold() noexcept {
    PackedLevels layer = packed;
    layer.codes = copies.next();
    return layer;
  }
  /// W x for `tokens` tokens in double, [tokens, n_out].
  [[nodiscard]] std::vector<double> multiply(const float* x, std::ptrdiff_t tokens) const {
    std::vector<double> y;
    for (std::ptrdiff_t v = 0; v < tokens; ++v)
      for (std::ptrdiff_t o = 0; o < packed.n_out; ++o) {
        const std::uint8_t* row = w2_.data() + o * static_cast<std::ptrdiff_t>(w2_bytes(static_cast<std::size_t>(packed.n_in)));
        double sum = 0;
        for (std::ptrdiff_t i = 0; i < packed.n_in; ++i) sum += packed.levels[row[i / 4] >> (i % 4 * 2) & 3] * static_cast<double>(x[v * packed.n_in + i]);
        y.push_back(sum * static_cast<double>(packed.scales[o]));
      }
    return y;
  }

  const LevelSet* set;
  PackedLevels packed;
  RotatingCopies<std::uint8_t> copies;

 private:
  std::vector<std::uint8_t> w2_;
  std::vector<float> scales_;
  Buffer<std::byte> bytes_;
};

/// The weight of a level set and shape. Only those of the last shape are kept: benchmarks come in that order.
[[nodiscard]] inline PackedBenchLevels& packed_bench_levels(const LevelSet& set, const Shape& shape) {
  static std::vector<std::unique_ptr<PackedBenchLevels>> kept;
  if (!kept.empty() && !(kept.front()->shape() == shape)) kept.clear();
  const auto found = std::find_if(kept.begin(), kept.end(), [&](const auto& layer) { return layer->set == &set; });
  if (found != kept.end()) return **found;
  kept.push_back(std::make_unique<PackedBenchLevels>(set, shape));
  return *kept.back();
}

}  // namespace basin::bench
