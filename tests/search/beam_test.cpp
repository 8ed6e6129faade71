#include <basin/search/beam.hpp>  // first: proves the header stands alone

#include <basin/search/exhaustive.hpp>

#include <Eigen/QR>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/additive.hpp"
#include "support/beam_reference.hpp"
#include "support/catch.hpp"

using basin::BeamSearch;
using basin::Index;
using basin::Scheme;
using basin::VisitOrder;
using basin::test::Rng;
using Layer = basin::LayerObjective<double>;
using Weight = basin::AdditiveWeight<double>;
using Dense = basin::Matrix<double>;
using Catch::Matchers::WithinRel;

namespace {
/// One pass; the codes that changed.
template <class T, class Search>
Index pass(const Search& search, const basin::LayerObjective<T>& layer, basin::AdditiveWeight<T>& weight,
           std::uint64_t seed = 0, std::uint64_t number = 0) {
  const basin::Codes before = weight.codes;
  search.search(layer, weight, seed, number);
  return basin::test::changed_codes(before, weight.codes);
}
void check_row(const Weight& weight, Index o, const std::vector<int>& codes) {
  CHECK(std::vector<int>(weight.codes.row(o), weight.codes.row(o) + codes.size()) == codes);
}
}  // namespace

TEST_CASE("BeamSearch reproduces the golden passes of the 8 x 16 layer", "[search][reference]") {
  const basin::test::F7 f7;
  const Layer layer(f7.weight, f7.hessian, 4);
  const Weight start = basin::test::f7_start(layer);
  CHECK_THAT(basin::test::total_loss(layer, start), WithinRel(400.526372021, 1e-9));
  const auto check = [&](int beam, double loss, Index changed, const std::vector<int>& row0) {
    CAPTURE(beam);
    Weight weight = start;
    CHECK(pass(BeamSearch{.beam_size = beam}, layer, weight) == changed);
    CHECK_THAT(basin::test::total_loss(layer, weight), WithinRel(loss, 1e-9));
    check_row(weight, 0, row0);
  };
  check(1, 350.809602585, 13, {0, 3, 2, 1, 2, 2, 3, 3});
  check(2, 350.809602585, 13, {0, 3, 2, 1, 2, 2, 3, 3});
  check(4, 341.032763963, 15, {});
  check(8, 330.85216968, 16, {});

  // Wider than K^M = 16, where the width check of the public call would object.
  for (const int beam : {64, 256}) {
    CAPTURE(beam);
    Weight weight = start;
    basin::test::unchecked_beam(layer, weight, beam, basin::test::single_moves(start.scheme()));
    CHECK_THAT(basin::test::total_loss(layer, weight), WithinRel(328.382011368, 1e-9));
    CHECK(basin::test::changed_codes(start.codes, weight.codes) == 17);
    check_row(weight, 0, {0, 0, 2, 1, 1, 3, 3, 3});
  }
}

TEST_CASE("Passes of beam 1 end in the golden fixed point", "[search][reference]") {
  const basin::test::F7 f7;
  const Layer layer(f7.weight, f7.hessian, 4);
  Weight weight = basin::test::f7_start(layer);
  int changing = 0;
  while (pass(BeamSearch{.beam_size = 1}, layer, weight) != 0) ++changing;
  CHECK(changing == 3);
  CHECK_THAT(basin::test::total_loss(layer, weight), WithinRel(339.721111019, 1e-9));
}

TEST_CASE("Beams meet the exhaustive optima of single rows as wide as they must be", "[search][reference]") {
  const basin::test::F7 f7;
  const Layer layer(f7.weight, f7.hessian, 4);
  const Weight start = basin::test::f7_start(layer);
  const auto row_loss = [&](Index o, int beam) {
    Weight weight = start;
    basin::test::unchecked_beam(layer, weight, beam, basin::test::single_moves(start.scheme()));
    return basin::test::group_losses(layer, weight)(o);
  };
  for (const int beam : {1, 4, 16}) CHECK_THAT(row_loss(0, beam), WithinRel(66.6308627384, 1e-9));
  CHECK_THAT(row_loss(0, 64), WithinRel(64.1607044266, 1e-9));
  CHECK_THAT(row_loss(1, 1), WithinRel(18.4898757562, 1e-9));
  CHECK_THAT(row_loss(2, 1), WithinRel(41.8711523262, 1e-9));
}

