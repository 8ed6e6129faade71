#include <basin/kernels/quantize_activations.hpp>  // first: proves the header stands alone

#include <basin/layout/pack_int4.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "kernels/level_product.hpp"
#include "kernels/random_layer.hpp"
#include "kernels/tested_kernels.hpp"
#include "support/catch.hpp"

using basin::kernels::ActivationFormat;
using basin::kernels::KernelSet;
using basin::kernels::QuantizedActivations;
using basin::test::Activations;
using basin::test::normal_inputs;

TEST_CASE("The example of four-bit activations", "[kernels][golden]") {
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch);
    const Activations x(kernels.activations, {4, 0.9f, 0}, {0.5f, -3.5f, 7.0f, 1.2f}, 4, 1);
    CHECK(x.view().steps[0] == 0.9f);
    const int want[] = {1, -4, 7, 1};  // decoded: 0.9, -3.6, 6.3, 0.9
    for (int i = 0; i < 4; ++i) CHECK(x.view().values[i] == want[i]);
  }
}

TEST_CASE("Activations are what the formula says, on every path", "[kernels][reference]") {
  const std::ptrdiff_t n_in = GENERATE(1, 15, 16, 17, 63, 64, 200, 1000), batch = 3;
  const ActivationFormat format = GENERATE(ActivationFormat{}, ActivationFormat{4, 0.9f, 0}, ActivationFormat{8, 0.3f, 64}, ActivationFormat{4, 1, 16});
  CAPTURE(n_in, format.bits, format.group);
  std::vector<float> x = normal_inputs(batch * n_in, 2);
  for (std::size_t i = 0; i < x.size(); i += 5) x[i] = std::round(x[i]) / 2;  // some ties
  const double limit = format.bits == 8 ? 127 : 7;
  const std::ptrdiff_t group = format.group == 0 ? n_in : format.group;
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch);
    const Activations activations(kernels.activations, format, x, n_in, batch);
    const QuantizedActivations got = activations.view();
    CHECK(got.groups == (n_in + group - 1) / group);
    std::ptrdiff_t wrong = 0;
    for (std::ptrdiff_t v = 0; v < batch; ++v) {
      for (std::ptrdiff_t g = 0; g < got.groups; ++g) {
        const std::ptrdiff_t first = g * group, last = std::min(n_in, first + group);
        float largest = 0;
        for (std::ptrdiff_t i = first; i < last; ++i) largest = std::max(largest, std::abs(x[static_cast<std::size_t>(v * n_in + i)]));
        const float step = largest == 0 ? 1.0f : format.clip * largest / static_cast<float>(limit);
        wrong += got.steps[v * got.groups + g] != step;
        std::int32_t sum = 0;
        for (std::ptrdiff_t i = first; i < last; ++i) {
          const double q = std::clamp(std::nearbyint(static_cast<double>(x[static_cast<std::size_t>(v * n_in + i)] / step)), -limit - 1, limit);
          wrong += got.values[v * got.row_bytes + i] != static_cast<int>(q);
          sum += static_cast<int>(q);
        }
        wrong += got.sums[v * got.groups + g] != sum;
      }
      for (std::ptrdiff_t i = n_in; i < got.row_bytes; ++i) wrong += got.values[v * got.row_bytes + i] != 0;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("Activations twice as large decode to twice as much, and what is not clipped is half a step away", "[kernels][property]") {
  const std::ptrdiff_t n_in = 200;
  const ActivationFormat format = GENERATE(ActivationFormat{}, ActivationFormat{4, 0.9f, 0}, ActivationFormat{4, 1, 16});
  const std::vector<float> x = normal_inputs(n_in, 3);
  std::vector<float> twice = x;
  for (float& value : twice) value *= 2;
  const float limit = format.bits == 8 ? 127 : 7;
  const std::ptrdiff_t group = format.group == 0 ? n_in : format.group;
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch);
    const Activations once(kernels.activations, format, x, n_in, 1), doubled(kernels.activations, format, twice, n_in, 1);
    for (std::ptrdiff_t i = 0; i < n_in; ++i) {
      const float step = once.view().steps[i / group], value = x[static_cast<std::size_t>(i)];
      CHECK(doubled.view().steps[i / group] == 2 * step);
      CHECK(doubled.view().values[i] == once.view().values[i]);
      const float decoded = step * static_cast<float>(once.view().values[i]);
      if (std::abs(value) <= limit * step) CHECK(std::abs(value - decoded) <= step / 2 * (1 + 0x1p-16f));
    }
  }
}

TEST_CASE("Packed integers of four bits give the workspace that they came from", "[kernels][property]") {
  const std::ptrdiff_t n_in = GENERATE(1, 2, 31, 64, 333), batch = 3;
  const ActivationFormat format = GENERATE(ActivationFormat{4, 0.9f, 0}, ActivationFormat{4, 1, 48});
  const KernelSet& plain = basin::kernels::available_kernels().front();
  const Activations want(plain.activations, format, normal_inputs(batch * n_in, 3), n_in, batch);
  const std::size_t row = basin::int4_bytes(static_cast<std::size_t>(n_in));
  std::vector<std::uint8_t> packed(row * static_cast<std::size_t>(batch));
  for (std::ptrdiff_t v = 0; v < batch; ++v)
    basin::pack_int4(std::span(want.view().values + v * want.view().row_bytes, static_cast<std::size_t>(n_in)),
                     std::span(packed).subspan(static_cast<std::size_t>(v) * row, row));
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch, n_in, format.group);
    const Activations got(plain.activations, format, std::vector<float>(static_cast<std::size_t>(batch * n_in), 1.0f), n_in, batch);
    kernels.activations.run_int4(format, packed.data(), want.view().steps, n_in, batch, 1, batch, got.bytes.data());
    kernels.activations.run_int4(format, packed.data(), want.view().steps, n_in, batch, 0, 1, got.bytes.data());
    got.check_guard();
    CHECK(std::memcmp(got.bytes.data(), want.bytes.data(), want.bytes.size()) == 0);
  }
}

TEST_CASE("Groups that are zero or not finite", "[kernels][property]") {
  std::vector<float> x = normal_inputs(64, 4);
  for (std::size_t i = 0; i < 16; ++i) x[i] = i % 2 == 0 ? 0.0f : -0.0f;
  for (std::size_t i = 16; i < 32; ++i) x[i] = 1e-45f;
  x[40] = -std::numeric_limits<float>::infinity();
  for (const KernelSet& kernels : basin::test::tested_kernels()) {
    CAPTURE(kernels.arch);
    const Activations activations(kernels.activations, {8, 1, 16}, x, 64, 1);
    const QuantizedActivations got = activations.view();
    CHECK(got.steps[0] == 1.0f);
    CHECK(got.steps[1] == 1.0f);
    CHECK(std::isnan(got.steps[2]));
    CHECK(std::isfinite(got.steps[3]));
    for (int i = 0; i < 48; ++i) CHECK(got.values[i] == 0);
  }
}
