#include <basin/kernels/dequantize_matmul.hpp>  // first: proves the header stands alone
#include <basin/kernels/dispatch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/random_layer.hpp"
#include "kernels/tested_kernels.hpp"
#include "support/catch.hpp"
#include "support/guarded.hpp"

using basin::Scheme;
using basin::kernels::KernelSet;
using basin::kernels::MatmulKernels;
using basin::test::normal_inputs;
using basin::test::PackedRandomLayer;

namespace {
std::size_t index(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

/// y, [batch, last - first], through one path; x and y start at addresses that suit no vector.
std::vector<float> multiply(const MatmulKernels& kernels, const basin::PackedLayer& layer, const std::vector<float>& x, std::ptrdiff_t batch,
                            std::ptrdiff_t first, std::ptrdiff_t last) {
  constexpr std::size_t guard = 64;
  const std::size_t workspace_size = kernels.workspace_size(layer, batch), scratch_size = kernels.scratch_size(layer, batch);
  const basin::test::AlignedBytes workspace(workspace_size + guard), scratch(scratch_size + guard);
  const std::ptrdiff_t x_stride = layer.n_in + 1, y_stride = last - first + 3;
  std::vector<float> inputs(index(batch * x_stride) + 1, std::numeric_limits<float>::quiet_NaN());
  for (std::ptrdiff_t v = 0; v < batch; ++v)
    for (std::ptrdiff_t i = 0; i < layer.n_in; ++i) inputs[index(1 + v * x_stride + i)] = x[index(v * layer.n_in + i)];
  // In two ranges and backwards: vectors do not depend on one another.
  kernels.prepare(layer, inputs.data() + 1, x_stride, batch, batch / 2, batch, workspace.data());
  kernels.prepare(layer, inputs.data() + 1, x_stride, batch, 0, batch / 2, workspace.data());
  std::vector<float> padded(index(batch * y_stride) + 1, -7.0f), y;
  kernels.run(layer, workspace.data(), batch, first, last, padded.data() + 1, y_stride, scratch.data());
  bool guarded = padded[0] == -7.0f;
  for (std::ptrdiff_t v = 0; v < batch; ++v)
    for (std::ptrdiff_t r = 0; r < y_stride; ++r) {
      const float value = padded[index(1 + v * y_stride + r)];
      if (r < last - first) y.push_back(value);
      else guarded &= value == -7.0f;
    }
  for (std::size_t i = 0; i < guard; ++i)
    guarded &= workspace.data()[workspace_size + i] == std::byte{0xa5} && scratch.data()[scratch_size + i] == std::byte{0xa5};
  CHECK(guarded);
  return y;
}

struct Precisions {
  const char* name;
  MatmulKernels KernelSet::* kernels;
  double limit;   ///< the largest integer of an input; 0 for floats
  double half_unit;  ///< half a weight's unit in steps of codebook entries
};
constexpr Precisions precisions[] = {
    {"exact", &KernelSet::matmul_exact, 0, 0}, {"int16", &KernelSet::matmul_int16, 2047, 8}, {"int8", &KernelSet::matmul_int8, 127, 128}};

/// What x, and the Accuracy line of DequantizeMatmul, for one vector.
struct Reference {
  std::vector<double> y, bound;
};
struct Weights {
  std::vector<double> sum, magnitude;  ///< [n_out, n_in]: of a weight's codewords, without the scale
  std::vector<double> largest;         ///< [n_out, blocks] of |sum|
  double codebooks = 0;                ///< sum over codebooks of the largest entry
};
Weights weights_of(const basin::AdditiveLayer& layer) {
  const std::ptrdiff_t g = layer.scheme.in_group_size, g_out = layer.scheme.out_group_size, m_count = layer.scheme.num_codebooks;
  const std::ptrdiff_t k_count = layer.scheme.codebook_size(), blocks = (layer.n_in + 511) / 512;
  const auto value = [&](std::ptrdiff_t m, std::ptrdiff_t k, std::ptrdiff_t p, std::ptrdiff_t i) {
    return static_cast<double>(basin::half_to_float(layer.codebooks[index(((m * k_count + k) * g_out + p) * g + i)]));
  };
  Weights all;
  all.largest.assign(index(layer.n_out * blocks), 0);
  for (std::ptrdiff_t r = 0; r < layer.n_out; ++r)
    for (std::ptrdiff_t i = 0; i < layer.n_in; ++i) {
      double sum = 0, magnitude = 0;
      for (std::ptrdiff_t m = 0; m < m_count; ++m) {
        const double entry = value(m, layer.codes[index((r / g_out * layer.num_in_groups() + i / g) * m_count + m)], r % g_out, i % g);
        sum += entry;
        magnitude += std::abs(entry);
      }
      all.sum.push_back(sum);
      all.magnitude.push_back(magnitude);
      double& largest = all.largest[index(r * blocks + i / 512)];
      largest = std::max(largest, std::abs(sum));
    }
  for (std::ptrdiff_t m = 0; m < m_count; ++m) {
    double largest = 0;
    for (std::ptrdiff_t k = 0; k < k_count; ++k)
      for (std::ptrdiff_t i = 0; i < g * g_out; ++i) largest = std::max(largest, std::abs(value(m, k, 0, i)));
    all.codebooks += largest;
  }
  return all;
}
Reference reference(const basin::AdditiveLayer& layer, const Weights& weights, const float* x, const Precisions& precision, bool planes) {
  const std::ptrdiff_t blocks = (layer.n_in + 511) / 512;
  const double m_count = layer.scheme.num_codebooks, u = weights.codebooks / 32500;
  Reference result;
  for (std::ptrdiff_t r = 0; r < layer.n_out; ++r) {
    const double scale = std::abs(static_cast<double>(basin::half_to_float(layer.scales[index(r / layer.scheme.out_group_size)])));
    double y = 0, bound = 0;
    for (std::ptrdiff_t b = 0; b < blocks; ++b) {
      const std::ptrdiff_t end = std::min(layer.n_in, 512 * b + 512);
      double largest = 0;
      for (std::ptrdiff_t i = 512 * b; i < end; ++i) largest = std::max(largest, std::abs(static_cast<double>(x[i])));
      for (std::ptrdiff_t i = 512 * b; i < end; ++i) {
        const double magnitude = weights.magnitude[index(r * layer.n_in + i)], input = static_cast<double>(x[i]);
        y += weights.sum[index(r * layer.n_in + i)] * input;
        if (precision.limit == 0) {
          bound += 2 * (static_cast<double>(layer.n_in) + m_count + 8) * 0x1p-24 * magnitude * std::abs(input);
        } else {
          const double error = planes ? (precision.half_unit + m_count / 2) * u : weights.largest[index(r * blocks + b)] / (2 * precision.limit);
          bound += error * std::abs(input) + (magnitude + error) * largest / (2 * precision.limit) +
                   2 * (m_count + static_cast<double>(blocks) + 8) * 0x1p-24 * magnitude * largest;
        }
      }
    }
    const double sign = basin::half_to_float(layer.scales[index(r / layer.scheme.out_group_size)]) < 0 ? -1 : 1;
    result.y.push_back(sign * scale * y);
    result.bound.push_back(scale * bound);
  }
  return result;
}
}  // namespace

TEST_CASE("DequantizeMatmul stays within its bound of the dense product on every path", "[kernels][reference]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{1, 8, 4, 1}, Scheme{3, 8, 16, 1}, Scheme{4, 4, 8, 1}, Scheme{3, 4, 4, 1}, Scheme{8, 6, 32, 1},
                                 Scheme{5, 6, 8, 1}, Scheme{7, 8, 5, 1}, Scheme{2, 6, 12, 1}, Scheme{3, 5, 4, 1}, Scheme{1, 12, 8, 1}, Scheme{2, 8, 8, 2},
                                 Scheme{1, 3, 3, 4});
  const auto [rows, n_in, batch] = GENERATE(table<std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t>(
      {{1, 1, 1}, {13, 131, 9}, {64, 256, 1}, {65, 257, 33}, {200, 520, 9}, {13, 1200, 7}, {1, 1024, 33}}));
  const std::ptrdiff_t n_out = rows * scheme.out_group_size;
  CAPTURE(scheme.num_codebooks, scheme.bits_per_code, scheme.in_group_size, n_out, n_in, batch);
  const PackedRandomLayer layer(scheme, n_out, n_in, 7);
  REQUIRE(layer.packed.codes != nullptr);
  std::vector<float> x = normal_inputs(batch * n_in, 9);
  for (std::ptrdiff_t i = 0; i < batch * n_in; i += 97) x[index(i)] *= 30;  // outliers, as language models have
  const Weights weights = weights_of(layer.stored);
  for (const Precisions& precision : precisions) {
    std::vector<Reference> want;
    for (std::ptrdiff_t v = 0; v < batch; ++v)
      want.push_back(reference(layer.stored, weights, x.data() + v * n_in, precision, layer.packed.family == basin::CodeFamily::planes));
    const KernelSet& plain = basin::kernels::available_kernels().front();
    const std::vector<float> scalar = multiply(plain.*precision.kernels, layer.packed, x, batch, 0, n_out);
    for (const KernelSet& set : basin::test::tested_kernels()) {
      CAPTURE(set.arch, precision.name);
      const std::vector<float> y = multiply(set.*precision.kernels, layer.packed, x, batch, 0, n_out);
      std::ptrdiff_t outside = 0;
      for (std::ptrdiff_t v = 0; v < batch; ++v)
        for (std::ptrdiff_t r = 0; r < n_out; ++r)
          outside += !(std::abs(static_cast<double>(y[index(v * n_out + r)]) - want[index(v)].y[index(r)]) <= want[index(v)].bound[index(r)]);
      CHECK(outside == 0);
      if (precision.limit > 0) CHECK(y == scalar);
    }
  }
}