TEST_CASE("Two correlated inputs by hand: beam and start matter", "[search][reference]") {
  Dense h(2, 2), w(1, 2);
  h << 1, .9, .9, 1;
  w << .3, .4;
  const Layer layer(w, h, 1);
  Rng rng(0);
  Weight start = basin::test::random_weight<double>(1, 2, {.num_codebooks = 1, .bits_per_code = 1, .in_group_size = 1}, rng);
  start.codebooks.values() << -1, 1;
  start.scales(0) = 1;
  const auto ends = [&](int first, int second, int beam) {
    Weight weight = start;
    weight.codes(0, 0, 0) = static_cast<std::uint16_t>(first);
    weight.codes(0, 1, 0) = static_cast<std::uint16_t>(second);
    pass(BeamSearch{.beam_size = beam}, layer, weight);
    return std::pair(std::vector<int>{weight.codes(0, 0, 0), weight.codes(0, 1, 0)}, basin::test::total_loss(layer, weight));
  };
  CHECK(ends(1, 1, 1).first == std::vector<int>{0, 1});
  CHECK_THAT(ends(1, 1, 1).second, WithinRel(.646, 1e-12));
  CHECK(ends(0, 0, 1).first == std::vector<int>{1, 0});
  CHECK_THAT(ends(0, 0, 1).second, WithinRel(.686, 1e-12));
  CHECK(ends(0, 0, 2).first == std::vector<int>{0, 1});
  CHECK_THAT(ends(0, 0, 2).second, WithinRel(.646, 1e-12));
}

TEST_CASE("BeamSearch takes the codes of a beam search by the book", "[search][reference]") {
  struct Case {
    Scheme scheme;
    Index n_out, n_in;
  };
  const Case c = GENERATE(values<Case>({{{1, 4, 4, 1}, 3, 20},
                                        {{2, 3, 4, 1}, 3, 22},
                                        {{3, 2, 2, 1}, 2, 11},
                                        {{2, 2, 3, 2}, 4, 9},
                                        {{8, 1, 5, 1}, 2, 10},
                                        {{2, 5, 16, 1}, 2, 40},   // windows of one group
                                        {{1, 3, 40, 1}, 2, 100},  // groups wider than a window
                                        {{2, 7, 2, 1}, 2, 70}}));
  const int beam = GENERATE(1, 2, 5);
  CAPTURE(c.scheme.num_codebooks, c.scheme.bits_per_code, c.scheme.in_group_size, c.n_in, beam);
  Rng rng(41);
  const Layer layer = basin::test::random_layer<double>(c.n_out, c.n_in, c.scheme.in_group_size, rng);
  const Weight start = basin::test::random_weight<double>(c.n_out, c.n_in, c.scheme, rng);
  Weight weight = start;
  pass(BeamSearch{.beam_size = beam}, layer, weight);
  for (Index o = 0; o < weight.num_out_groups(); ++o) {
    const auto want = basin::test::reference_beam(layer, start, o, beam, basin::test::single_moves(c.scheme));
    CHECK(std::vector(weight.codes.row(o), weight.codes.row(o) + want.size()) == want);
  }
}

