#include <basin/kernels/kv4.hpp>  // first: proves the header stands alone

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/level_product.hpp"
#include "kernels/random_layer.hpp"
#include "kernels/tested_kernels.hpp"
#include "support/catch.hpp"
#include "support/guarded.hpp"

using basin::kernels::FormatError;
using basin::kernels::KernelSet;
using basin::kernels::Kv4Cache;
using basin::kernels::Kv4Format;
using basin::test::Activations;
using basin::test::GuardedBytes;
using basin::test::normal_inputs;

namespace {
std::size_t index(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

/// A cache whose codes end in front of a page that nobody may read.
struct Cache {
  Cache(const Kv4Format& format, std::ptrdiff_t num_rows)
      : rows(num_rows), groups(format.size / format.group), codes(index(rows * format.size / 2)), scales(index(rows * groups)),
        zeros(index(rows * groups)), view{format, reinterpret_cast<std::uint8_t*>(codes.data()), scales.data(), zeros.data()} {}
  [[nodiscard]] int above_zero(std::ptrdiff_t row, std::ptrdiff_t i) const {
    const std::ptrdiff_t at = row * view.format.size + i;
    return (view.codes[at / 2] >> (at % 2 * 4) & 15) - zeros[index(at / view.format.group)];
  }
  [[nodiscard]] float scale(std::ptrdiff_t row, std::ptrdiff_t i) const { return scales[index((row * view.format.size + i) / view.format.group)]; }

  std::ptrdiff_t rows, groups;
  GuardedBytes codes;
  std::vector<float> scales;
  std::vector<std::uint8_t> zeros;
  Kv4Cache view;
};
}  // namespace

TEST_CASE("The example of a cache of four bits", "[kernels][golden]") {
  std::vector<float> x(32, 0.0f), out(32);
  const float example[] = {0.5f, -3.5f, 7.0f, 1.2f}, want[] = {0.665f, -3.325f, 6.65f, 1.33f};
  std::copy(example, example + 4, x.begin());
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch);
    const Cache cache({32, 32, 0.95f}, 1);
    kernels.kv4.quantize(cache.view, x.data(), 32, 0, 1);
    CHECK(std::abs(cache.scales[0] - 0.665f) <= 0.665f * 0x1p-22f);
    CHECK(cache.zeros[0] == 5);
    kernels.kv4.dequantize(cache.view, 0, 1, out.data(), 32);
    for (std::size_t i = 0; i < 4; ++i) CHECK(std::abs(out[i] - want[i]) <= std::abs(want[i]) * 0x1p-21f);
    CHECK(out[4] == 0.0f);
  }
}

TEST_CASE("A cache is what the formula says, on every path", "[kernels][reference]") {
  const Kv4Format format = GENERATE(Kv4Format{}, Kv4Format{64, 32, 1}, Kv4Format{96, 96, 0.9f}, Kv4Format{256, 64, 0.5f});
  const float shift = GENERATE(0.0f, 3.0f, -3.0f);
  const std::ptrdiff_t rows = 5;
  CAPTURE(format.size, format.group, shift);
  std::vector<float> x = normal_inputs(rows * format.size + 1, 2);
  for (float& value : x) value += shift;
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch);
    const Cache cache(format, rows);
    kernels.kv4.quantize(cache.view, x.data() + 1 + 2 * format.size, format.size, 2, rows);
    kernels.kv4.quantize(cache.view, x.data() + 1, format.size, 0, 2);
    std::vector<float> out(index(rows * (format.size + 1)), -7.0f);
    kernels.kv4.dequantize(cache.view, 0, rows, out.data(), format.size + 1);
    std::ptrdiff_t wrong = 0;
    for (std::ptrdiff_t row = 0; row < rows; ++row) {
      for (std::ptrdiff_t first = 0; first < format.size; first += format.group) {
        const float* in = x.data() + 1 + row * format.size + first;
        const volatile float low = format.clip * std::min(0.0f, *std::min_element(in, in + format.group));
        const volatile float high = format.clip * std::max(0.0f, *std::max_element(in, in + format.group));
        const float scale = (high - low) / 15, zero = std::nearbyint(-low / scale);
        wrong += cache.scale(row, first) != scale || static_cast<float>(cache.zeros[index((row * format.size + first) / format.group)]) != zero;
        for (std::ptrdiff_t i = 0; i < format.group; ++i) {
          const float code = std::clamp(std::nearbyint(in[i] / scale) + zero, 0.0f, 15.0f);
          wrong += static_cast<float>(cache.above_zero(row, first + i)) != code - zero;
          wrong += out[index(row * (format.size + 1) + first + i)] != scale * (code - zero);
        }
      }
      wrong += out[index(row * (format.size + 1) + format.size)] != -7.0f;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("A cache of values twice as large decodes to twice as much, and what is not clipped is within a scale", "[kernels][property]") {
  const Kv4Format format = GENERATE(Kv4Format{}, Kv4Format{64, 32, 1});
  const std::vector<float> x = normal_inputs(format.size, 4);
  std::vector<float> twice = x, out(x.size()), doubled(x.size());
  for (float& value : twice) value *= 2;
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch);
    const Cache once(format, 1), second(format, 1);
    kernels.kv4.quantize(once.view, x.data(), format.size, 0, 1);
    kernels.kv4.quantize(second.view, twice.data(), format.size, 0, 1);
    kernels.kv4.dequantize(once.view, 0, 1, out.data(), format.size);
    kernels.kv4.dequantize(second.view, 0, 1, doubled.data(), format.size);
    for (std::size_t i = 0; i < x.size(); ++i) {
      CHECK(doubled[i] == 2 * out[i]);
      // The zero is rounded too, so that an end of the range may lie half a scale outside.
      const float scale = once.scale(0, static_cast<std::ptrdiff_t>(i) / format.group * format.group);
      if (format.clip == 1) CHECK(std::abs(x[i] - out[i]) <= scale * (1 + 0x1p-16f));
    }
  }
}

