#pragma once

#include <basin/core/bits_per_weight.hpp>
#include <basin/core/half.hpp>
#include <basin/core/scheme_text.hpp>
#include <basin/layout/additive_layer.hpp>
#include <basin/layout/level_layer.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace llama {
/// How often the codewords of a codebook, or the levels of a set, stand in a layer.
struct CodeUsage {
  /// Shares of codewords by their use against even use: unused, below 1/4, 1/2, 1, 2, 4, and from 4 on.
  static constexpr std::size_t num_bins = 7;

  std::size_t size = 0;    ///< codewords
  double entropy = 0;      ///< bits per code; log2(size) where all are used evenly
  std::size_t unused = 0;
  std::array<double, num_bins> bins{};
  std::vector<double> shares;  ///< of codes, by codeword; kept for scalar levels only

  explicit CodeUsage(const std::vector<std::uint64_t>& counts) : size(counts.size()) {
    double total = 0;
    for (const std::uint64_t count : counts) total += static_cast<double>(count);
    for (const std::uint64_t count : counts) {
      const double share = total > 0 ? static_cast<double>(count) / total : 0, against_even = share * static_cast<double>(size);
      if (count > 0) entropy -= share * std::log2(share);
      else ++unused;
      bins[count == 0 ? 0 : static_cast<std::size_t>(std::clamp(std::floor(std::log2(against_even)) + 4, 1.0, 6.0))] += 1 / static_cast<double>(size);
    }
  }
};

/// The decoded weights of a layer.
struct WeightStatistics {
  static constexpr std::size_t num_bins = 50;
  static constexpr double reach = 5;  ///< the histogram spans this many standard deviations to both sides of 0

  double mean = 0, deviation = 0, excess_kurtosis = 0;
  double lowest = std::numeric_limits<double>::infinity(), highest = -std::numeric_limits<double>::infinity();
  std::vector<double> density = std::vector<double>(num_bins);  ///< of weights over the deviation; what lies beyond is left out
};

struct LayerStatistics {
  std::string scheme;  ///< "2x8g8", "4 levels"
  std::ptrdiff_t n_out = 0, n_in = 0;
  basin::BitsPerWeight bits_per_weight;
  std::optional<double> rho;     ///< of additive codes
  std::vector<CodeUsage> usage;  ///< by codebook; one of scalar levels
  std::vector<float> levels;     ///< of scalar levels
  WeightStatistics weights;
  double lowest_scale = 0, median_scale = 0, highest_scale = 0;

  [[nodiscard]] double num_weights() const noexcept { return static_cast<double>(n_out) * static_cast<double>(n_in); }
};

