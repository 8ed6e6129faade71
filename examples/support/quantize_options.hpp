#pragma once

#include "fail.hpp"

#include <basin/codebook/adam.hpp>
#include <basin/codebook/least_squares.hpp>
#include <basin/core/scheme_text.hpp>
#include <basin/init/greedy.hpp>
#include <basin/init/oa_em.hpp>
#include <basin/metric/conditional_blocks.hpp>
#include <basin/metric/diagonal_blocks.hpp>
#include <basin/metric/tempered_blocks.hpp>
#include <basin/pipeline/best_of.hpp>
#include <basin/pipeline/quantizer.hpp>
#include <basin/search/beam.hpp>
#include <basin/search/joint_beam.hpp>

#include <CLI/CLI.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace support {
// A program chooses its policies at run time. Each of these is a policy too: a variant that passes
// the call on, so that one Quantizer serves all combinations.

struct AnyMetric {
  std::variant<basin::ConditionalBlocks, basin::TemperedBlocks, basin::DiagonalBlocks> choice;
  [[nodiscard]] basin::HessianBlocks blocks(basin::ConstMatrixRef<double> hessian, basin::Index g) const {
    return std::visit([&](const auto& metric) { return metric.blocks(hessian, g); }, choice);
  }
};

using Race = basin::BestOf<basin::OaEm, basin::Greedy, basin::OnMetric<basin::DiagonalBlocks, basin::OaEm>>;

struct AnyInitializer {
  std::variant<basin::OaEm, basin::Greedy, Race> choice;
  template <class T>
  [[nodiscard]] basin::AdditiveWeight<T> initialize(const basin::LayerObjective<T>& layer, const basin::HessianBlocks& blocks,
                                                    const basin::Scheme& scheme, std::uint64_t seed,
                                                    const basin::RunContext& context) const {
    return std::visit([&](const auto& init) { return init.initialize(layer, blocks, scheme, seed, context); }, choice);
  }
};

struct AnySearcher {
  std::variant<basin::JointBeam, basin::BeamSearch> choice;
  template <class T>
  void search(const basin::LayerObjective<T>& layer, basin::AdditiveWeight<T>& weight, std::uint64_t seed,
              std::uint64_t pass, const basin::RunContext& context) const {
    std::visit([&](const auto& searcher) { searcher.search(layer, weight, seed, pass, context); }, choice);
  }
};

struct AnyUpdater {
  std::variant<basin::LeastSquares, basin::AdamUpdate> choice;
  template <class T>
  void update(const basin::LayerObjective<T>& layer, basin::AdditiveWeight<T>& weight, const basin::RunContext& context) {
    std::visit([&](auto& updater) { updater.update(layer, weight, context); }, choice);
  }
};

using AnyQuantizer = basin::Quantizer<AnyMetric, AnyInitializer, AnySearcher, AnyUpdater>;

/// The options that the quantizing programs share.
class QuantizeOptions {
 public:
  void add_to(CLI::App& app) {
    app.add_option("--scheme", scheme_, "codebooks x bits g group size (" + scheme_ + ")");
    app.add_option("--init", init_, "oa_em, greedy, or best_of: a race of both (" + init_ + ")")
        ->check(CLI::IsMember({"oa_em", "greedy", "best_of"}));
    app.add_option("--metric", metric_, "what the initializer clusters under (" + metric_ + ")")
        ->check(CLI::IsMember({"conditional", "tempered", "diagonal"}));
    app.add_option("--m-step", m_step_, "of OA-EM: exact, or the paper's adam (" + m_step_ + ")")
        ->check(CLI::IsMember({"exact", "adam"}));
    app.add_option("--rounds", rounds_, "EM rounds (" + std::to_string(rounds_) + ")")->check(CLI::Range(0, 10000));
    app.add_option("--kmeans-iterations", kmeans_iterations_, "Lloyd iterations at most, of any initializer (25)")
        ->check(CLI::Range(1, 100000));
    app.add_option("--search", search_, "codes of a group together, or one at a time (" + search_ + ")")
        ->check(CLI::IsMember({"joint", "single"}));
    app.add_option("--beam", beam_, "hypotheses per row (" + std::to_string(beam_) + ")")->check(CLI::Range(1, 4096));
    app.add_option("--update", update_, "of codebooks and scales (" + update_ + ")")->check(CLI::IsMember({"exact", "adam"}));
    app.add_option("--max-epochs", max_epochs_, "epochs at most (" + std::to_string(max_epochs_) + ")")
        ->check(CLI::Range(0, 1000000));
    app.add_option("--tolerance", tolerance_, "stop when an epoch gains less than this fraction (0.01)")->check(CLI::Range(0.0, 0.999));
    app.add_option("--seed", seed_, "of everything random (0)");
  }

  [[nodiscard]] basin::Scheme scheme() const { return take(basin::parse_scheme(scheme_)); }
  [[nodiscard]] AnyQuantizer quantizer() const {
    const basin::OaEm oa_em{.rounds = rounds_,
                            .m_step = m_step_ == "adam" ? basin::MStep::adam : basin::MStep::exact,
                            .kmeans = {.max_iterations = kmeans_iterations_}};
    AnyInitializer init{oa_em};
    if (init_ == "greedy") init.choice = basin::Greedy{.max_iterations = kmeans_iterations_};
    if (init_ == "best_of")
      init.choice = Race(oa_em, oa_em.kmeans, basin::OnMetric(basin::DiagonalBlocks{}, oa_em));
    AnyMetric metric{basin::ConditionalBlocks{}};
    if (metric_ == "tempered") metric.choice = basin::TemperedBlocks{};
    if (metric_ == "diagonal") metric.choice = basin::DiagonalBlocks{};
    AnySearcher search{basin::JointBeam{.beam_size = beam_}};
    if (search_ == "single") search.choice = basin::BeamSearch{.beam_size = beam_};
    AnyUpdater update{basin::LeastSquares{}};
    if (update_ == "adam") update.choice = basin::AdamUpdate{};
    return {metric, init, search, update, {.max_epochs = max_epochs_, .tolerance = tolerance_, .seed = seed_}};
  }

 private:
  std::string scheme_ = "2x8g8", init_ = "oa_em", metric_ = "conditional", m_step_ = "exact", search_ = "joint",
              update_ = "exact";
  int rounds_ = 5, beam_ = 4, kmeans_iterations_ = 25;
  basin::Index max_epochs_ = 100;
  double tolerance_ = 0.01;
  std::uint64_t seed_ = 0;
};

}  // namespace support
