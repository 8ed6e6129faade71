#pragma once

#include "../support/quantize_options.hpp"
#include "aqlm_model.hpp"
#include "linear.hpp"

#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/pipeline/report.hpp>
#include <basin/pipeline/store.hpp>

#include <functional>
#include <string>
#include <utility>
#include <variant>

namespace llama {
/// A layer as the engine runs it and as it is stored.
struct QuantizedPart {
  Linear linear;
  StoredLayer stored;
  basin::QuantizationReport report;
};

/// What one layer is quantized for.
struct PartTask {
  const Matrix& target;  ///< [n_out, n_in]
  const basin::Matrix<double>& hessian;
  const basin::Matrix<double>* drift = nullptr;  ///< as support::LevelTask
  std::string levels;                            ///< of scalar levels; empty: those of the command line
};
using PartQuantizer = std::function<QuantizedPart(const PartTask& task, const basin::RunContext& context)>;

/// Scalar levels for inputs that take the path of `run`.
inline PartQuantizer level_part_quantizer(support::LevelLayerQuantizer quantizer, RunFormat run) {
  return [quantizer = std::move(quantizer), run = std::move(run)](const PartTask& task, const basin::RunContext& context) {
    auto quantized = quantizer({task.target, task.hessian, task.drift, task.levels}, context);
    return QuantizedPart{Linear(quantized.weight.decode(context), InputPath(task.target.cols(), run)),
                         basin::store(quantized.weight), std::move(quantized.report)};
  };
}

/// Additive codes.
inline PartQuantizer additive_part_quantizer(support::LayerQuantizer quantizer, const basin::Scheme& scheme) {
  return [quantizer = std::move(quantizer), scheme](const PartTask& task, const basin::RunContext& context) {
    auto quantized = quantizer(task.target, task.hessian, scheme, context);
    basin::AdditiveLayer stored = basin::store(quantized.weight);
    Linear linear(stored);
    return QuantizedPart{std::move(linear), std::move(stored), std::move(quantized.report)};
  };
}

}  // namespace llama
