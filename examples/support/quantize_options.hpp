#pragma once

#include "fail.hpp"
#include "level_options.hpp"

#include <basin/codebook/additive_weight.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/scheme_text.hpp>
#include <basin/init/greedy.hpp>
#include <basin/init/oa_em.hpp>
#include <basin/pipeline/report.hpp>

#include <CLI/CLI.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace support {
struct QuantizedLayer {
  basin::AdditiveWeight<float> weight;
  basin::QuantizationReport report;
};

/// A quantizer whose policies were chosen at run time.
using LayerQuantizer = std::function<QuantizedLayer(basin::ConstMatrixRef<float> weight, basin::ConstMatrixRef<double> hessian,
                                                    const basin::Scheme& scheme, const basin::RunContext& context)>;

/// The options that the quantizing programs share.
class QuantizeOptions {
 public:
  void add_to(CLI::App& app) {
    app.add_option("--method", method_, "additive codebooks, or qift: scalar levels (" + method_ + ")")
        ->check(CLI::IsMember({"additive", "qift"}));
    level_options_.add_to(app);
    app.add_option("--scheme", scheme_, "codebooks x bits g group size (" + scheme_ + ")");
    app.add_option("--init", init_, "oa_em, greedy, or best_of: a race of oa_em, greedy, and oa_em under diagonal blocks (" + init_ + ")")
        ->check(CLI::IsMember({"oa_em", "greedy", "best_of"}));
    app.add_option("--metric", metric_, "what the initializer clusters under (" + metric_ + ")")
        ->check(CLI::IsMember({"conditional", "tempered", "diagonal"}));
    app.add_option("--m-step", m_step_, "of OA-EM: exact, or the paper's adam (" + m_step_ + ")")
        ->check(CLI::IsMember({"exact", "adam"}));
    app.add_option("--rounds", rounds_, "EM rounds (" + std::to_string(rounds_) + ")")->check(CLI::Range(0, 10000));
    app.add_option("--sweeps", sweeps_, "of all codebooks again after EM (2; 0 with --m-step adam)")->check(CLI::Range(0, 1000));
    app.add_option("--kmeans-iterations", kmeans_iterations_,
                   basin::concat("Lloyd iterations at most (", basin::OaEm{}.kmeans.max_iterations, " before EM, ",
                                 basin::Greedy{}.max_iterations, " for greedy)"))
        ->check(CLI::Range(1, 100000));
    app.add_option("--search", search_, "codes of a group together, or one at a time (" + search_ + ")")
        ->check(CLI::IsMember({"joint", "single"}));
    app.add_option("--beam", beam_, "hypotheses per row (4; joint: 6 at 7 bits, 8 below)")->check(CLI::Range(1, 4096));
    app.add_option("--update", update_, "of codebooks and scales (" + update_ + ")")->check(CLI::IsMember({"exact", "adam"}));
    app.add_option("--max-epochs", max_epochs_, "epochs at most (" + std::to_string(max_epochs_) + ")")
        ->check(CLI::Range(0, 1000000));
    app.add_option("--tolerance", tolerance_, "stop when an epoch gains less than this fraction (0.01)")
        ->check(CLI::Range(0.0, 0.999));
    app.add_option("--seed", seed_, "of everything random (0)")->check(CLI::NonNegativeNumber);
  }

  [[nodiscard]] bool is_qift() const noexcept { return method_ == "qift"; }
  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
  [[nodiscard]] const LevelOptions& level_options() const noexcept { return level_options_; }
  /// The seed of the rotation of inputs, where scalar levels are rotated.
  [[nodiscard]] std::optional<std::uint64_t> rotation_seed() const { return level_options_.rotation_seed(seed_); }
  [[nodiscard]] LevelLayerQuantizer level_quantizer() const { return level_quantizer(level_options_, rotation_seed()); }
  /// The same with other choices of levels, compensation and rotation.
  [[nodiscard]] LevelLayerQuantizer level_quantizer(const LevelOptions& levels, std::optional<std::uint64_t> rotation) const {
    return levels.quantizer(
        {.beam = beam_, .max_epochs = max_epochs_, .tolerance = tolerance_, .seed = seed_, .rotation_seed = rotation});
  }
  [[nodiscard]] basin::Scheme scheme() const { return take(basin::parse_scheme(scheme_)); }
  /// Compiled once for all programs, in quantize_options.cpp.
  [[nodiscard]] LayerQuantizer quantizer() const;

 private:
  LevelOptions level_options_;
  std::string method_ = "additive";
  std::string scheme_ = "2x8g8", init_ = "oa_em", metric_ = "conditional", m_step_ = "exact", search_ = "joint",
              update_ = "exact";
  basin::Index rounds_ = basin::OaEm{}.rounds;
  std::optional<int> beam_;
  std::optional<basin::Index> kmeans_iterations_, sweeps_;
  basin::Index max_epochs_ = 100;
  double tolerance_ = 0.01;
  std::uint64_t seed_ = 0;
};

}  // namespace support