TEMPLATE_TEST_CASE("drift of the loss recurrence: a beam's loss is the loss from scratch", "[search][property][pitfall]", float, double) {
  using T = TestType;
  const bool joint = GENERATE(false, true);
  const int beam = GENERATE(1, 4);
  const Scheme scheme = GENERATE(values<Scheme>({{2, 4, 8, 1}, {3, 3, 4, 1}, {2, 3, 4, 2}, {1, 6, 8, 1}}));
  CAPTURE(joint, beam, scheme.num_codebooks);
  Rng rng(7);
  const Index n_in = 150, n_out = 8;
  const auto layer = basin::test::random_layer<T>(n_out, n_in, scheme.in_group_size, rng);
  auto weight = basin::test::random_weight<T>(n_out, n_in, scheme, rng);
  const auto recurrence = basin::test::unchecked_beam(
      layer, weight, beam, joint ? basin::test::pair_moves(scheme) : basin::test::single_moves(scheme));
  const auto scratch = basin::test::group_losses(layer, weight);
  const double bound = std::is_same_v<T, double> ? 1e-10 : 1e-4;
  for (Index o = 0; o < scratch.size(); ++o) CHECK(std::abs(recurrence(o) - scratch(o)) <= bound * scratch(o));
}

TEST_CASE("H = 0: a search leaves the codes as they are", "[search][property][pitfall]") {
  const Scheme scheme{2, 3, 4, 1};
  Rng rng(8);
  const Layer layer(basin::test::normal_matrix<double>(5, 18, rng), Dense::Zero(18, 18), scheme.in_group_size);
  Weight weight = basin::test::random_weight<double>(5, 18, scheme, rng);
  for (const int beam : {1, 8}) CHECK(pass(BeamSearch{.beam_size = beam}, layer, weight) == 0);
}

TEST_CASE("tiny or negative learned scale: a sign is searched through, a scale of zero leaves its row", "[search][property][pitfall]") {
  const Scheme scheme{2, 3, 4, 1};
  Rng rng(9);
  const Layer layer = basin::test::random_layer<double>(6, 20, 4, rng);
  const Layer mirrored(-layer.weight(), layer.hessian(), 4);
  const Weight start = basin::test::random_weight<double>(6, 20, scheme, rng);
  Weight plain = start, negative = start;
  negative.scales *= -1;
  const BeamSearch search{.beam_size = 4};
  CHECK(pass(search, layer, plain) > 0);
  CHECK(pass(search, mirrored, negative) > 0);
  CHECK(negative.codes == plain.codes);

  Weight some = start;
  some.scales(1) = 0;
  some.scales(2) = 1e-300;
  pass(search, layer, some);
  const auto row = [](const Weight& weight, Index o) { return std::vector<int>(weight.codes.row(o), weight.codes.row(o) + 10); };
  CHECK(row(some, 1) == row(start, 1));
  CHECK(row(some, 3) == row(plain, 3));
  CHECK(some.decode().row(1).isZero(0));
  CHECK(some.decode().allFinite());
}

TEST_CASE("negative loss from rounding: errors that H does not see lose nothing within rounding", "[search][property][pitfall]") {
  const Scheme scheme{2, 2, 4, 1};
  const Index n = 12;
  Rng rng(10);
  const Dense inputs = basin::test::normal_matrix<double>(3, n, rng);
  const Dense h = inputs.transpose() * inputs;
  const Eigen::HouseholderQR<Dense> seen(inputs.transpose());
  const Dense axes = seen.householderQ() * Dense::Identity(n, 3);
  Weight weight = basin::test::random_weight<double>(40, n, scheme, rng);
  Dense unseen = basin::test::normal_matrix<double>(40, n, rng);
  unseen -= (unseen * axes * axes.transpose()).eval();
  const Layer layer(weight.decode() + unseen, h, 4);
  // 2 n eps of the form of absolute values for its sums, and as much for what is left in the errors.
  const auto bounds = [&] {
    const Dense error = (layer.weight() - weight.decode()).cwiseAbs() + layer.weight().cwiseAbs();
    return (4 * static_cast<double>(n) * 0x1p-53 * (error * h.cwiseAbs()).cwiseProduct(error).rowwise().sum()).eval();
  };
  CHECK((basin::test::group_losses(layer, weight).cwiseAbs().array() <= bounds().array()).all());
  pass(BeamSearch{.beam_size = 16}, layer, weight);
  const auto losses = basin::test::group_losses(layer, weight);
  CHECK((losses.cwiseAbs().array() <= bounds().array()).all());
  CHECK(std::abs(layer.relative_error(losses.sum())) <= bounds().sum() / layer.weight_energy());
}

