#pragma once

#include <basin/core/half.hpp>
#include <basin/core/random.hpp>
#include <basin/core/scheme.hpp>
#include <basin/core/scheme_text.hpp>
#include <basin/kernels/dispatch.hpp>
#include <basin/layout/additive_layer.hpp>
#include <basin/layout/pack_layer.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/bench.hpp"

namespace basin::bench {
inline constexpr Scheme kernel_schemes[] = {{2, 8, 8, 1}, {4, 4, 8, 1}, {2, 6, 8, 1}, {1, 16, 8, 1}};

/// A layer as kernels read it, an input, and what is right about their product. Codes are drawn at
/// random, codewords and inputs are normal.
class PackedBenchLayer {
 public:
  PackedBenchLayer(const Scheme& scheme, const Shape& shape)
      : stored{scheme, shape.n_out, shape.n_in, {}, {}, {}},
        x(normal_floats(static_cast<std::size_t>(shape.n_in), 11)),
        bytes_(packed_layer_bytes(scheme, shape.n_out, shape.n_in)) {
    fill_stored();
    const PackResult result = pack_layer(view(stored), std::span<std::byte>(bytes_.data(), bytes_.size()));
    if (result.error != PackError::none) throw std::runtime_error(std::string("pack_layer: ") + describe(result.error));
    packed = result.layer;
    const std::ptrdiff_t rows = packed.family == CodeFamily::planes ? packed.padded_rows : stored.num_out_groups();
    copies = RotatingCopies<std::uint8_t>(packed.codes, static_cast<std::size_t>(rows * packed.row_bytes));
    multiply();
  }

  [[nodiscard]] Shape shape() const noexcept { return {stored.n_out, stored.n_in}; }
  /// What a kernel has to read for each weight: codes, scales and codebooks.
  [[nodiscard]] double bytes_per_weight() const noexcept { return static_cast<double>(bytes_.size()) / shape().num_weights(); }
  [[nodiscard]] const ReadLimit& limit() { return read_limit(packed.codes, copies); }
  /// The layer with its codes where no cache has them.
  [[nodiscard]] PackedLayer cold() noexcept {
    PackedLayer layer = packed;
    layer.codes = copies.next();
    return layer;
  }
  /// The Accuracy line of LutMatvec for row o; entry_limit: 127, 32767, or 0 for float tables.
  [[nodiscard]] double matvec_bound(std::size_t o, double entry_limit) const noexcept {
    const double terms = static_cast<double>(stored.n_in + stored.scheme.num_codebooks * stored.num_in_groups() + 8);
    const double scale = static_cast<double>(half_to_float(stored.scales[o]));
    const bool has_tables = packed.family == CodeFamily::planes && entry_limit > 0;
    return scale * (2 * terms * 0x1p-24 * magnitude_[o] + (has_tables ? 0.5001 * step_sum(entry_limit) : 0));
  }

  AdditiveLayer stored;
  PackedLayer packed;
  Buffer<float> x;                       ///< [n_in]
  std::vector<double> y;                 ///< What x in double, [n_out]
  RotatingCopies<std::uint8_t> copies;

 private:
  [[nodiscard]] static std::size_t at(std::ptrdiff_t i) noexcept { return static_cast<std::size_t>(i); }

  void fill_stored() {
    SplitMix64 random(5);
    stored.codes.resize(at(stored.num_out_groups() * stored.num_in_groups() * stored.scheme.num_codebooks));
    const auto mask = static_cast<std::uint16_t>(stored.scheme.codebook_size() - 1);
    for (std::uint16_t& code : stored.codes) code = static_cast<std::uint16_t>(random() & mask);
    stored.codebooks.resize(at(stored.scheme.num_codebooks * stored.scheme.codebook_size() * stored.scheme.codeword_size()));
    for (std::uint16_t& value : stored.codebooks) value = float_to_half(static_cast<float>(random.normal()));
    stored.scales.resize(at(stored.num_out_groups()));
    for (std::uint16_t& scale : stored.scales) scale = float_to_half(static_cast<float>(0.01 * (0.5 + random.uniform())));
  }

