#include <basin/pipeline/recipes.hpp>  // first: proves the header stands alone

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
