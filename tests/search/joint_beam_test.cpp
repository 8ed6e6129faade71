#include <basin/search/joint_beam.hpp>  // first: proves the header stands alone

#include <basin/search/beam.hpp>

#include <cmath>
#include <cstdint>
#include <vector>

#include "support/additive.hpp"
#include "support/beam_reference.hpp"
#include "support/catch.hpp"

using basin::BeamSearch;
using basin::Index;
using basin::JointBeam;
using basin::Scheme;
using basin::VisitOrder;
using basin::test::Rng;
using Layer = basin::LayerObjective<double>;
using Weight = basin::AdditiveWeight<double>;
using Dense = basin::Matrix<double>;

namespace {
template <class T, class Search>
Index pass(const Search& search, const basin::LayerObjective<T>& layer, basin::AdditiveWeight<T>& weight,
           std::uint64_t seed = 0, std::uint64_t number = 0) {
  const basin::Codes before = weight.codes;
  search.search(layer, weight, seed, number);
  return basin::test::changed_codes(before, weight.codes);
}
void check_against_reference(const Scheme& scheme, Index n_out, Index n_in, int beam, std::uint64_t seed, double shrink = 1) {
  CAPTURE(scheme.num_codebooks, scheme.bits_per_code, scheme.in_group_size, n_in, beam, seed);
  Rng rng(seed);
  const Layer layer = basin::test::random_layer<double>(n_out, n_in, scheme.in_group_size, rng);
  Weight start = basin::test::random_weight<double>(n_out, n_in, scheme, rng);
  start.codebooks.codebook(scheme.num_codebooks - 1) *= shrink;
  Weight weight = start;
  pass(JointBeam{.beam_size = beam}, layer, weight);
  for (Index o = 0; o < weight.num_out_groups(); ++o) {
    const auto want = basin::test::reference_beam(layer, start, o, beam, basin::test::pair_moves(scheme));
    CHECK(std::vector(weight.codes.row(o), weight.codes.row(o) + want.size()) == want);
  }
}
}  // namespace

TEST_CASE("JointBeam takes the codes of a dense scan of all pairs", "[search][reference]") {
  struct Case {
    Scheme scheme;
    Index n_out, n_in;
  };
  const Case c = GENERATE(values<Case>({{{2, 4, 4, 1}, 4, 22},
                                        {{2, 1, 3, 1}, 4, 20},
                                        {{2, 3, 2, 3}, 6, 9},
                                        {{3, 3, 4, 1}, 2, 14},
                                        {{4, 2, 8, 1}, 2, 24},
                                        {{1, 5, 4, 1}, 3, 20},
                                        {{2, 5, 16, 1}, 2, 40},
                                        {{2, 3, 40, 1}, 2, 100}}));
  const int beam = GENERATE(1, 2, 4);
  for (const std::uint64_t seed : {1u, 2u, 3u}) check_against_reference(c.scheme, c.n_out, c.n_in, beam, seed);
}

TEST_CASE("The scan of pairs stays exact for large codebooks", "[search][reference]") {
  const int beam = GENERATE(1, 4);
  check_against_reference({2, 7, 4, 1}, 2, 12, beam, 5);
  check_against_reference({2, 8, 4, 1}, 2, 8, beam, 6);
  check_against_reference({2, 8, 4, 1}, 2, 8, beam, 7, 1e-3);  // a second codebook far below the first
  check_against_reference({2, 8, 4, 1}, 2, 8, beam, 8, 0);     // nothing but ties in the second one, and no cross terms
  if (beam == 1) check_against_reference({2, 10, 4, 1}, 1, 4, beam, 9);
}