TEST_CASE("Scores and mixes stay within their bounds and give the scalar path's bits", "[kernels][reference]") {
  const Kv4Format format = GENERATE(Kv4Format{}, Kv4Format{64, 32, 1}, Kv4Format{96, 96, 0.9f}, Kv4Format{256, 64, 0.95f});
  const std::ptrdiff_t rows = 37, queries = 2;
  CAPTURE(format.size, format.group);
  const KernelSet& plain = basin::kernels::available_kernels().front();
  const Cache cache(format, rows);
  plain.kv4.quantize(cache.view, normal_inputs(rows * format.size, 3).data(), format.size, 0, rows);
  const Activations activations(plain.activations, {8, 1, format.group}, normal_inputs(queries * format.size, 4), format.size, queries);
  const basin::kernels::QuantizedActivations q = activations.view();
  const std::vector<float> weights = normal_inputs(rows, 5);
  std::vector<float> scalar_scores(index(rows)), scalar_mix(index(format.size));
  plain.kv4.scores(cache.view, q, 1, 0, rows, scalar_scores.data());
  plain.kv4.mix(cache.view, weights.data(), 0, rows, scalar_mix.data());
  std::ptrdiff_t outside = 0;
  for (std::ptrdiff_t row = 0; row < rows; ++row) {
    double want = 0, magnitude = 0;
    for (std::ptrdiff_t g = 0; g < cache.groups; ++g) {
      double sum = 0;
      for (std::ptrdiff_t i = g * format.group; i < (g + 1) * format.group; ++i) sum += q.values[q.row_bytes + i] * cache.above_zero(row, i);
      const double part = sum * static_cast<double>(q.steps[cache.groups + g]) * static_cast<double>(cache.scale(row, g * format.group));
      want += part;
      magnitude += std::abs(part);
    }
    outside += !(std::abs(static_cast<double>(scalar_scores[index(row)]) - want) <= static_cast<double>(cache.groups + 3) * 0x1p-24 * magnitude);
  }
  for (std::ptrdiff_t i = 0; i < format.size; ++i) {
    double want = 0, magnitude = 0;
    for (std::ptrdiff_t row = 0; row < rows; ++row) {
      const double part = static_cast<double>(weights[index(row)]) * static_cast<double>(cache.scale(row, i)) * cache.above_zero(row, i);
      want += part;
      magnitude += std::abs(part);
    }
    outside += !(std::abs(static_cast<double>(scalar_mix[index(i)]) - want) <= static_cast<double>(rows + 2) * 0x1p-24 * magnitude);
  }
  CHECK(outside == 0);
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch);
    std::vector<float> scores(index(rows)), mix(index(format.size));
    kernels.kv4.scores(cache.view, q, 1, 20, rows, scores.data() + 20);
    kernels.kv4.scores(cache.view, q, 1, 0, 20, scores.data());
    CHECK(scores == scalar_scores);
    kernels.kv4.mix(cache.view, weights.data(), 0, rows, mix.data());
    CHECK(mix == scalar_mix);
    std::vector<float> some(index(format.size)), want(index(format.size));
    kernels.kv4.mix(cache.view, weights.data(), 7, 9, some.data());
    plain.kv4.mix(cache.view, weights.data(), 7, 9, want.data());
    CHECK(some == want);
  }
}

TEST_CASE("Zeros, tiny and non-finite values of a cache", "[kernels][property]") {
  std::vector<float> x(6 * 32, 0.0f), out(x.size());
  for (std::size_t i = 0; i < 32; ++i) x[32 + i] = i % 2 == 0 ? -1e-44f : 3e-45f;
  x[64] = std::numeric_limits<float>::quiet_NaN();
  x[96 + 31] = -std::numeric_limits<float>::infinity();
  x[128] = 3e38f;
  x[129] = -3e38f;
  x[160] = -3.1e-44f;  // 22 times the smallest float, and a 15th of it is one of them
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch);
    const Cache cache({192, 32, 1}, 1);
    kernels.kv4.quantize(cache.view, x.data(), 192, 0, 1);
    kernels.kv4.dequantize(cache.view, 0, 1, out.data(), 192);
    CHECK(cache.scales[0] == 2.0f / 15);
    CHECK(cache.zeros[0] == 8);
    CHECK(cache.zeros[5] == 15);
    CHECK(out[161] == 0.0f);
    for (std::size_t i = 0; i < 32; ++i) {
      CHECK(out[i] == 0.0f);
      CHECK(std::abs(out[32 + i] - x[32 + i]) <= 1e-44f);
      for (std::size_t g = 2; g < 5; ++g) CHECK(std::isnan(out[32 * g + i]));
    }
  }
}

TEST_CASE("A format of a cache says what is wrong with it", "[kernels][bad-input]") {
  CHECK(check(Kv4Format{}) == FormatError::none);
  CHECK(check(Kv4Format{128, 32, 1}) == FormatError::none);
  for (const float clip : {0.0f, -1.0f, 1.1f, NAN}) CHECK(check(Kv4Format{128, 128, clip}) == FormatError::bad_clip);
  for (const auto& [size, group] : {std::pair<std::ptrdiff_t, std::ptrdiff_t>{128, 0}, {128, 48}, {128, 16}, {100, 100}, {96, 64}, {0, 32}, {-64, 32}, {64, 128}, {64, -32}})
    CHECK(check(Kv4Format{size, group, 1}) == FormatError::bad_group);
}