TEST_CASE("A beam that keeps everything is an exhaustive search", "[search][reference]") {
  const std::uint64_t seed = GENERATE(range(std::uint64_t{0}, std::uint64_t{5}));
  const Scheme scheme = GENERATE(values<Scheme>({{2, 1, 2, 1}, {1, 2, 3, 1}, {2, 1, 2, 2}}));
  Rng rng(seed);
  const Index n_out = 4, n_in = 3 * scheme.in_group_size;
  const Layer layer = basin::test::random_layer<double>(n_out, n_in, scheme.in_group_size, rng);
  const Weight start = basin::test::random_weight<double>(n_out, n_in, scheme, rng);
  Weight best = start, wide = start, joint = start;
  pass(basin::ExhaustiveSearch{}, layer, best);
  basin::test::unchecked_beam(layer, wide, 64, basin::test::single_moves(scheme));  // K^(J M) = 64
  basin::test::unchecked_beam(layer, joint, 64, basin::test::pair_moves(scheme));
  CHECK(wide.codes == best.codes);
  CHECK(joint.codes == best.codes);

  // With one group the public call reaches it too.
  const Layer narrow = basin::test::random_layer<double>(n_out, scheme.in_group_size, scheme.in_group_size, rng);
  const Weight narrow_start = basin::test::random_weight<double>(n_out, scheme.in_group_size, scheme, rng);
  Weight all = narrow_start, beam = narrow_start;
  pass(basin::ExhaustiveSearch{}, narrow, all);
  pass(BeamSearch{.beam_size = 4}, narrow, beam);  // K^M
  CHECK(beam.codes == all.codes);
}

TEST_CASE("At the fixed point of beam 1 no single code improves its row", "[search][property]") {
  const std::uint64_t seed = GENERATE(range(std::uint64_t{0}, std::uint64_t{6}));
  const VisitOrder order = GENERATE(VisitOrder::natural, VisitOrder::shuffled);
  Rng rng(seed);
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 4, .in_group_size = 4};
  const Layer layer = basin::test::random_layer<double>(4, 24, 4, rng);
  Weight weight = basin::test::random_weight<double>(4, 24, scheme, rng);
  std::uint64_t number = 0;
  for (int quiet = 0; quiet < 3; ++number) quiet = pass(BeamSearch{.beam_size = 1, .order = order}, layer, weight, seed, number) == 0 ? quiet + 1 : 0;
  const auto losses = basin::test::group_losses(layer, weight);
  for (Index j = 0; j < 6; ++j)
    for (Index m = 0; m < 2; ++m)
      for (int k = 0; k < 16; ++k) {
        Weight changed = weight;
        for (Index o = 0; o < 4; ++o) changed.codes(o, j, m) = static_cast<std::uint16_t>(k);
        const auto other = basin::test::group_losses(layer, changed);
        REQUIRE((other.array() >= losses.array() * (1 - 1e-13)).all());
      }
}

TEST_CASE("Under H = c I and one codebook every group gets its nearest codeword", "[search][property]") {
  const int beam = GENERATE(1, 3, 16);
  const double c = GENERATE(1.0, 1e-6, 37.0);
  Rng rng(5);
  const Scheme scheme{.num_codebooks = 1, .bits_per_code = 4, .in_group_size = 4};
  const Dense w = basin::test::normal_matrix<double>(5, 20, rng);
  const Layer layer(w, c * Dense::Identity(20, 20), 4);
  Weight weight = basin::test::random_weight<double>(5, 20, scheme, rng);
  pass(BeamSearch{.beam_size = beam}, layer, weight);
  for (Index o = 0; o < 5; ++o)
    for (Index j = 0; j < 5; ++j) {
      Index nearest = 0;
      const Dense target = w.block(o, 4 * j, 1, 4) / weight.scales(o);
      (weight.codebooks.codebook(0).rowwise() - target.row(0)).rowwise().squaredNorm().minCoeff(&nearest);
      CHECK(Index{weight.codes(o, j, 0)} == nearest);
    }
}

