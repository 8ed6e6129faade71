#include <basin/kernels/lut_matvec.hpp>  // first: proves the header stands alone
#include <basin/kernels/dispatch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "kernels/random_layer.hpp"
#include "kernels/tested_kernels.hpp"
#include "support/catch.hpp"

using basin::Scheme;
using basin::kernels::KernelSet;
using basin::kernels::MatvecKernels;
using basin::test::normal_inputs;
using basin::test::PackedRandomLayer;

namespace {
std::size_t index(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

/// y, [batch, last - first], through one path.
std::vector<float> multiply(const MatvecKernels& kernels, const basin::PackedLayer& layer, const std::vector<float>& x, int batch,
                            std::ptrdiff_t first, std::ptrdiff_t last) {
  const basin::test::AlignedBytes workspace(kernels.workspace_size(layer, batch));
  const std::ptrdiff_t blocks = basin::num_input_blocks(layer), stride = last - first + 3;
  // In two ranges and backwards: blocks do not depend on one another.
  kernels.build_tables(layer, x.data(), layer.n_in, batch, blocks / 2, blocks, workspace.data());
  kernels.build_tables(layer, x.data(), layer.n_in, batch, 0, blocks / 2, workspace.data());
  std::vector<float> padded(index(batch * stride), -7.0f), y;
  kernels.run(layer, workspace.data(), batch, first, last, padded.data(), stride);
  for (int v = 0; v < batch; ++v)
    for (std::ptrdiff_t r = 0; r < stride; ++r)
      if (r < last - first) y.push_back(padded[index(v * stride + r)]);
      else CHECK(padded[index(v * stride + r)] == -7.0f);
  return y;
}

struct Precisions {
  const char* name;
  MatvecKernels KernelSet::* kernels;
  double limit;  ///< entries that a table's step is chosen for; 0 for float tables
};
constexpr Precisions precisions[] = {
    {"exact", &KernelSet::matvec_exact, 0}, {"int16", &KernelSet::matvec_int16, 32767}, {"int8", &KernelSet::matvec_int8, 127}};

/// The Accuracy line of LutMatvec, per row.
std::vector<double> bounds(const basin::AdditiveLayer& layer, const float* x, double limit) {
  const std::ptrdiff_t g = layer.scheme.in_group_size, groups = layer.num_in_groups(), m_count = layer.scheme.num_codebooks;
  const auto value = [&](std::ptrdiff_t m, std::ptrdiff_t k, std::ptrdiff_t i) {
    return static_cast<double>(basin::half_to_float(layer.codebooks[index((m * layer.scheme.codebook_size() + k) * g + i)]));
  };
  double largest_norm = 0, largest_input = 0, steps = 0;
  for (std::ptrdiff_t m = 0; m < m_count; ++m)
    for (std::ptrdiff_t k = 0; k < layer.scheme.codebook_size(); ++k) {
      double sum = 0;
      for (std::ptrdiff_t i = 0; i < g; ++i) sum += value(m, k, i) * value(m, k, i);
      largest_norm = std::max(largest_norm, std::sqrt(sum));
    }
  for (std::ptrdiff_t j = 0; j < groups; ++j) {
    double sum = 0;
    for (std::ptrdiff_t i = j * g; i < layer.n_in && i < (j + 1) * g; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    largest_input = std::max(largest_input, std::sqrt(sum));
  }
  if (limit > 0) {
    const double unit = largest_norm * largest_input * 1.0002 / (127 * limit);
    for (std::ptrdiff_t j = 0; j < groups; ++j)
      for (std::ptrdiff_t m = 0; m < m_count; ++m) {
        double largest = 0;
        for (std::ptrdiff_t k = 0; k < layer.scheme.codebook_size(); ++k) {
          double product = 0;
          for (std::ptrdiff_t i = 0; i < g && j * g + i < layer.n_in; ++i) product += value(m, k, i) * static_cast<double>(x[j * g + i]);
          largest = std::max(largest, std::abs(product));
        }
        steps += unit * std::max(1.0, std::ceil(largest * 1.0001 / (unit * limit)));
      }
  }
  std::vector<double> bound;
  for (std::ptrdiff_t o = 0; o < layer.n_out; ++o) {
    double magnitude = 0;
    for (std::ptrdiff_t i = 0; i < layer.n_in; ++i)
      for (std::ptrdiff_t m = 0; m < m_count; ++m)
        magnitude += std::abs(value(m, layer.codes[index((o * groups + i / g) * m_count + m)], i % g) * static_cast<double>(x[i]));
    const double scale = static_cast<double>(basin::half_to_float(layer.scales[index(o)]));
    bound.push_back(scale * (2 * static_cast<double>(layer.n_in + m_count * groups + 8) * 0x1p-24 * magnitude + steps * 0.5001));
  }
  return bound;
}
}  // namespace

TEST_CASE("LutMatvec stays within its bound of the dense product on every path", "[kernels][reference]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{1, 8, 4, 1}, Scheme{3, 8, 8, 1}, Scheme{4, 4, 8, 1}, Scheme{3, 4, 16, 1},
                                 Scheme{1, 4, 32, 1}, Scheme{2, 6, 8, 1}, Scheme{3, 6, 8, 1}, Scheme{8, 6, 16, 1}, Scheme{5, 6, 4, 1},
                                 Scheme{7, 8, 5, 1}, Scheme{3, 5, 4, 1}, Scheme{1, 12, 8, 1}, Scheme{2, 1, 1, 1}, Scheme{2, 3, 3, 1});
  const auto [n_out, n_in] = GENERATE(table<std::ptrdiff_t, std::ptrdiff_t>({{1, 1}, {13, 131}, {64, 256}, {65, 257}, {200, 520}}));
  CAPTURE(scheme.num_codebooks, scheme.bits_per_code, scheme.in_group_size, n_out, n_in);
  const PackedRandomLayer layer(scheme, n_out, n_in, 7);
  REQUIRE(layer.packed.codes != nullptr);
  const std::vector<float> x = normal_inputs(n_in, 9);
  const std::vector<double> weight = basin::test::reference_weight(layer.stored);
  for (const KernelSet& set : basin::test::tested_kernels())
    for (const Precisions& precision : precisions) {
      const bool tables = layer.packed.family == basin::CodeFamily::planes;
      const std::vector<double> bound = bounds(layer.stored, x.data(), tables ? precision.limit : 0);
      const std::vector<float> y = multiply(set.*precision.kernels, layer.packed, x, 1, 0, n_out);
      std::ptrdiff_t outside = 0;
      for (std::ptrdiff_t o = 0; o < n_out; ++o) {
        double want = 0;
        for (std::ptrdiff_t i = 0; i < n_in; ++i) want += weight[index(o * n_in + i)] * static_cast<double>(x[index(i)]);
        outside += !(std::abs(static_cast<double>(y[index(o)]) - want) <= bound[index(o)]);
      }
      CAPTURE(set.arch, precision.name);
      CHECK(outside == 0);
    }
}

TEST_CASE("Codes of every width decode, across rows, odd groups and what is unpacked at once", "[kernels][reference]") {
  const int bits = GENERATE(range(1, 17));
  const auto [codebooks, g] = GENERATE(table<int, int>({{1, 8}, {3, 8}, {2, 13}, {1, 32}}));
  const std::ptrdiff_t n_out = 6, n_in = g * 66 + 3;
  CAPTURE(bits, codebooks, g);
  const PackedRandomLayer layer({codebooks, bits, g, 1}, n_out, n_in, 11);
  const std::vector<float> x = normal_inputs(n_in, 12);
  const std::vector<double> weight = basin::test::reference_weight(layer.stored), bound = bounds(layer.stored, x.data(), 0);
  for (const KernelSet& set : basin::test::tested_kernels()) {
    const std::vector<float> y = multiply(set.matvec_exact, layer.packed, x, 1, 0, n_out);
    std::ptrdiff_t outside = 0;
    for (std::ptrdiff_t o = 0; o < n_out; ++o) {
      double want = 0;
      for (std::ptrdiff_t i = 0; i < n_in; ++i) want += weight[index(o * n_in + i)] * static_cast<double>(x[index(i)]);
      outside += !(std::abs(static_cast<double>(y[index(o)]) - want) <= bound[index(o)]);
    }
    CAPTURE(set.arch);
    CHECK(outside == 0);
  }
}

TEST_CASE("Inputs and outputs may lie on any float", "[kernels][property]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{3, 6, 8, 1}, Scheme{4, 4, 8, 1}, Scheme{3, 5, 8, 1}, Scheme{1, 9, 12, 1});
  const std::ptrdiff_t offset = GENERATE(1, 2, 3, 5);
  const std::ptrdiff_t n_out = 131, n_in = 301;
  CAPTURE(scheme.num_codebooks, scheme.bits_per_code, offset);
  const PackedRandomLayer layer(scheme, n_out, n_in, 13);
  const std::vector<float> x = normal_inputs(2 * n_in, 14);
  // Memory that ends with the last input and the last output, and rows that are an odd distance apart.
  const std::ptrdiff_t x_stride = n_in + 2, y_stride = n_out + 4;
  std::vector<float> inputs(index(offset + x_stride + n_in), 0.0f);
  for (std::ptrdiff_t i = 0; i < n_in; ++i) {
    inputs[index(offset + i)] = x[index(i)];
    inputs[index(offset + x_stride + i)] = x[index(n_in + i)];
  }
  for (const KernelSet& set : basin::test::tested_kernels())
    for (const Precisions& precision : precisions) {
      const MatvecKernels& kernels = set.*precision.kernels;
      CAPTURE(set.arch, precision.name);
      const basin::test::AlignedBytes workspace(kernels.workspace_size(layer.packed, 2));
      std::vector<float> outputs(index(offset + y_stride + n_out), -7.0f);
      kernels.build_tables(layer.packed, inputs.data() + offset, x_stride, 2, 0, basin::num_input_blocks(layer.packed), workspace.data());
      kernels.run(layer.packed, workspace.data(), 2, 0, n_out, outputs.data() + offset, y_stride);
      const std::vector<float> want = multiply(kernels, layer.packed, x, 2, 0, n_out);
      bool same = true;
      for (std::ptrdiff_t r = 0; r < n_out; ++r)
        same &= outputs[index(offset + r)] == want[index(r)] && outputs[index(offset + y_stride + r)] == want[index(n_out + r)];
      CHECK(same);
      for (std::ptrdiff_t i = 0; i < offset; ++i) CHECK(outputs[index(i)] == -7.0f);
      for (std::ptrdiff_t r = n_out; r < y_stride; ++r) CHECK(outputs[index(offset + r)] == -7.0f);
    }
}

TEST_CASE("Look-ups give the same bits on every path", "[kernels][reference]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{3, 8, 4, 1}, Scheme{4, 4, 8, 1}, Scheme{3, 4, 7, 1}, Scheme{3, 6, 8, 1}, Scheme{1, 6, 16, 1});
  const auto [n_out, n_in] = GENERATE(table<std::ptrdiff_t, std::ptrdiff_t>({{70, 300}, {129, 1031}, {1, 8}}));
  CAPTURE(scheme.num_codebooks, scheme.bits_per_code, n_out, n_in);
  const PackedRandomLayer layer(scheme, n_out, n_in, 3);
  const std::vector<float> x = normal_inputs(3 * n_in, 4);
  for (const Precisions& precision : precisions) {
    const KernelSet& scalar = basin::kernels::available_kernels().front();
    const std::vector<float> want = multiply(scalar.*precision.kernels, layer.packed, x, 3, 0, n_out);
    for (const KernelSet& set : basin::test::tested_kernels()) {
      CAPTURE(set.arch, precision.name);
      CHECK(multiply(set.*precision.kernels, layer.packed, x, 3, 0, n_out) == want);
    }
  }
}

TEST_CASE("A range of rows and a batch give the bits of the whole and of one input", "[kernels][property]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{2, 6, 8, 1}, Scheme{4, 4, 8, 1}, Scheme{2, 5, 8, 1});
  const std::ptrdiff_t n_out = 9000, n_in = 70;  // more rows than are in flight at once
  const PackedRandomLayer layer(scheme, n_out, n_in, 5);
  const std::vector<float> x = normal_inputs(8 * n_in, 6);
  for (const KernelSet& set : basin::test::tested_kernels())
    for (const Precisions& precision : precisions) {
      const MatvecKernels& kernels = set.*precision.kernels;
      CAPTURE(set.arch, precision.name, scheme.bits_per_code);
      const std::vector<float> whole = multiply(kernels, layer.packed, x, 8, 0, n_out);
      for (const auto& [first, last] : {std::pair<std::ptrdiff_t, std::ptrdiff_t>{0, 1}, {63, 65}, {127, 300}, {8999, 9000}, {4000, 4000}}) {
        const std::vector<float> part = multiply(kernels, layer.packed, x, 8, first, last);
        bool same = true;
        for (int v = 0; v < 8; ++v)
          for (std::ptrdiff_t r = first; r < last; ++r) same &= part[index(v * (last - first) + r - first)] == whole[index(v * n_out + r)];
        CHECK(same);
      }
      const std::vector<float> last_input(x.begin() + 7 * n_in, x.end());
      const std::vector<float> alone = multiply(kernels, layer.packed, last_input, 1, 0, n_out);
      CHECK(alone == std::vector<float>(whole.begin() + 7 * n_out, whole.end()));
    }
}

TEST_CASE("Integer sums cannot overflow", "[kernels][property]") {
  // Every entry that is looked up is the largest or smallest there is, in many groups of many codebooks.
  const Scheme scheme = GENERATE(Scheme{8, 4, 1, 1}, Scheme{8, 8, 1, 1});
  const std::ptrdiff_t n_in = 20000, n_out = 2;
  basin::AdditiveLayer stored{scheme, n_out, n_in, {}, {}, {}};
  for (std::ptrdiff_t o = 0; o < n_out; ++o)
    for (std::ptrdiff_t i = 0; i < n_in * 8; ++i) stored.codes.push_back(static_cast<std::uint16_t>(o == 0 ? 0 : scheme.codebook_size() - 1));
  for (int m = 0; m < 8; ++m)
    for (std::ptrdiff_t k = 0; k < scheme.codebook_size(); ++k) stored.codebooks.push_back(basin::float_to_half(k == 0 ? 1.0f : -1.0f));
  stored.scales.assign(2, basin::float_to_half(1.0f));
  const PackedRandomLayer layer(stored);
  const std::vector<float> x(index(n_in), 1.0f);
  for (const KernelSet& set : basin::test::tested_kernels())
    for (const Precisions& precision : precisions) {
      CAPTURE(set.arch, precision.name, scheme.bits_per_code);
      const std::vector<float> y = multiply(set.*precision.kernels, layer.packed, x, 1, 0, n_out);
      CHECK(std::abs(static_cast<double>(y[0]) - 160000) <= 160000 * (precision.limit > 0 ? 0.5001 / precision.limit + 1e-4 : 1e-6));
      CHECK(y[1] == -y[0]);
    }
}

TEST_CASE("Zero, tiny and non-finite inputs", "[kernels][property]") {
  const PackedRandomLayer layer({2, 8, 8, 1}, 70, 300, 8);
  for (const KernelSet& set : basin::test::tested_kernels())
    for (const Precisions& precision : precisions) {
      CAPTURE(set.arch, precision.name);
      const MatvecKernels& kernels = set.*precision.kernels;
      CHECK(multiply(kernels, layer.packed, std::vector<float>(300, 0.0f), 1, 0, 70) == std::vector<float>(70, 0.0f));
      for (const float value : multiply(kernels, layer.packed, std::vector<float>(300, 1e-42f), 1, 0, 70)) CHECK(std::abs(value) <= 1e-30f * 600);
      std::vector<float> x(300, 1.0f);
      x[100] = std::numeric_limits<float>::quiet_NaN();
      for (const float value : multiply(kernels, layer.packed, x, 1, 0, 70)) CHECK(std::isnan(value));
      x[100] = std::numeric_limits<float>::infinity();
      for (const float value : multiply(kernels, layer.packed, x, 1, 0, 70)) CHECK(!std::isfinite(value));
    }
}