TEST_CASE("Codebooks too large for a table of pairs never end above the start", "[search][property]") {
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 11, .in_group_size = 4};
  Rng rng(17);
  const Layer layer = basin::test::random_layer<double>(3, 10, 4, rng);
  Weight weight = basin::test::random_weight<double>(3, 10, scheme, rng);
  auto before = basin::test::group_losses(layer, weight);
  for (std::uint64_t number = 0; number < 4; ++number) {
    Weight single = weight;
    pass(BeamSearch{.beam_size = 1}, layer, single);
    pass(JointBeam{.beam_size = 2}, layer, weight, 0, number);
    const auto after = basin::test::group_losses(layer, weight);
    CHECK((after.array() <= before.array() * (1 + 1e-12)).all());
    if (number == 0) CHECK(after.sum() < before.sum());
    before = after;
  }
  // Where beam 1 stops no second code is better for the first one at hand.
  while (pass(JointBeam{.beam_size = 1}, layer, weight) != 0) {
  }
  before = basin::test::group_losses(layer, weight);
  const Index j = 1;
  for (int k = 0; k < 2048; k += 7) {
    Weight changed = weight;
    for (Index o = 0; o < 3; ++o) changed.codes(o, j, 1) = static_cast<std::uint16_t>(k);
    REQUIRE((basin::test::group_losses(layer, changed).array() >= before.array() * (1 - 1e-12)).all());
  }
}

TEST_CASE("At the fixed point of beam 1 no pair of codes improves its row", "[search][property]") {
  const std::uint64_t seed = GENERATE(range(std::uint64_t{0}, std::uint64_t{5}));
  Rng rng(seed);
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 4, .in_group_size = 4};
  const Layer layer = basin::test::random_layer<double>(4, 20, 4, rng);
  Weight weight = basin::test::random_weight<double>(4, 20, scheme, rng);
  while (pass(JointBeam{.beam_size = 1}, layer, weight) != 0) {
  }
  const auto losses = basin::test::group_losses(layer, weight);
  for (Index j = 0; j < 5; ++j)
    for (int pair = 0; pair < 256; ++pair) {
      Weight changed = weight;
      for (Index o = 0; o < 4; ++o) {
        changed.codes(o, j, 0) = static_cast<std::uint16_t>(pair / 16);
        changed.codes(o, j, 1) = static_cast<std::uint16_t>(pair % 16);
      }
      REQUIRE((basin::test::group_losses(layer, changed).array() >= losses.array() * (1 - 1e-13)).all());
    }
  // So one code at a time finds nothing either.
  CHECK(pass(BeamSearch{.beam_size = 1}, layer, weight) == 0);
}

TEST_CASE("Under a block-diagonal H every group gets its nearest pair", "[search][reference]") {
  const int beam = GENERATE(1, 3);
  Rng rng(19);
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 4, .in_group_size = 4};
  Dense h = Dense::Zero(16, 16);
  for (Index j = 0; j < 4; ++j) h.block(4 * j, 4 * j, 4, 4) = basin::test::spd_matrix<double>(4, 100.0, rng);
  const Dense w = basin::test::normal_matrix<double>(6, 16, rng);
  const Layer layer(w, h, 4);
  Weight weight = basin::test::random_weight<double>(6, 16, scheme, rng);
  pass(JointBeam{.beam_size = beam}, layer, weight);
  for (Index o = 0; o < 6; ++o)
    for (Index j = 0; j < 4; ++j) {
      double lowest = 1e300;
      std::vector<int> nearest;
      for (int first = 0; first < 16; ++first)
        for (int second = 0; second < 16; ++second) {
          const Dense r = w.block(o, 4 * j, 1, 4) - weight.scales(o) * (weight.codebooks.codebook(0).row(first) +
                                                                        weight.codebooks.codebook(1).row(second));
          const double distance = (r * h.block(4 * j, 4 * j, 4, 4) * r.transpose())(0);
          if (distance < lowest) {
            lowest = distance;
            nearest = {first, second};
          }
        }
      CHECK(std::vector<int>{weight.codes(o, j, 0), weight.codes(o, j, 1)} == nearest);
    }
}