TEST_CASE("Integer products of a language model's kind of layer are close", "[kernels][reference]") {
  basin::AdditiveLayer stored = basin::test::random_layer({2, 8, 8, 1}, 96, 2048, 21);
  basin::SplitMix64 random(22);
  for (auto& entry : stored.codebooks) entry = basin::float_to_half(static_cast<float>(random.normal()));
  const PackedRandomLayer layer(stored);
  const std::ptrdiff_t batch = 10;
  const std::vector<float> x = normal_inputs(batch * 2048, 23);
  const Weights weights = weights_of(layer.stored);
  for (const KernelSet& set : basin::test::tested_kernels())
    for (const Precisions& precision : precisions) {
      const std::vector<float> y = multiply(set.*precision.kernels, layer.packed, x, batch, 0, 96);
      double error = 0, norm = 0;
      for (std::ptrdiff_t v = 0; v < batch; ++v) {
        const Reference want = reference(layer.stored, weights, x.data() + v * 2048, precision, true);
        for (std::ptrdiff_t r = 0; r < 96; ++r) {
          const double difference = static_cast<double>(y[index(v * 96 + r)]) - want.y[index(r)];
          error += difference * difference;
          norm += want.y[index(r)] * want.y[index(r)];
        }
      }
      CAPTURE(set.arch, precision.name);
      CHECK(std::sqrt(error / norm) <= (precision.limit == 0 ? 1e-6 : precision.limit == 127 ? 1.7e-2 : 2e-3));
    }
}

