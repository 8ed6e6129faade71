#pragma once

#include <basin/pipeline/report.hpp>

#include <nlohmann/json.hpp>

#include <sys/resource.h>

#include <cstdint>
#include <string>

namespace support {
/// The most memory that this process has held at once.
inline std::uint64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

inline nlohmann::json to_json(const basin::QuantizationReport& report) {
  nlohmann::json notes = nlohmann::json::object();
  for (const auto& [subject, decision] : report.notes) notes[subject] = decision;
  const basin::BitsPerWeight& bits = report.bits_per_weight;
  return {{"scheme", report.scheme},
          {"n_out", report.n_out},
          {"n_in", report.n_in},
          {"rho", report.rho},
          {"bits_per_weight",
           {{"codes", bits.codes}, {"codebooks", bits.codebooks}, {"scales", bits.scales}, {"total", bits.total()}}},
          {"relative_error_after_init", report.relative_error_after_init},
          {"relative_error_before_storing", report.relative_error_before_storing},
          {"relative_error", report.relative_error},
          {"squared_weight_error", report.squared_weight_error},
          {"squared_weight_norm", report.squared_weight_norm},
          {"epochs", report.epochs},
          {"loss_trace", report.loss_trace},
          {"seconds",
           {{"init", report.seconds.init},
            {"update", report.seconds.update},
            {"search", report.seconds.search},
            {"total", report.seconds.total}}},
          {"notes", std::move(notes)},
          {"peak_rss_bytes", peak_rss_bytes()}};
}

}  // namespace support
