#include <basin/search/l2_beam.hpp>  // first: proves the header stands alone

#include <basin/search/beam.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/additive.hpp"
#include "support/catch.hpp"

using basin::Index;
using basin::L2Beam;
using basin::Scheme;
using basin::test::Rng;
using Layer = basin::LayerObjective<double>;
using Weight = basin::AdditiveWeight<double>;
using Dense = basin::Matrix<double>;

namespace {
using Tuple = std::vector<std::uint16_t>;

/// Squared distance of a tuple from the group's target, over its real inputs.
double distance(const Layer& layer, const Weight& weight, Index o, Index j, const Tuple& tuple) {
  const Index g = weight.scheme().in_group_size, g_out = weight.scheme().out_group_size;
  double sum = 0;
  for (Index p = 0; p < g_out; ++p)
    for (Index i = 0; i < std::min(g, weight.n_in - j * g); ++i) {
      double left = layer.weight()(o * g_out + p, j * g + i) / weight.scales(o);
      for (std::size_t m = 0; m < tuple.size(); ++m)
        left -= weight.codebooks.codeword(static_cast<Index>(m), tuple[m])[p * g + i];
      sum += left * left;
    }
  return sum;
}

/// The search by the book: all children of all hypotheses, sorted, cut.
Tuple reference_search(const Layer& layer, const Weight& weight, Index o, Index j, std::size_t beam_size) {
  const auto stored = weight.codes.tuple(o, j);
  std::vector<Tuple> beam{Tuple(stored.begin(), stored.end())};
  for (std::size_t m = 0; m < stored.size(); ++m) {
    std::vector<std::pair<double, Tuple>> children;
    for (const Tuple& parent : beam)
      for (Index k = 0; k < weight.codebooks.size(); ++k) {
        Tuple child = parent;
        child[m] = static_cast<std::uint16_t>(k);
        children.emplace_back(distance(layer, weight, o, j, child), child);
      }
    std::sort(children.begin(), children.end());
    children.resize(std::min(children.size(), m + 1 == stored.size() ? std::size_t{1} : beam_size));
    beam.clear();
    for (const auto& child : children) beam.push_back(child.second);
  }
  return beam[0];
}
}  // namespace

TEST_CASE("L2Beam takes the codes of a Euclidean beam search by the book", "[search][reference]") {
  const Scheme scheme = GENERATE(values<Scheme>({{1, 5, 4, 1}, {2, 4, 4, 1}, {3, 3, 5, 1}, {2, 3, 4, 2}, {4, 1, 8, 1}}));
  const int beam = GENERATE(1, 2, 6);
  CAPTURE(scheme.num_codebooks, scheme.out_group_size, beam);
  Rng rng(3);
  const Layer layer = basin::test::random_layer<double>(6, 22, scheme.in_group_size, rng);  // 22: the last group is padded
  const Weight start = basin::test::random_weight<double>(6, 22, scheme, rng);
  Weight weight = start;
  L2Beam{.beam_size = beam}.search(layer, weight);
  for (Index o = 0; o < weight.num_out_groups(); ++o)
    for (Index j = 0; j < weight.num_in_groups(); ++j) {
      const auto found = weight.codes.tuple(o, j);
      CHECK(Tuple(found.begin(), found.end()) == reference_search(layer, start, o, j, static_cast<std::size_t>(beam)));
    }
}

TEST_CASE("With one codebook and one output row L2Beam is BeamSearch under H = I", "[search][property]") {
  Rng rng(4);
  const Scheme scheme{.num_codebooks = 1, .bits_per_code = 5, .in_group_size = 4};
  const Layer layer(basin::test::normal_matrix<double>(5, 23, rng), Dense::Identity(23, 23), 4);
  const Weight start = basin::test::random_weight<double>(5, 23, scheme, rng);
  Weight full = start, plain = start;
  basin::BeamSearch{.beam_size = 1}.search(layer, full, 0, 0);
  L2Beam{.beam_size = 1}.search(layer, plain);
  CHECK(full.codes == plain.codes);
}

TEST_CASE("L2Beam never raises a group's distance and resolves ties for the codes already there", "[search][property]") {
  Rng rng(GENERATE(range(0u, 5u)));
  const int beam = GENERATE(1, 4);
  const Scheme scheme{.num_codebooks = 3, .bits_per_code = 3, .in_group_size = 4};
  const Layer layer = basin::test::random_layer<double>(6, 20, 4, rng);
  Weight weight = basin::test::random_weight<double>(6, 20, scheme, rng);
  // Codewords 6 and 7 of every codebook are the same.
  for (Index m = 0; m < 3; ++m) weight.codebooks.codebook(m).row(7) = weight.codebooks.codebook(m).row(6).eval();
  for (int pass = 0; pass < 4; ++pass) {
    const Weight before = weight;
    L2Beam{.beam_size = beam}.search(layer, weight);
    for (Index o = 0; o < 6; ++o)
      for (Index j = 0; j < 5; ++j) {
        const auto old_codes = before.codes.tuple(o, j), new_codes = weight.codes.tuple(o, j);
        const Tuple was(old_codes.begin(), old_codes.end()), is(new_codes.begin(), new_codes.end());
        const double old_distance = distance(layer, weight, o, j, was), new_distance = distance(layer, weight, o, j, is);
        CHECK(new_distance <= old_distance * (1 + 1e-14));
        if (was != is) CHECK(new_distance < old_distance);
        for (std::size_t m = 0; m < 3; ++m)
          if (was[m] != 7) CHECK(is[m] != 7);  // the smaller of equal codes
      }
  }
}

TEST_CASE("L2Beam looks at no Hessian", "[search][property]") {
  Rng rng(5);
  const Scheme scheme{.num_codebooks = 2, .bits_per_code = 4, .in_group_size = 4};
  const auto w = basin::test::normal_matrix<float>(7, 16, rng);
  const auto start = basin::test::random_weight<float>(7, 16, scheme, rng);
  auto first = start, second = start;
  L2Beam{}.search(basin::LayerObjective<float>(w, basin::test::gram_matrix(16, 40, rng), 4), first);
  L2Beam{}.search(basin::LayerObjective<float>(w, Dense::Zero(16, 16), 4), second);
  CHECK(first.codes == second.codes);
  CHECK(first.codes != start.codes);
}

TEST_CASE("L2Beam refuses beams as BeamSearch does", "[search][bad-input]") {
  Rng rng(6);
  const Scheme scheme{.num_codebooks = 1, .bits_per_code = 3, .in_group_size = 4};
  const Layer layer = basin::test::random_layer<double>(2, 8, 4, rng);
  Weight weight = basin::test::random_weight<double>(2, 8, scheme, rng);
  CHECK_THROWS_AS(L2Beam{.beam_size = 0}.search(layer, weight), basin::ValueError);
  CHECK_THROWS_WITH(L2Beam{.beam_size = 9}.search(layer, weight), basin::test::contains_text("exceeds the 8"));
}