TEST_CASE("A range of rows and fewer vectors give the bits of the whole", "[kernels][property]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{2, 6, 4, 1}, Scheme{4, 4, 16, 1}, Scheme{2, 8, 7, 1}, Scheme{2, 5, 8, 1}, Scheme{1, 9, 8, 2});
  const std::ptrdiff_t n_out = 330, n_in = 700, batch = 9;
  const PackedRandomLayer layer(scheme, n_out, n_in, 5);
  const std::vector<float> x = normal_inputs(batch * n_in, 6);
  for (const KernelSet& set : basin::test::tested_kernels())
    for (const Precisions& precision : precisions) {
      const MatmulKernels& kernels = set.*precision.kernels;
      CAPTURE(set.arch, precision.name, scheme.bits_per_code);
      const std::vector<float> whole = multiply(kernels, layer.packed, x, batch, 0, n_out);
      for (const auto& [first, last] : {std::pair<std::ptrdiff_t, std::ptrdiff_t>{0, 1}, {7, 9}, {31, 33}, {63, 65}, {127, 300}, {329, 330}, {40, 40}}) {
        const std::vector<float> part = multiply(kernels, layer.packed, x, batch, first, last);
        bool same = true;
        for (std::ptrdiff_t v = 0; v < batch; ++v)
          for (std::ptrdiff_t r = first; r < last; ++r) same &= part[index(v * (last - first) + r - first)] == whole[index(v * n_out + r)];
        CHECK(same);
      }
      for (const std::ptrdiff_t count : {1, 2, 3, 4, 5, 6, 7}) {
        const std::vector<float> some = multiply(kernels, layer.packed, x, count, 0, n_out);
        CHECK(some == std::vector<float>(whole.begin(), whole.begin() + count * n_out));
      }
    }
}

