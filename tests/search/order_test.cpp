#include <basin/search/order.hpp>  // first: proves the header stands alone

#include <basin/search/beam.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "support/additive.hpp"
#include "support/catch.hpp"

using basin::Index;
using basin::VisitOrder;
using basin::test::Rng;

TEST_CASE("shuffle draws every permutation about equally often", "[search][property]") {
  basin::SplitMix64 random(5);
  std::map<std::vector<Index>, int> seen;
  constexpr int draws = 24000;
  for (int i = 0; i < draws; ++i) {
    std::vector<Index> order = basin::detail::identity_order(4);
    basin::detail::shuffle(order, random);
    ++seen[order];
  }
  CHECK(seen.size() == 24);
  for (const auto& [order, count] : seen) {
    CHECK(std::is_permutation(order.begin(), order.end(), basin::detail::identity_order(4).begin()));
    CHECK(std::abs(count - draws / 24) < 5 * 31);  // five standard deviations
  }
  std::vector<Index> none, one{0};
  basin::detail::shuffle(none, random);
  basin::detail::shuffle(one, random);
  CHECK(none.empty());
  CHECK(one == std::vector<Index>{0});
}

TEST_CASE("A shuffled pass depends on seed and pass and on nothing else", "[search][property]") {
  Rng rng(6);
  const basin::Scheme scheme{.num_codebooks = 2, .bits_per_code = 3, .in_group_size = 4};
  const auto layer = basin::test::random_layer<double>(16, 64, 4, rng);
  const auto start = basin::test::random_weight<double>(16, 64, scheme, rng);
  const auto codes = [&](VisitOrder order, std::uint64_t seed, std::uint64_t pass) {
    auto weight = start;
    basin::BeamSearch{.beam_size = 1, .order = order}.search(layer, weight, seed, pass);
    return weight.codes;
  };
  const basin::Codes shuffled = codes(VisitOrder::shuffled, 1, 0);
  CHECK(codes(VisitOrder::shuffled, 1, 0) == shuffled);
  CHECK(codes(VisitOrder::shuffled, 2, 0) != shuffled);
  CHECK(codes(VisitOrder::shuffled, 1, 1) != shuffled);
  CHECK(codes(VisitOrder::natural, 1, 0) == codes(VisitOrder::natural, 2, 5));
}

TEST_CASE("A pass in another order is a natural one over reordered groups", "[search][reference]") {
  Rng rng(7);
  const basin::Scheme scheme{.num_codebooks = 1, .bits_per_code = 4, .in_group_size = 4};
  const Index groups = 9;
  const auto layer = basin::test::random_layer<double>(4, 4 * groups, 4, rng);
  const auto start = basin::test::random_weight<double>(4, 4 * groups, scheme, rng);
  const int beam = GENERATE(1, 3);
  const std::uint64_t seed = GENERATE(1u, 2u, 3u);
  const VisitOrder visit = GENERATE(VisitOrder::shuffled, VisitOrder::descending);
  auto shuffled = start;
  basin::BeamSearch{.beam_size = beam, .order = visit}.search(layer, shuffled, seed, 4);

  // One of the permutations must explain it; a shuffled one is what the stream of (seed, pass) draws.
  auto random = basin::keyed_random(seed, {0x5ea4c4, 4});
  const std::vector<Index> order = basin::detail::group_order(visit, layer.hessian().diagonal(), 4, random);
  CHECK(order != basin::detail::identity_order(groups));
  basin::Matrix<double> w(4, 4 * groups), h(4 * groups, 4 * groups);
  auto moved = start;
  for (Index a = 0; a < groups; ++a) {
    const Index from = order[static_cast<std::size_t>(a)];
    w.middleCols(4 * a, 4) = layer.weight().middleCols(4 * from, 4);
    for (Index b = 0; b < groups; ++b)
      h.block(4 * a, 4 * b, 4, 4) = layer.hessian().block(4 * from, 4 * order[static_cast<std::size_t>(b)], 4, 4);
    for (Index o = 0; o < 4; ++o) moved.codes(o, a, 0) = start.codes(o, from, 0);
  }
  basin::BeamSearch{.beam_size = beam}.search(basin::LayerObjective<double>(w, h, 4), moved, 0, 0);
  for (Index a = 0; a < groups; ++a)
    for (Index o = 0; o < 4; ++o)
      CHECK(moved.codes(o, a, 0) == shuffled.codes(o, order[static_cast<std::size_t>(a)], 0));
}

TEST_CASE("A descending order begins with the group of the largest inputs", "[search][property]") {
  basin::SplitMix64 random(9);
  const basin::Vector<double> diagonal{{1, 2, 5, 0, 4, 4, 3, 2}};  // sums of pairs: 3, 5, 8, 5
  const auto order = [&](VisitOrder visit, Index g) { return basin::detail::group_order(visit, diagonal, g, random); };
  CHECK(order(VisitOrder::descending, 2) == std::vector<Index>{2, 1, 3, 0});
  CHECK(order(VisitOrder::descending, 1) == std::vector<Index>{2, 4, 5, 6, 1, 7, 0, 3});
  CHECK(order(VisitOrder::descending, 8) == std::vector<Index>{0});
  CHECK(order(VisitOrder::natural, 2) == std::vector<Index>{0, 1, 2, 3});
  CHECK(random() == basin::SplitMix64(9)());  // none of them drew
  CHECK(order(VisitOrder::shuffled, 1) != order(VisitOrder::natural, 1));
}

TEST_CASE("A shuffled pass shuffles the codebooks of a group too", "[search][property]") {
  Rng rng(8);
  const basin::Scheme scheme{.num_codebooks = 3, .bits_per_code = 3, .in_group_size = 4};
  const auto layer = basin::test::random_layer<double>(16, 4, 4, rng);  // one group: nothing else to shuffle
  const auto start = basin::test::random_weight<double>(16, 4, scheme, rng);
  std::set<std::vector<std::uint16_t>> results;
  for (std::uint64_t pass = 0; pass < 40; ++pass) {
    auto weight = start;
    basin::BeamSearch{.beam_size = 1, .order = VisitOrder::shuffled}.search(layer, weight, 0, pass);
    results.insert({weight.codes.values().begin(), weight.codes.values().end()});
  }
  CHECK(results.size() == 6);  // one for every order of three
}