TEST_CASE("With one codebook JointBeam is BeamSearch", "[search][property]") {
  const VisitOrder order = GENERATE(VisitOrder::natural, VisitOrder::shuffled);
  Rng rng(20);
  const Scheme scheme{.num_codebooks = 1, .bits_per_code = 6, .in_group_size = 4};
  const auto layer = basin::test::random_layer<float>(5, 40, 4, rng);
  const auto start = basin::test::random_weight<float>(5, 40, scheme, rng);
  auto single = start, joint = start;
  pass(BeamSearch{.beam_size = 4, .order = order}, layer, single, 2, 3);
  pass(JointBeam{.beam_size = 4, .order = order}, layer, joint, 2, 3);
  CHECK(single.codes == joint.codes);
}

TEST_CASE("Pairs leave the minima that single codes stick in", "[search][property]") {
  Rng rng(21);
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 5, .in_group_size = 4};
  const auto layer = basin::test::random_layer<float>(48, 64, 4, rng);
  const auto start = basin::test::random_weight<float>(48, 64, scheme, rng);
  auto single = start, joint = start;
  for (std::uint64_t number = 0; number < 3; ++number) {
    pass(BeamSearch{.beam_size = 4}, layer, single, 0, number);
    pass(JointBeam{.beam_size = 4}, layer, joint, 0, number);
  }
  CHECK(basin::test::total_loss(layer, joint) < 0.9 * basin::test::total_loss(layer, single));
}

TEST_CASE("A reward for zero codes counts both codes of a pair", "[search][property]") {
  Rng rng(22);
  const Scheme scheme{.num_codebooks = GENERATE(2, 3), .bits_per_code = 4, .in_group_size = 4};
  const Layer layer = basin::test::random_layer<double>(5, 24, 4, rng);
  const Weight start = basin::test::random_weight<double>(5, 24, scheme, rng);
  Weight plain = start, none = start, all = start, some = start;
  pass(JointBeam{}, layer, plain);
  pass(JointBeam{.sparsity = 0}, layer, none);
  pass(JointBeam{.sparsity = 1e9}, layer, all);
  CHECK(none.codes == plain.codes);
  CHECK(basin::test::changed_codes(all.codes, basin::Codes(5, 6, scheme.num_codebooks)) == 0);
  // Block-diagonal H and beam 1: the pair with the lowest loss less its reward, by brute force.
  if (scheme.num_codebooks != 2) return;
  const double reward = 0.7;
  const Layer decoupled(Dense(layer.weight()), Dense::Identity(24, 24), 4);
  pass(JointBeam{.beam_size = 1, .sparsity = reward}, decoupled, some);
  for (Index j = 0; j < 6; ++j) {
    double lowest = 1e300;
    std::vector<int> want;
    for (int first = 0; first < 16; ++first)
      for (int second = 0; second < 16; ++second) {
        const double distance = (layer.weight().block(2, 4 * j, 1, 4) -
                                 start.scales(2) * (start.codebooks.codebook(0).row(first) + start.codebooks.codebook(1).row(second)))
                                    .squaredNorm() - reward * (int{first == 0} + int{second == 0});
        if (distance < lowest) {
          lowest = distance;
          want = {first, second};
        }
      }
    CHECK(std::vector<int>{some.codes(2, j, 0), some.codes(2, j, 1)} == want);
  }
}

TEST_CASE("JointBeam is wider where codebooks are small, unless told", "[search][property]") {
  const auto width = [](int num_codebooks, int bits) {
    return JointBeam::default_beam({.num_codebooks = num_codebooks, .bits_per_code = bits});
  };
  CHECK(width(2, 16) == 4);
  CHECK(width(2, 8) == 4);
  CHECK(width(2, 7) == 6);
  CHECK(width(2, 6) == 8);
  CHECK(width(2, 2) == 8);
  CHECK(width(2, 1) == 4);  // all there are
  CHECK(width(1, 1) == 2);
  Rng rng(24);
  const Layer layer = basin::test::random_layer<double>(6, 32, 4, rng);
  Weight open = basin::test::random_weight<double>(6, 32, {.bits_per_code = 4, .in_group_size = 4}, rng);
  Weight told = open;
  pass(JointBeam{}, layer, open);
  pass(JointBeam{.beam_size = 8}, layer, told);
  CHECK(open.codes == told.codes);
}