  /// y, and for every row sum_j sum_m sum_i |C_i x_i|, by way of every codeword's product with every input group.
  void multiply() {
    const std::ptrdiff_t g = stored.scheme.in_group_size, m_count = stored.scheme.num_codebooks;
    const std::ptrdiff_t size = stored.scheme.codebook_size(), groups = stored.num_in_groups();
    std::vector<double> codebooks;
    for (const std::uint16_t value : stored.codebooks) codebooks.push_back(static_cast<double>(half_to_float(value)));
    y.assign(at(stored.n_out), 0);
    magnitude_.assign(at(stored.n_out), 0);
    largest_.assign(at(groups * m_count), 0);
    std::vector<double> products(at(size)), magnitudes(at(size));
    for (std::ptrdiff_t j = 0; j < groups; ++j)
      for (std::ptrdiff_t m = 0; m < m_count; ++m) {
        for (std::ptrdiff_t k = 0; k < size; ++k) {
          double product = 0, magnitude = 0;
          for (std::ptrdiff_t i = 0; i < g && j * g + i < stored.n_in; ++i) {
            const double term = codebooks[at((m * size + k) * g + i)] * static_cast<double>(x[at(j * g + i)]);
            product += term;
            magnitude += std::abs(term);
          }
          products[at(k)] = product;
          magnitudes[at(k)] = magnitude;
          largest_[at(j * m_count + m)] = std::max(largest_[at(j * m_count + m)], std::abs(product));
        }
        for (std::ptrdiff_t o = 0; o < stored.n_out; ++o) {
          const std::size_t code = stored.codes[at((o * groups + j) * m_count + m)];
          y[at(o)] += products[code];
          magnitude_[at(o)] += magnitudes[code];
        }
      }
    for (std::ptrdiff_t o = 0; o < stored.n_out; ++o) y[at(o)] *= static_cast<double>(half_to_float(stored.scales[at(o)]));
    for (std::size_t at_codeword = 0; at_codeword < codebooks.size(); at_codeword += at(g)) {
      double sum = 0;
      for (std::size_t i = 0; i < at(g); ++i) sum += codebooks[at_codeword + i] * codebooks[at_codeword + i];
      codeword_norm_ = std::max(codeword_norm_, std::sqrt(sum));
    }
    for (std::ptrdiff_t j = 0; j < groups; ++j) {
      double sum = 0;
      for (std::ptrdiff_t i = j * g; i < (j + 1) * g && i < stored.n_in; ++i)
        sum += static_cast<double>(x[at(i)]) * static_cast<double>(x[at(i)]);
      input_norm_ = std::max(input_norm_, std::sqrt(sum));
    }
  }

  /// sum_j sum_m step[j, m], each a whole multiple, up to 127 or so, of one unit.
  [[nodiscard]] double step_sum(double entry_limit) const noexcept {
    const double unit = codeword_norm_ * input_norm_ * 1.0002 / (127 * entry_limit);
    double sum = 0;
    for (const double largest : largest_) sum += unit * std::max(1.0, std::ceil(largest * 1.0001 / (unit * entry_limit)));
    return sum;
  }

  Buffer<std::byte> bytes_;
  std::vector<double> magnitude_, largest_;
  double codeword_norm_ = 0, input_norm_ = 0;
};

/// The layer of a scheme and shape. Only the last one is kept: benchmarks come in that order.
[[nodiscard]] inline PackedBenchLayer& packed_bench_layer(const Scheme& scheme, const Shape& shape) {
  static std::unique_ptr<PackedBenchLayer> kept;
  if (kept == nullptr || !(kept->stored.scheme == scheme) || !(kept->shape() == shape)) {
    kept.reset();
    kept = std::make_unique<PackedBenchLayer>(scheme, shape);
  }
  return *kept;
}

/// The kernels of one precision in every set.
template <class Kernels>
struct PrecisionOf {
  const char* name;
  Kernels kernels::KernelSet::* member;
  double entry_limit;  ///< largest magnitude of a table's entries; 0 for float
};

}  // namespace basin::bench
