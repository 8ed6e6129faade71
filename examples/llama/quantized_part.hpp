#pragma once

#include "aqlm_model.hpp"
#include "linear.hpp"

#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/pipeline/report.hpp>
#include <basin/pipeline/store.hpp>

#include <functional>
#include <string>
#include <variant>

namespace llama {
/// A layer as the engine runs it and as it is stored.
struct QuantizedPart {
  Linear linear;
  StoredLayer stored;
  basin::QuantizationReport report;
};

/// The engine's layer of a stored one, for inputs that take the path of `run` where it has scalar levels.
[[nodiscard]] inline Linear stored_linear(const StoredLayer& stored, const RunFormat& run, const basin::RunContext& context) {
  return std::visit(Overloaded{[](const basin::AdditiveLayer& layer) { return Linear(layer); },
                               [&](const basin::LevelLayer& layer) {
                                 return Linear(basin::load<float>(layer).decode(context), InputPath(layer.n_in, run));
                               }},
                    stored);
}

/// What one layer is quantized for.
struct PartTask {
  const Matrix& target;  ///< [n_out, n_in]
  const basin::Matrix<double>& hessian;
  const basin::Matrix<double>* drift = nullptr;  ///< as support::LevelTask
  std::string levels;                            ///< of scalar levels; empty: those of the command line
};
using PartQuantizer = std::function<QuantizedPart(const PartTask& task, const basin::RunContext& context)>;

}  // namespace llama