TEST_CASE("JointBeam refuses beams as BeamSearch does", "[search][bad-input]") {
  Rng rng(23);
  const Scheme scheme{.num_codebooks = 1, .bits_per_code = 3, .in_group_size = 4};
  const Layer layer = basin::test::random_layer<double>(2, 8, 4, rng);
  Weight weight = basin::test::random_weight<double>(2, 8, scheme, rng);
  CHECK_THROWS_AS(pass(JointBeam{.beam_size = 0}, layer, weight), basin::ValueError);
  CHECK_THROWS_WITH(pass(JointBeam{.beam_size = 9}, layer, weight), basin::test::contains_text("exceeds the 8"));
}

TEST_CASE("Equal codewords: the code already there stays, a new one is the smallest", "[search][property]") {
  const bool joint = GENERATE(false, true);
  const int beam = GENERATE(1, 3);
  CAPTURE(joint, beam);
  Rng rng(24);
  // Multiples of 1/64 under H = I: nothing rounds, so ties are exact. Codewords k and k + 8 are equal.
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 4, .in_group_size = 4};
  const auto grid = [&](Index rows, Index cols) {
    return Dense(basin::test::normal_matrix<double>(rows, cols, rng).unaryExpr([](double x) { return std::round(64 * x) / 64; }));
  };
  const Layer layer(grid(12, 16), Dense::Identity(16, 16), 4);
  Weight start = basin::test::random_weight<double>(12, 16, scheme, rng);
  start.scales.setOnes();
  for (Index m = 0; m < 2; ++m) {
    start.codebooks.codebook(m).topRows(8) = grid(8, 4);
    start.codebooks.codebook(m).bottomRows(8) = start.codebooks.codebook(m).topRows(8).eval();
  }
  for (auto& code : start.codes.values()) code |= 8;
  Weight weight = start;
  if (joint)
    pass(JointBeam{.beam_size = beam}, layer, weight);
  else
    pass(BeamSearch{.beam_size = beam}, layer, weight);
  Index kept = 0;
  for (Index o = 0; o < 12; ++o)
    for (Index j = 0; j < 4; ++j) {
      const bool pair_kept = weight.codes(o, j, 0) % 8 == start.codes(o, j, 0) % 8 && weight.codes(o, j, 1) % 8 == start.codes(o, j, 1) % 8;
      for (Index m = 0; m < 2; ++m) {
        const bool same = joint ? pair_kept : weight.codes(o, j, m) % 8 == start.codes(o, j, m) % 8;
        kept += same;
        CHECK(weight.codes(o, j, m) == (same ? start.codes(o, j, m) : weight.codes(o, j, m) % 8));
      }
    }
  CHECK(kept > 0);
}

TEMPLATE_TEST_CASE("Rows that cannot improve keep their codes, whatever rounds", "[search][property]", float, double) {
  using T = TestType;
  const int beam = GENERATE(1, 4);
  Rng rng(25);
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 3, .in_group_size = 4};
  const auto layer = basin::test::random_layer<T>(40, 40, 4, rng);
  auto weight = basin::test::random_weight<T>(40, 40, scheme, rng);
  for (Index m = 0; m < 2; ++m)
    weight.codebooks.codebook(m).bottomRows(4) = weight.codebooks.codebook(m).topRows(4).eval();  // pairs of twins
  int passes = 0;
  while (pass(JointBeam{.beam_size = beam}, layer, weight) != 0 && ++passes < 100) {
  }
  CHECK(passes < 100);
  CHECK(pass(JointBeam{.beam_size = beam}, layer, weight) == 0);
}
