#include <basin/pipeline/recipes.hpp>  // first: proves the header stands alone

#include <cmath>

#include <basin/levels/lloyd_max.hpp>
#include <basin/levels/mirror_no_zero.hpp>

#include "support/additive.hpp"
#include "support/catch.hpp"

using basin::test::Rng;

TEST_CASE("Every recipe quantizes a layer, ours best", "[pipeline][property]") {
  Rng rng(1);
  const auto layer = basin::test::synthetic_layer(48, 48, rng);
  const basin::Scheme scheme{.num_codebooks = 2, .bits_per_code = 4, .in_group_size = 8};
  const auto error = [&](const auto& recipe) {
    const auto report = recipe.quantize(layer.weight.template cast<float>(), layer.hessian, scheme).report;
    CHECK(report.relative_error < report.relative_error_after_init);
    return report.relative_error;
  };
  const basin::QuantizerOptions options{.max_epochs = 4};
  const double ours = error(basin::recipes::recommended(options)), aqlm = error(basin::recipes::aqlm(options)),
               paper = error(basin::recipes::paper_oa_em(options));
  CAPTURE(ours, aqlm, paper);
  CHECK(ours < aqlm);
  CHECK(ours < paper);
  CHECK(basin::recipes::recommended(options).options().max_epochs == 4);
}

TEST_CASE("The recipes for scalar levels quantize rotated inputs, ours best", "[pipeline][property]") {
  Rng rng(2);
  const auto layer = basin::test::synthetic_layer(64, 48, rng);
  const basin::Matrix<float> weight = layer.weight.template cast<float>();
  const auto ours = basin::recipes::qift(48, {.seed = 7}).quantize(weight, layer.hessian, basin::MirrorNoZero{});
  const auto paper = basin::recipes::paper_qift(48, 7).quantize(weight, layer.hessian, basin::MirrorNoZero{});
  CAPTURE(ours.report.relative_error, paper.report.relative_error);
  CHECK(ours.report.relative_error < paper.report.relative_error);
  CHECK(paper.report.relative_error < paper.report.relative_error_after_init);
  CHECK(ours.report.bits_per_weight.total() == 2 + 16.0 / 48);
  CHECK(ours.report.scheme == "mnz");
  CHECK(basin::recipes::qift(48).quantize(weight, layer.hessian, basin::LloydMax{}).report.scheme == "lloyd-max");

  // Epochs that go on from the codes at hand end lower than those that start anew.
  const basin::Quantizer anew(basin::EuclideanBlocks{}, basin::Searched{basin::FixedLevels{.refinements = 10}, basin::LevelBeam{}},
                              basin::LevelBeam{}, basin::LevelScales{}, {.seed = 7}, basin::HadamardTransform(48, {.sign_seed = 7}));
  CHECK(ours.report.relative_error <
        anew.quantize(weight, layer.hessian, basin::MirrorNoZero{}).report.relative_error);

  // The report speaks of the layer as it was: undo the rotation and measure.
  basin::Matrix<float> decoded = ours.weight.decode();
  basin::HadamardTransform(48, {.sign_seed = 7}).invert(decoded);
  const basin::LayerObjective<float> objective(weight, layer.hessian, 1);
  const double relative = objective.relative_error(objective.loss(decoded));
  CHECK(std::abs(relative - ours.report.relative_error) < 1e-4 * relative);
}

TEST_CASE("Qift's systems quantize to two bits, mixed ones to four where they are told to", "[pipeline][property]") {
  Rng rng(3);
  const auto layer = basin::test::synthetic_layer(16, 48, rng);
  const basin::Matrix<float> weight = layer.weight.template cast<float>();
  const basin::QuantizerOptions options{.seed = 3};
  const auto plain = basin::recipes::qift_w2a16(48, options), small = basin::recipes::qift_w2a4(48, options);
  CHECK(plain.activation_bits == 16);
  CHECK(plain.kv_bits == 16);
  CHECK(small.activation_bits == 4);
  CHECK(small.kv_bits == 4);
  const auto two = small.quantize(weight, layer.hessian);
  CHECK(two.report.scheme == "mnz");
  CHECK(two.weight.codes == plain.quantize(weight, layer.hessian).weight.codes);

  const auto mixed = basin::recipes::qift_mixed(48, options);
  CHECK(mixed.system.activation_bits == 4);
  CHECK(mixed.quantize(weight, layer.hessian, false).weight.codes == two.weight.codes);
  const auto four = mixed.quantize(weight, layer.hessian, true);
  CHECK(four.weight.levels.size() == 16);
  CHECK(four.report.relative_error < 0.2 * two.report.relative_error);
}
