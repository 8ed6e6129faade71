#pragma once

#include <basin/codebook/additive_weight.hpp>
#include <basin/core/run_context.hpp>
#include <basin/metric/layer_objective.hpp>

#include <concepts>
#include <cstdint>

namespace basin {
/// Chooses codes while codebooks and scales stay. No row's loss may rise. `pass` counts the calls of
/// one run, for searchers that shuffle. Laws: tests/laws/searcher_laws.hpp.
template <class S, class Weight = AdditiveWeight<float>>
concept Searcher = std::copyable<S> &&
    requires(const S search, const LayerObjective<typename Weight::value_type>& layer, Weight& weight,
             std::uint64_t seed, std::uint64_t pass, const RunContext& context) {
      search.search(layer, weight, seed, pass, context);
    };

}  // namespace basin