namespace detail {
/// visit(value) for every weight, by rows of groups; decodes one group at a time.
template <class Visit>
void for_each_weight(const basin::AdditiveLayer& layer, const Visit& visit) {
  const auto width = static_cast<std::size_t>(layer.scheme.in_group_size), size = static_cast<std::size_t>(layer.scheme.codeword_size());
  const auto num_codebooks = static_cast<std::size_t>(layer.scheme.num_codebooks), num_codewords = static_cast<std::size_t>(layer.scheme.codebook_size());
  const auto num_out = static_cast<std::size_t>(layer.num_out_groups()), num_in = static_cast<std::size_t>(layer.num_in_groups());
  std::vector<float> codebooks(layer.codebooks.size()), group(size);
  std::transform(layer.codebooks.begin(), layer.codebooks.end(), codebooks.begin(), [](std::uint16_t half) { return basin::half_to_float(half); });
  const std::uint16_t* code = layer.codes.data();
  for (std::size_t o = 0; o < num_out; ++o) {
    const float scale = basin::half_to_float(layer.scales[o]);
    for (std::size_t j = 0; j < num_in; ++j) {
      std::fill(group.begin(), group.end(), 0.0f);
      for (std::size_t m = 0; m < num_codebooks; ++m) {
        const float* const codeword = codebooks.data() + (m * num_codewords + *code++) * size;
        for (std::size_t i = 0; i < size; ++i) group[i] += codeword[i];
      }
      const std::size_t used = std::min(width, static_cast<std::size_t>(layer.n_in) - j * width);
      for (std::size_t i = 0; i < size; ++i)
        if (i % width < used) visit(static_cast<double>(scale * group[i]));
    }
  }
}
template <class Visit>
void for_each_weight(const basin::LevelLayer& layer, const Visit& visit) {
  const auto n_in = static_cast<std::size_t>(layer.n_in);
  for (std::size_t o = 0; o < layer.scales.size(); ++o) {
    const float scale = basin::half_to_float(layer.scales[o]), zero_point = layer.zero_points.empty() ? 0.0f : static_cast<float>(layer.zero_points[o]);
    for (std::size_t i = 0; i < n_in; ++i) visit(static_cast<double>(scale * (layer.levels[layer.codes[o * n_in + i]] - zero_point)));
  }
}

/// In two passes: moments, then the histogram in units of the deviation.
template <class Layer>
WeightStatistics weight_statistics(const Layer& layer) {
  WeightStatistics s;
  double count = 0, sum = 0, squares = 0;
  for_each_weight(layer, [&](double w) {
    ++count;
    sum += w;
    squares += w * w;
    s.lowest = std::min(s.lowest, w);
    s.highest = std::max(s.highest, w);
  });
  s.mean = sum / count;
  s.deviation = std::sqrt(std::max(0.0, squares / count - s.mean * s.mean));
  if (!(s.deviation > 0)) return s;
  const double bins_per_unit = static_cast<double>(WeightStatistics::num_bins) / (2 * WeightStatistics::reach * s.deviation);
  double fourth = 0;
  for_each_weight(layer, [&](double w) {
    const double centred = (w - s.mean) * (w - s.mean);
    fourth += centred * centred;
    const double bin = std::floor(w * bins_per_unit) + static_cast<double>(WeightStatistics::num_bins / 2);
    if (bin >= 0 && bin < static_cast<double>(WeightStatistics::num_bins)) ++s.density[static_cast<std::size_t>(bin)];
  });
  s.excess_kurtosis = fourth / (count * s.deviation * s.deviation * s.deviation * s.deviation) - 3;
  for (double& bin : s.density) bin *= static_cast<double>(WeightStatistics::num_bins) / (count * 2 * WeightStatistics::reach);
  return s;
}

inline void add_scales(const std::vector<std::uint16_t>& halves, LayerStatistics& s) {
  std::vector<float> scales(halves.size());
  std::transform(halves.begin(), halves.end(), scales.begin(), [](std::uint16_t half) { return basin::half_to_float(half); });
  std::sort(scales.begin(), scales.end());
  s.lowest_scale = static_cast<double>(scales.front());
  s.median_scale = static_cast<double>(scales[scales.size() / 2]);
  s.highest_scale = static_cast<double>(scales.back());
}
}  // namespace detail

/// What a stored layer tells by itself.
///
/// Cost  two decodings of the layer, a group of weights at a time.
inline LayerStatistics layer_statistics(const basin::AdditiveLayer& layer) {
  LayerStatistics s;
  s.scheme = basin::to_string(layer.scheme);
  s.n_out = layer.n_out;
  s.n_in = layer.n_in;
  s.bits_per_weight = basin::bits_per_weight(layer.scheme, layer.n_out, layer.n_in);
  s.rho = basin::representational_ratio(layer.scheme, layer.n_out, layer.n_in);
  const auto num_codebooks = static_cast<std::size_t>(layer.scheme.num_codebooks);
  for (std::size_t m = 0; m < num_codebooks; ++m) {
    std::vector<std::uint64_t> counts(static_cast<std::size_t>(layer.scheme.codebook_size()));
    for (std::size_t at = m; at < layer.codes.size(); at += num_codebooks) ++counts[layer.codes[at]];
    s.usage.emplace_back(counts);
  }
  s.weights = detail::weight_statistics(layer);
  detail::add_scales(layer.scales, s);
  return s;
}
inline LayerStatistics layer_statistics(const basin::LevelLayer& layer) {
  constexpr double fp16_bits = 16;
  LayerStatistics s;
  s.scheme = std::to_string(layer.levels.size()) + " levels";
  s.n_out = layer.n_out;
  s.n_in = layer.n_in;
  s.bits_per_weight.codes = layer.code_bits();
  s.bits_per_weight.scales = (fp16_bits + (layer.zero_points.empty() ? 0 : layer.code_bits())) / static_cast<double>(layer.n_in);
  s.levels = layer.levels;
  std::vector<std::uint64_t> counts(layer.levels.size());
  for (const std::uint8_t code : layer.codes) ++counts[code];
  s.usage.emplace_back(counts);
  for (const std::uint64_t count : counts) s.usage[0].shares.push_back(static_cast<double>(count) / static_cast<double>(layer.codes.size()));
  s.weights = detail::weight_statistics(layer);
  detail::add_scales(layer.scales, s);
  return s;
}

}  // namespace llama
