#pragma once

#include <basin/codebook/assign.hpp>
#include <basin/codebook/row_scales.hpp>
#include <basin/core/random.hpp>
#include <basin/init/concepts.hpp>

#include <cstdint>

namespace host {
/// Gaussian codewords and random codes: the worst sensible start, and a yardstick for the others.
struct RandomStart {
  template <class T>
  [[nodiscard]] basin::AdditiveWeight<T> initialize(const basin::LayerObjective<T>& layer, const basin::HessianBlocks&,
                                                    const basin::Scheme& scheme, std::uint64_t seed,
                                                    const basin::RunContext&) const {
    basin::AdditiveWeight<T> weight{layer.n_out(), layer.n_in(), basin::AdditiveCodebook<T>(scheme), {}, {}};
    weight.scales = basin::row_scales<T>(layer.weight(), scheme.out_group_size);
    weight.codes = basin::Codes(weight.scales.size(), scheme.num_in_groups(layer.n_in()), scheme.num_codebooks);
    basin::SplitMix64 random = basin::keyed_random(seed, {1});
    const double spread = 1 / std::sqrt(static_cast<double>(layer.n_in() * scheme.num_codebooks * scheme.out_group_size));
    for (T& value : weight.codebooks.values().reshaped()) value = static_cast<T>(spread * random.normal());
    for (auto& code : weight.codes.values())
      code = static_cast<std::uint16_t>(random.below(static_cast<std::uint64_t>(scheme.codebook_size())));
    return weight;
  }
};
static_assert(basin::Initializer<RandomStart>);

}  // namespace host