TEST_CASE("A row offset in the null space of H changes nothing", "[search][property]") {
  Rng rng(9);
  const Index n = 24;
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 3, .in_group_size = 4};
  // Rank n - 3: three directions that no input ever shows.
  const Dense axes = basin::test::orthogonal_matrix(n, rng);
  basin::Vector<double> spectrum = basin::Vector<double>::Ones(n);
  spectrum.tail(3).setZero();
  for (Index i = 0; i < n - 3; ++i) spectrum(i) = 0.1 + rng.uniform();
  Dense h = axes * spectrum.asDiagonal() * axes.transpose();
  h = (0.5 * (h + h.transpose())).eval();
  const Dense w = basin::test::normal_matrix<double>(6, n, rng);
  const Dense shifted = w + basin::test::normal_matrix<double>(6, 3, rng) * axes.rightCols(3).transpose();
  const Weight start = basin::test::random_weight<double>(6, n, scheme, rng);
  Weight plain = start, offset = start;
  pass(BeamSearch{.beam_size = 4}, Layer(w, h, 4), plain);
  pass(BeamSearch{.beam_size = 4}, Layer(shifted, h, 4), offset);
  CHECK(plain.codes == offset.codes);
}

TEST_CASE("Renaming codewords renames codes and nothing else", "[search][property]") {
  const bool joint = GENERATE(false, true);
  Rng rng(10);
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 4, .in_group_size = 4};
  const Layer layer = basin::test::random_layer<double>(5, 24, 4, rng);
  const Weight start = basin::test::random_weight<double>(5, 24, scheme, rng);
  std::vector<Index> renamed = basin::detail::identity_order(16);
  basin::SplitMix64 random(3);
  basin::detail::shuffle(renamed, random);
  const auto rename = [&](const Weight& weight) {
    Weight other = weight;
    for (Index k = 0; k < 16; ++k)
      other.codebooks.values().row(16 + renamed[static_cast<std::size_t>(k)]) = weight.codebooks.values().row(16 + k);
    for (Index o = 0; o < 5; ++o)
      for (Index j = 0; j < 6; ++j) other.codes(o, j, 1) = static_cast<std::uint16_t>(renamed[weight.codes(o, j, 1)]);
    return other;
  };
  const auto moves = joint ? basin::test::pair_moves(scheme) : basin::test::single_moves(scheme);
  Weight plain = start, other = rename(start);
  basin::test::unchecked_beam(layer, plain, 4, moves);
  basin::test::unchecked_beam(layer, other, 4, moves);
  CHECK(rename(plain).codes == other.codes);
  CHECK_THAT(basin::test::total_loss(layer, other), WithinRel(basin::test::total_loss(layer, plain), 1e-12));
}

TEST_CASE("Groups of two output rows agree with an exhaustive search", "[search][reference]") {
  Rng rng(GENERATE(range(0u, 8u)));
  const Scheme scheme{.num_codebooks = 1, .bits_per_code = 2, .in_group_size = 2, .out_group_size = 2};
  const Layer layer = basin::test::random_layer<double>(2, 4, 2, rng);
  const Weight start = basin::test::random_weight<double>(2, 4, scheme, rng);
  Weight best = start, beam = start;
  pass(basin::ExhaustiveSearch{}, layer, best);
  pass(BeamSearch{.beam_size = 4}, layer, beam);  // keeps all that the first group can be
  CHECK(beam.codes == best.codes);
  const Dense error = layer.weight() - best.decode();
  CHECK_THAT(basin::test::group_losses(layer, best)(0),
             WithinRel((error.row(0) * layer.hessian() * error.row(0).transpose())(0) +
                           (error.row(1) * layer.hessian() * error.row(1).transpose())(0), 1e-12));
}

