#pragma once

#include <basin/core/run_context.hpp>
#include <basin/metric/hessian_blocks.hpp>
#include <basin/metric/layer_objective.hpp>

#include <cstdint>

namespace basin {
/// An initializer whose codes are searched once before anything else: for starts whose scales or codebooks are
/// good and whose codes are not. An update would otherwise fit the former to the latter.
///
///     Quantizer(EuclideanBlocks{}, Searched{FixedLevels{}, LevelBeam{}}, LevelBeam{}, LevelScales{})
///
/// Cost      that of both. The same bits for every executor, if theirs are.
template <class Init, class Search>
struct Searched {
  [[no_unique_address]] Init init{};
  [[no_unique_address]] Search search{};

  template <class T, class Codomain>
  [[nodiscard]] auto initialize(const LayerObjective<T>& layer, const HessianBlocks& blocks, const Codomain& codomain,
                                std::uint64_t seed, const RunContext& context) const {
    auto weight = init.initialize(layer, blocks, codomain, seed, context);
    search.search(layer, weight, seed, 0, context);
    return weight;
  }
};
template <class Init, class Search>
Searched(Init, Search) -> Searched<Init, Search>;

}  // namespace basin
