#pragma once

#include <basin/pipeline/report.hpp>

#include <cstddef>

namespace llama {
/// The whole run in one object: how long its layers took, and how well they went.
struct ModelSummary {
  double quantization_seconds = 0;
  double weights = 0, bits = 0, after_init = 0, final_error = 0, squared_error = 0, squared_norm = 0;
  std::size_t layers = 0, ended_by_time = 0;

  void add(const basin::QuantizationReport& report) {
    const double size = static_cast<double>(report.n_out) * static_cast<double>(report.n_in);
    weights += size;
    bits += size * report.bits_per_weight.total();
    after_init += report.relative_error_after_init;
    final_error += report.relative_error;
    squared_error += report.squared_weight_error;
    squared_norm += report.squared_weight_norm;
    quantization_seconds += report.seconds.total;
    ++layers;
    for (const auto& [subject, decision] : report.notes) ended_by_time += subject == "deadline";
  }
  [[nodiscard]] double per_layer(double sum) const { return sum / static_cast<double>(layers); }
};

}  // namespace llama