TEMPLATE_TEST_CASE("The reward for zero codes drives all codes to zero, and none is the plain search",
                   "[search][property]", float, double) {
  using T = TestType;
  const int beam = GENERATE(1, 4);
  Rng rng(12);
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 3, .in_group_size = 4};
  const auto layer = basin::test::random_layer<T>(6, 24, 4, rng);
  const auto start = basin::test::random_weight<T>(6, 24, scheme, rng);
  auto plain = start, none = start, all = start;
  pass(BeamSearch{.beam_size = beam}, layer, plain);
  pass(BeamSearch{.beam_size = beam, .sparsity = 0}, layer, none);
  pass(BeamSearch{.beam_size = beam, .sparsity = 1e9}, layer, all);
  CHECK(none.codes == plain.codes);
  CHECK(basin::test::changed_codes(all.codes, basin::Codes(6, 6, 2)) == 0);

  // In between loss - reward * zeros falls, and zeros become more.
  const double reward = 2;
  auto some = start;
  pass(BeamSearch{.beam_size = beam, .sparsity = reward}, layer, some);
  const auto zeros = [](const auto& weight) {
    return static_cast<double>(std::count(weight.codes.values().begin(), weight.codes.values().end(), 0));
  };
  CHECK(zeros(some) > zeros(plain));
  CHECK(basin::test::total_loss(layer, some) - reward * zeros(some) < basin::test::total_loss(layer, start) - reward * zeros(start));
}

TEST_CASE("Rows are searched alike on both sides of a tile's edge", "[search][property]") {
  const Index n_out = GENERATE(1, 95, 96, 97, 193);
  CAPTURE(n_out);
  Rng rng(13);
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 2, .in_group_size = 4};
  const Layer all_rows = basin::test::random_layer<double>(193, 12, 4, rng);
  const Weight all_start = basin::test::random_weight<double>(193, 12, scheme, rng);
  const Layer layer = basin::test::some_groups(all_rows, scheme, 0, n_out);
  Weight weight = basin::test::some_groups(all_start, 0, n_out);
  for (const int beam : {1, 4}) pass(BeamSearch{.beam_size = beam}, layer, weight);
  Weight alone = basin::test::some_groups(all_start, n_out - 1, 1);
  const Layer last = basin::test::some_groups(all_rows, scheme, n_out - 1, 1);
  for (const int beam : {1, 4}) pass(BeamSearch{.beam_size = beam}, last, alone);
  CHECK(basin::test::some_groups(weight, n_out - 1, 1).codes == alone.codes);
}

TEST_CASE("Padded inputs count for nothing", "[search][property]") {
  Rng rng(14);
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 3, .in_group_size = 8};
  const Layer padded = basin::test::random_layer<double>(4, 21, 8, rng);
  Weight weight = basin::test::random_weight<double>(4, 21, scheme, rng);
  Weight noisy = weight;
  REQUIRE(weight.padded_in() == 24);
  pass(BeamSearch{}, padded, weight);
  // The same layer with the padding spelled out.
  Dense w = Dense::Zero(4, 24), h = Dense::Zero(24, 24);
  w.leftCols(21) = padded.weight().leftCols(21);
  h.topLeftCorner(21, 21) = padded.hessian().topLeftCorner(21, 21);
  noisy.n_in = 24;
  pass(BeamSearch{}, Layer(w, h, 8), noisy);
  CHECK(weight.codes == noisy.codes);
}

TEST_CASE("BeamSearch names a beam that cannot be", "[search][bad-input]") {
  using basin::test::contains_text;
  Rng rng(15);
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 2, .in_group_size = 4};
  const Layer layer = basin::test::random_layer<double>(2, 8, 4, rng);
  Weight weight = basin::test::random_weight<double>(2, 8, scheme, rng);
  const basin::Codes codes = weight.codes;
  CHECK_THROWS_WITH(pass(BeamSearch{.beam_size = 0}, layer, weight), contains_text("at least 1, got 0"));
  CHECK_THROWS_AS(pass(BeamSearch{.beam_size = -1}, layer, weight), basin::ValueError);
  CHECK_THROWS_WITH(pass(BeamSearch{.beam_size = 17}, layer, weight),
                    contains_text("beam_size 17 exceeds the 16") && contains_text("2x2g4"));
  CHECK(weight.codes == codes);
  CHECK_NOTHROW(pass(BeamSearch{.beam_size = 16}, layer, weight));
}