TEST_CASE("More vectors than are in flight at once", "[kernels][property]") {
  const PackedRandomLayer layer({2, 8, 8, 1}, 40, 24, 5);
  const std::ptrdiff_t batch = 800;
  const std::vector<float> x = normal_inputs(batch * 24, 6);
  for (const KernelSet& set : basin::test::tested_kernels())
    for (const Precisions& precision : precisions) {
      CAPTURE(set.arch, precision.name);
      const std::vector<float> whole = multiply(set.*precision.kernels, layer.packed, x, batch, 0, 40);
      const std::vector<float> last(x.end() - 24, x.end());
      CHECK(multiply(set.*precision.kernels, layer.packed, last, 1, 0, 40) == std::vector<float>(whole.end() - 40, whole.end()));
    }
}

TEST_CASE("Integer sums of a matmul cannot overflow", "[kernels][property]") {
  // Every weight and every input is the largest or smallest there is.
  const Scheme scheme = GENERATE(Scheme{8, 4, 1, 1}, Scheme{2, 8, 8, 1}, Scheme{1, 6, 32, 1}, Scheme{1, 5, 8, 1});
  const double m_count = scheme.num_codebooks;
  const std::ptrdiff_t n_in = 2048, n_out = 2;
  basin::AdditiveLayer stored{scheme, n_out, n_in, {}, {}, {}};
  for (std::ptrdiff_t o = 0; o < n_out; ++o)
    for (std::ptrdiff_t i = 0; i < stored.num_in_groups() * scheme.num_codebooks; ++i)
      stored.codes.push_back(static_cast<std::uint16_t>(o == 0 ? 0 : scheme.codebook_size() - 1));
  for (int m = 0; m < scheme.num_codebooks; ++m)
    for (std::ptrdiff_t k = 0; k < scheme.codebook_size(); ++k)
      for (int i = 0; i < scheme.in_group_size; ++i) stored.codebooks.push_back(basin::float_to_half(k == 0 ? 1.0f : -1.0f));
  stored.scales.assign(2, basin::float_to_half(1.0f));
  const PackedRandomLayer layer(stored);
  for (const float input : {1.0f, -1.0f, 3e37f})
    for (const KernelSet& set : basin::test::tested_kernels())
      for (const Precisions& precision : precisions) {
        CAPTURE(set.arch, precision.name, scheme.num_codebooks, input);
        const std::vector<float> y = multiply(set.*precision.kernels, layer.packed, std::vector<float>(index(n_in), input), 1, 0, n_out);
        const double want = m_count * static_cast<double>(n_in) * static_cast<double>(input);
        if (want < 1e38) CHECK(std::abs(static_cast<double>(y[0]) - want) <= std::abs(want) * (precision.limit > 0 ? 1 / precision.limit : 1e-3));
        CHECK(y[1] == -y[0]);
      }
}

