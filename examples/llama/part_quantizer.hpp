#pragma once

#include "../support/quantize_options.hpp"
#include "quantized_part.hpp"

#include <basin/core/run_context.hpp>
#include <basin/pipeline/store.hpp>

#include <utility>

namespace llama {
/// Scalar levels for inputs that take the path of `run`.
inline PartQuantizer level_part_quantizer(support::LevelLayerQuantizer quantizer, RunFormat run) {
  return [quantizer = std::move(quantizer), run = std::move(run)](const PartTask& task, const basin::RunContext& context) {
    auto quantized = quantizer({task.target, task.hessian, task.drift, task.levels}, context);
    StoredLayer stored = basin::store(quantized.weight);
    Linear linear = stored_linear(stored, run, context);
    return QuantizedPart{std::move(linear), std::move(stored), std::move(quantized.report)};
  };
}

/// Additive codes.
inline PartQuantizer additive_part_quantizer(support::LayerQuantizer quantizer, const basin::Scheme& scheme) {
  return [quantizer = std::move(quantizer), scheme](const PartTask& task, const basin::RunContext& context) {
    auto quantized = quantizer(task.target, task.hessian, scheme, context);
    StoredLayer stored = basin::store(quantized.weight);
    Linear linear = stored_linear(stored, {}, context);
    return QuantizedPart{std::move(linear), std::move(stored), std::move(quantized.report)};
  };
}

}  // namespace llama
