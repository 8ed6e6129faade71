#pragma once

#include <basin/codebook/level_weight.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/pipeline/plan.hpp>
#include <basin/pipeline/report.hpp>

#include <CLI/CLI.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace support {
struct QuantizedLevels {
  basin::LevelWeight<float> weight;  ///< of the rotated inputs, where there is a rotation
  basin::QuantizationReport report;
};

/// What a layer of scalar levels is quantized from.
struct LevelTask {
  basin::ConstMatrixRef<float> weight;
  basin::ConstMatrixRef<double> hessian;
  const basin::Matrix<double>* drift = nullptr;  ///< (X_original - X)^T X / n, for asymmetric calibration
  std::string levels;                            ///< a name of level_set_names; empty: the option's
};

using LevelLayerQuantizer = std::function<QuantizedLevels(const LevelTask& task, const basin::RunContext& context)>;

/// As basin::plan_layer, of a set that is known by name.
[[nodiscard]] basin::PlannedLayer plan_level_layer(const std::string& levels, const basin::LayerShape& shape, const basin::MeasuredCost* cost);

/// The options for scalar level sets that the quantizing programs share.
class LevelOptions {
 public:
  static constexpr const char* level_set_names = "mnz, pot, far, sym_int, w_asym, lloyd_max, nf2, ternary, int3, int4";

  /// Whether this is one of them.
  [[nodiscard]] static bool is_level_set(const std::string& name);

  void add_to(CLI::App& app) {
    app.add_option("--levels", levels_, std::string("of --method qift: ") + level_set_names + " (" + levels_ + ")")
        ->check(CLI::IsMember({"mnz", "pot", "far", "sym_int", "w_asym", "lloyd_max", "nf2", "ternary", "int3", "int4"}));
    app.add_option("--compensation", compensation_,
                   "how codes make up for each other: rtn (not), gptq, gptaq (for errors of earlier layers too), or\n"
                   "beam (several hypotheses, and scales by least squares) (" + compensation_ + ")")
        ->check(CLI::IsMember({"rtn", "gptq", "gptaq", "beam"}));
    app.add_option("--rotate", rotate_, "randomised Hadamard transform of the inputs, on or off (" + rotate_ + ")")
        ->check(CLI::IsMember({"on", "off"}));
  }

  [[nodiscard]] const std::string& levels() const noexcept { return levels_; }
  [[nodiscard]] bool is_asymmetric() const noexcept { return compensation_ == "gptaq"; }
  /// The seed of the rotation, if there is one.
  [[nodiscard]] std::optional<std::uint64_t> rotation_seed(std::uint64_t seed) const {
    return rotate_ == "on" ? std::optional(seed) : std::nullopt;
  }

  /// The same options, of another way to make up for errors.
  [[nodiscard]] LevelOptions with_compensation(std::string compensation) const {
    LevelOptions changed = *this;
    changed.compensation_ = std::move(compensation);
    return changed;
  }

  struct Settings {
    std::optional<int> beam;
    basin::Index max_epochs = 100;
    double tolerance = 0.01;
    std::uint64_t seed = 0;
    std::optional<std::uint64_t> rotation_seed;
  };
  /// Compiled once for all programs, in level_options.cpp.
  [[nodiscard]] LevelLayerQuantizer quantizer(const Settings& settings) const;

 private:
  std::string levels_ = "mnz", compensation_ = "beam", rotate_ = "on";
};

}  // namespace support