TEST_CASE("Zero, tiny, huge and non-finite inputs of a matmul", "[kernels][property]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{2, 5, 8, 1});
  const std::ptrdiff_t n_in = 600, n_out = 70, batch = 9;
  const PackedRandomLayer layer(scheme, n_out, n_in, 8);
  const std::vector<float> normal = normal_inputs(batch * n_in, 6);
  for (const KernelSet& set : basin::test::tested_kernels())
    for (const Precisions& precision : precisions) {
      CAPTURE(set.arch, precision.name);
      const MatmulKernels& kernels = set.*precision.kernels;
      CHECK(multiply(kernels, layer.packed, std::vector<float>(index(batch * n_in), 0.0f), batch, 0, n_out) == std::vector<float>(index(batch * n_out), 0.0f));
      for (const float value : multiply(kernels, layer.packed, std::vector<float>(index(n_in), 1e-42f), 1, 0, n_out)) CHECK(std::abs(value) <= 1e-42f * 1200);
      for (const float value : multiply(kernels, layer.packed, std::vector<float>(index(n_in), 1e35f), 1, 0, n_out)) CHECK(std::isfinite(value));
      const std::vector<float> want = multiply(kernels, layer.packed, normal, batch, 0, n_out);
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
        std::vector<float> x = normal;
        x[index(4 * n_in + 555)] = bad;
        const std::vector<float> y = multiply(kernels, layer.packed, x, batch, 0, n_out);
        bool same = true, marked = true;
        for (std::ptrdiff_t v = 0; v < batch; ++v)
          for (std::ptrdiff_t r = 0; r < n_out; ++r)
            if (v == 4) marked &= !std::isfinite(y[index(v * n_out + r)]);
            else same &= y[index(v * n_out + r)] == want[index(v * n_out + r)];
        CHECK(same);
        CHECK(marked);
      }
    }
}

TEST_CASE("Zero codebooks and scales give zero", "[kernels][property]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{2, 5, 8, 1});
  basin::AdditiveLayer stored = basin::test::random_layer(scheme, 40, 100, 4);
  if (GENERATE(false, true)) stored.scales.assign(stored.scales.size(), 0);
  else stored.codebooks.assign(stored.codebooks.size(), 0);
  const PackedRandomLayer layer(stored);
  const std::vector<float> x = normal_inputs(9 * 100, 6);
  for (const KernelSet& set : basin::test::tested_kernels())
    for (const Precisions& precision : precisions) {
      CAPTURE(set.arch, precision.name);
      CHECK(multiply(set.*precision.kernels, layer.packed, x, 9, 0, 40) == std::vector<float>(360, 0.0f));
    }
}

TEST_CASE("DequantizeMatmul reads nothing behind the packed bytes and inputs", "[kernels][property]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{3, 4, 4, 1}, Scheme{5, 6, 16, 1}, Scheme{2, 4, 7, 1}, Scheme{1, 12, 8, 1}, Scheme{3, 5, 24, 2});
  const std::ptrdiff_t n_in = GENERATE(1, 100, 520), batch = 3, n_out = 60;  // no multiple of a tile's rows
  const PackedRandomLayer layer(scheme, n_out, n_in, 12);
  const basin::test::GuardedBytes memory(basin::packed_layer_bytes(scheme, n_out, n_in));
  const basin::PackedLayer guarded = basin::pack_layer(view(layer.stored), memory.span()).layer;
  REQUIRE(guarded.codes != nullptr);
  const std::vector<float> x = normal_inputs(batch * n_in, 6);
  const basin::test::GuardedBytes inputs(x.size() * sizeof(float));
  std::memcpy(inputs.data(), x.data(), x.size() * sizeof(float));
  for (const KernelSet& set : basin::test::tested_kernels())
    for (const Precisions& precision : precisions) {
      CAPTURE(set.arch, precision.name, scheme.num_codebooks, scheme.bits_per_code, n_in);
      const MatmulKernels& kernels = set.*precision.kernels;
      const basin::test::AlignedBytes workspace(kernels.workspace_size(guarded, batch)), scratch(kernels.scratch_size(guarded, batch));
      std::vector<float> y(index(batch * n_out));
      kernels.prepare(guarded, reinterpret_cast<const float*>(inputs.data()), n_in, batch, 0, batch, workspace.data());
      kernels.run(guarded, workspace.data(), batch, 0, n_out, y.data(), n_out, scratch.data());
      CHECK(y == multiply(kernels, layer.packed, x, batch, 0, n_out));
    }
}
