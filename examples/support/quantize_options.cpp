#include "quantize_options.hpp"

#include <basin/codebook/adam.hpp>
#include <basin/codebook/least_squares.hpp>
#include <basin/init/greedy.hpp>
#include <basin/init/oa_em.hpp>
#include <basin/metric/conditional_blocks.hpp>
#include <basin/metric/diagonal_blocks.hpp>
#include <basin/metric/tempered_blocks.hpp>
#include <basin/pipeline/best_of.hpp>
#include <basin/pipeline/quantizer.hpp>
#include <basin/search/beam.hpp>
#include <basin/search/joint_beam.hpp>

#include <cmath>
#include <utility>
#include <variant>

namespace support {
namespace {
// A program chooses its policies at run time. Each of these is a policy too: a variant that passes
// the call on, so that one Quantizer serves all combinations.

struct AnyMetric {
  std::variant<basin::ConditionalBlocks, basin::TemperedBlocks, basin::DiagonalBlocks> choice;
  [[nodiscard]] basin::HessianBlocks blocks(basin::ConstMatrixRef<double> hessian, basin::Index g,
                                            const basin::RunContext& context = {}) const {
    return std::visit([&](const auto& metric) { return basin::make_blocks(metric, hessian, g, context); }, choice);
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
}  // namespace

LayerQuantizer QuantizeOptions::quantizer() const {
  const basin::Scheme chosen = scheme();
  if (beam_ && std::log2(*beam_) > chosen.num_codebooks * chosen.bits_per_code)
    fail("--beam ", *beam_, ": scheme ", scheme_, " has fewer code tuples than that; lower it");
  const basin::OaEm oa_em{.rounds = rounds_,
                          .m_step = m_step_ == "adam" ? basin::MStep::adam : basin::MStep::exact,
                          .row_weighting = m_step_ == "exact",  // the paper's way has neither this
                          .sweeps = sweeps_.value_or(m_step_ == "exact" ? 2 : 0),  // nor these
                          .kmeans = {.max_iterations = kmeans_iterations_.value_or(basin::OaEm{}.kmeans.max_iterations)}};
  const basin::Greedy greedy{.max_iterations = kmeans_iterations_.value_or(basin::Greedy{}.max_iterations)};
  AnyInitializer init{oa_em};
  if (init_ == "greedy") init.choice = greedy;
  if (init_ == "best_of") {
    const basin::Greedy quick{.max_iterations = kmeans_iterations_.value_or(oa_em.kmeans.max_iterations)};
    init.choice = Race(oa_em, quick, basin::OnMetric(basin::DiagonalBlocks{}, oa_em));
  }
  AnyMetric metric{basin::ConditionalBlocks{}};
  if (metric_ == "tempered") metric.choice = basin::TemperedBlocks{};
  if (metric_ == "diagonal") metric.choice = basin::DiagonalBlocks{};
  AnySearcher search{basin::JointBeam{.beam_size = beam_, .order = basin::VisitOrder::shuffled}};
  if (search_ == "single") search.choice = basin::BeamSearch{.beam_size = beam_.value_or(4)};
  AnyUpdater update{basin::LeastSquares{}};
  if (update_ == "adam") update.choice = basin::AdamUpdate{};
  const AnyQuantizer quantizer(metric, init, search, update,
                               {.max_epochs = max_epochs_, .tolerance = tolerance_, .seed = seed_});
  return [quantizer](basin::ConstMatrixRef<float> weight, basin::ConstMatrixRef<double> hessian, const basin::Scheme& scheme,
                     const basin::RunContext& context) {
    auto [quantized, report] = quantizer.quantize(weight, hessian, scheme, context);
    return QuantizedLayer{std::move(quantized), std::move(report)};
  };
}

}  // namespace support
