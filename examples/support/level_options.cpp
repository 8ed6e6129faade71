#include "level_options.hpp"

#include "fail.hpp"

#include <basin/codebook/level_scales.hpp>
#include <basin/init/fixed_levels.hpp>
#include <basin/levels/asymmetric_integer.hpp>
#include <basin/levels/far_mirror_no_zero.hpp>
#include <basin/levels/lloyd_max.hpp>
#include <basin/levels/mirror_no_zero.hpp>
#include <basin/levels/normal_float.hpp>
#include <basin/levels/power_of_two_mirror_no_zero.hpp>
#include <basin/levels/symmetric_integer.hpp>
#include <basin/levels/ternary.hpp>
#include <basin/metric/euclidean_blocks.hpp>
#include <basin/pipeline/quantizer.hpp>
#include <basin/pipeline/searched.hpp>
#include <basin/search/error_feedback.hpp>
#include <basin/search/level_beam.hpp>
#include <basin/search/round_to_nearest.hpp>
#include <basin/search/subset_beam.hpp>
#include <basin/transform/hadamard.hpp>

#include <utility>
#include <variant>

namespace support {
namespace {
/// A level set that is known by name only at run time.
struct NamedLevels {
  static constexpr basin::Index in_group_size = 1;
  std::string name;
};
std::string to_string(const NamedLevels& levels) { return levels.name; }

template <class Visit>
auto with_level_set(const std::string& name, Visit visit) {
  if (name == "pot") return visit(basin::PowerOfTwoMirrorNoZero{});
  if (name == "far") return visit(basin::FarMirrorNoZero{});
  if (name == "sym_int") return visit(basin::SymmetricInteger<2>{});
  if (name == "w_asym") return visit(basin::AsymmetricInteger<2>{});
  if (name == "lloyd_max") return visit(basin::LloydMax{});
  if (name == "nf2") return visit(basin::NormalFloat2{});
  if (name == "ternary") return visit(basin::Ternary{});
  if (name == "int3") return visit(basin::SymmetricInteger<3>{});
  if (name == "int4") return visit(basin::SymmetricInteger<4>{});
  if (name == "mnz") return visit(basin::MirrorNoZero{});
  fail("--levels ", name, ": not one of ", LevelOptions::level_set_names);
}

struct NamedInitializer {
  int refinements = 0;
  template <class T>
  [[nodiscard]] basin::LevelWeight<T> initialize(const basin::LayerObjective<T>& layer, const basin::HessianBlocks& blocks,
                                                 const NamedLevels& levels, std::uint64_t seed, const basin::RunContext& context) const {
    return with_level_set(levels.name,
                          [&](const auto& set) { return basin::FixedLevels{.refinements = refinements}.initialize(layer, blocks, set, seed, context); });
  }
};

/// Error feedback that also makes up for what the layers before changed in the inputs. What it lowers is the error
/// against the original layer's outputs, so codes are taken as they come.
struct DriftFeedback {
  basin::Matrix<double> drift;
  template <class T>
  void search(const basin::LayerObjective<T>& layer, basin::LevelWeight<T>& weight, std::uint64_t /*seed*/ = 0,
              std::uint64_t /*pass*/ = 0, const basin::RunContext& context = {}) const {
    const auto factor = basin::FeedbackFactor<T>::with_drift(layer.hessian(), drift, {}, 0.25, context);
    basin::error_feedback<T>(layer.weight(), factor, basin::LevelQuantizer<T>(weight), context);
  }
};

struct AnyLevelSearch {
  std::variant<basin::SubsetBeam, basin::ErrorFeedback, basin::RoundToNearest, DriftFeedback> choice;
  template <class T>
  void search(const basin::LayerObjective<T>& layer, basin::LevelWeight<T>& weight, std::uint64_t seed, std::uint64_t pass,
              const basin::RunContext& context) const {
    std::visit([&](const auto& searcher) { searcher.search(layer, weight, seed, pass, context); }, choice);
  }
};

/// A Hadamard transform, or none.
struct AnyRotation {
  std::optional<basin::HadamardTransform> rotation;
  template <class T>
  void apply(basin::Matrix<T>& rows, const basin::RunContext& context = {}) const {
    if (rotation) rotation->apply(rows, context);
  }
  template <class T>
  void invert(basin::Matrix<T>& rows, const basin::RunContext& context = {}) const {
    if (rotation) rotation->invert(rows, context);
  }
};
}  // namespace

basin::PlannedLayer plan_level_layer(const std::string& levels, const basin::LayerShape& shape, const basin::MeasuredCost* cost) {
  return with_level_set(levels, [&](const auto& set) {
    basin::PlannedLayer planned = basin::plan_layer(shape, set, cost);
    planned.codomain = levels;
    return planned;
  });
}

bool LevelOptions::is_level_set(const std::string& name) {
  const std::string all = basin::concat(", ", level_set_names, ",");
  return !name.empty() && name.find_first_of(", ") == std::string::npos && all.find(basin::concat(" ", name, ",")) != std::string::npos;
}

LevelLayerQuantizer LevelOptions::quantizer(const Settings& settings) const {
  AnyLevelSearch search{basin::SubsetBeam{.beam_size = settings.beam.value_or(basin::SubsetBeam{}.beam_size)}};
  if (compensation_ == "rtn") search.choice = basin::RoundToNearest{};
  if (compensation_ == "gptq") search.choice = basin::ErrorFeedback{};
  const bool updates = compensation_ == "beam";
  basin::QuantizerOptions options{.max_epochs = updates ? settings.max_epochs : 0, .tolerance = settings.tolerance, .seed = settings.seed};
  return [search, options, updates, name = levels_, asymmetric = is_asymmetric(), seed = settings.rotation_seed](
             const LevelTask& task, const basin::RunContext& context) {
    AnyRotation rotation;
    if (seed) rotation.rotation.emplace(task.weight.cols(), basin::HadamardOptions{.sign_seed = *seed});
    AnyLevelSearch chosen = search;
    if (asymmetric) {
      basin::Matrix<double> drift =
          task.drift ? *task.drift : basin::Matrix<double>(basin::Matrix<double>::Zero(task.weight.cols(), task.weight.cols()));
      rotation.apply(drift, context);
      drift.transposeInPlace();
      rotation.apply(drift, context);
      drift.transposeInPlace();
      chosen.choice = DriftFeedback{std::move(drift)};
    }
    const auto run = [&](const auto& init) {
      const basin::Quantizer quantizer(basin::EuclideanBlocks{}, init, chosen, basin::LevelScales{}, options, rotation);
      auto [weight, report] =
          quantizer.quantize(task.weight, task.hessian, NamedLevels{task.levels.empty() ? name : task.levels}, context);
      return QuantizedLevels{std::move(weight), std::move(report)};
    };
    if (updates) return run(basin::Searched{NamedInitializer{.refinements = 10}, basin::LevelBeam{}});
    return run(NamedInitializer{});
  };
}

}  // namespace support
