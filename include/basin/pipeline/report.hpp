#pragma once

#include <basin/core/bits_per_weight.hpp>
#include <basin/core/types.hpp>

#include <string>
#include <utility>
#include <vector>

namespace basin {
/// What happened to a layer. Errors are relative: tr(dW H dW^T) / tr(W H W^T), in double.
struct QuantizationReport {
  std::string scheme;
  Index n_out = 0;
  Index n_in = 0;
  double rho = 0;  ///< weight groups per code tuple
  BitsPerWeight bits_per_weight;

  double relative_error_after_init = 0;
  std::vector<double> loss_trace;  ///< relative error after init, then after every pass of the search
  double relative_error_before_storing = 0;
  double relative_error = 0;  ///< of the values as stored
  double squared_weight_error = 0;  ///< |W - What|^2 of the values as stored, whatever H is
  double squared_weight_norm = 0;   ///< |W|^2
  Index epochs = 0;

  struct Seconds {
    double init = 0, update = 0, search = 0, total = 0;
  } seconds;
  /// Decisions made on the way, such as the initializer that a race chose.
  std::vector<std::pair<std::string, std::string>> notes;
};

}  // namespace basin
