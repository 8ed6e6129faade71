#pragma once

#include <basin/codebook/additive_weight.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/scheme.hpp>
#include <basin/core/types.hpp>
#include <basin/levels/concepts.hpp>
#include <basin/metric/hessian_blocks.hpp>
#include <basin/metric/layer_objective.hpp>

#include <concepts>
#include <cstdint>

namespace basin {
/// How many consecutive inputs of a row share a code: what a codomain says, and 1 for scalar levels.
template <class Codomain>
[[nodiscard]] constexpr Index in_group_size(const Codomain& codomain) noexcept {
  if constexpr (LevelSet<Codomain>) return 1;
  else return codomain.in_group_size;
}

/// Where a quantized weight starts: codebooks, scales and codes for a layer, given one metric per
/// input group. `Codomain` says what values are reachable (a Scheme for additive codebooks, a level set
/// for scalars); the returned type is what searchers and updaters of the same pipeline work on. The same
/// seed gives the same bits, whatever the executor. Laws: tests/laws/initializer_laws.hpp.
template <class I, class T = float, class Codomain = Scheme>
concept Initializer = std::copyable<I> &&
    requires(const I init, const LayerObjective<T>& layer, const HessianBlocks& blocks,
             const Codomain& codomain, std::uint64_t seed, const RunContext& context) {
      { init.initialize(layer, blocks, codomain, seed, context).decode() } -> std::convertible_to<Matrix<T>>;
    };

}  // namespace basin
