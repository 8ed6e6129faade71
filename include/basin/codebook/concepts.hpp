#pragma once

#include <basin/codebook/additive_weight.hpp>
#include <basin/core/run_context.hpp>
#include <basin/metric/layer_objective.hpp>

#include <concepts>

namespace basin {
/// Improves continuous parameters (codebooks, scales) while codes stay. An updater may keep state
/// from epoch to epoch (Adam's moments): every run of a quantizer starts from a fresh copy.
/// Laws: tests/laws/updater_laws.hpp.
template <class U, class Weight = AdditiveWeight<float>>
concept Updater = std::copyable<U> &&
    requires(U update, const LayerObjective<typename Weight::value_type>& layer, Weight& weight,
             const RunContext& context) {
      update.update(layer, weight, context);
    };

}  // namespace basin
