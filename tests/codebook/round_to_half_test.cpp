#include <basin/codebook/round_to_half.hpp>  // first: proves the header stands alone

#include <cmath>
#include <limits>

#include "support/additive.hpp"
#include "support/catch.hpp"

using basin::Index;
using basin::Scheme;
using basin::test::Rng;
using Catch::Matchers::WithinRel;

namespace {
const Scheme scheme{2, 3, 4, 1};
template <class Values>
bool all_half(const Values& values) {
  for (Index i = 0; i < values.size(); ++i) {
    const auto value = static_cast<double>(values.data()[i]);
    if (static_cast<double>(basin::round_to_half(static_cast<float>(value))) != value) return false;
  }
  return true;
}
}  // namespace

TEMPLATE_TEST_CASE("round_to_half leaves fp16 values, each within 2^-11 of what it was", "[codebook][reference]", float, double) {
  using T = TestType;
  const double codeword_size = GENERATE(1e-12, 1e-3, 1.0, 1e5), scale_size = GENERATE(1e-6, 1.0, 1e8);
  if (codeword_size * scale_size > 1e8 || codeword_size * scale_size < 1e-7) return;  // beyond what fp16 holds in full
  CAPTURE(codeword_size, scale_size);
  Rng rng(1);
  auto weight = basin::test::random_weight<T>(20, 16, scheme, rng);
  // Magnitudes within a factor of four, so that nothing is subnormal once balanced.
  weight.codebooks.values() = weight.codebooks.values().unaryExpr(
      [&](T x) { return static_cast<T>((x < 0 ? -1 : 1) * codeword_size * (1 + 3 * std::abs(std::sin(double(x))))); });
  weight.scales *= static_cast<T>(scale_size);
  auto rounded = weight;
  basin::round_to_half(rounded);
  CHECK(all_half(rounded.codebooks.values()));
  CHECK(all_half(rounded.scales));
  CHECK(rounded.codes == weight.codes);
  // What moved between the two sides is a power of two, the same for every entry.
  const double moved = std::exp2(std::round(std::log2(static_cast<double>(rounded.scales(0) / weight.scales(0)))));
  const double bound = std::exp2(-11) * (1 + 1e-6);
  for (Index o = 0; o < 20; ++o)
    CHECK_THAT(static_cast<double>(rounded.scales(o)), WithinRel(static_cast<double>(weight.scales(o)) * moved, bound));
  for (Index i = 0; i < weight.codebooks.values().size(); ++i)
    CHECK_THAT(static_cast<double>(rounded.codebooks.values().data()[i]),
               WithinRel(static_cast<double>(weight.codebooks.values().data()[i]) / moved, bound));
  auto again = rounded;
  basin::round_to_half(again);
  CHECK(again.decode() == rounded.decode());
}

TEST_CASE("Zeros and signs survive round_to_half", "[codebook][property]") {
  Rng rng(2);
  auto weight = basin::test::random_weight<double>(4, 16, scheme, rng);
  weight.scales(1) = 0;
  weight.scales(2) *= -1;
  auto rounded = weight;
  basin::round_to_half(rounded);
  CHECK(rounded.scales(1) == 0);
  CHECK(rounded.scales(2) < 0);
  CHECK((rounded.decode() - weight.decode()).norm() <= 0.002 * weight.decode().norm());
  weight.codebooks.values().setZero();
  CHECK_NOTHROW(basin::round_to_half(weight));
  CHECK(weight.codebooks.values().isZero(0));
  weight.scales.setZero();
  CHECK_NOTHROW(basin::round_to_half(weight));
}

TEST_CASE("round_to_half says when a layer does not fit into fp16", "[codebook][bad-input]") {
  Rng rng(3);
  auto weight = basin::test::random_weight<double>(4, 16, scheme, rng);
  weight.codebooks.values() *= 1e6;
  weight.scales *= 1e6;
  CHECK_THROWS_WITH(basin::round_to_half(weight), basin::test::contains_text("scale the layer down"));
  weight = basin::test::random_weight<double>(4, 16, scheme, rng);
  weight.codebooks.values()(0, 0) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(basin::round_to_half(weight), basin::ValueError);
}
