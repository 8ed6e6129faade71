#include "laws/searcher_laws.hpp"

#include <basin/search/coordinate_refinement.hpp>
#include <basin/search/error_feedback.hpp>
#include <basin/search/level_beam.hpp>
#include <basin/search/subset_beam.hpp>

#include <cstdint>
#include <tuple>
#include <vector>

using basin::Index;
using basin::VisitOrder;
using basin::test::Rng;

namespace {
/// A searcher with its options set. A host's joins by a line in Subjects.
template <VisitOrder Order, int Sweeps>
struct Feedback {
  [[nodiscard]] static auto make() { return basin::ErrorFeedback{.order = Order, .sweeps = Sweeps}; }
};
template <int Size, VisitOrder Order = VisitOrder::natural>
struct Beam {
  [[nodiscard]] static auto make() { return basin::LevelBeam{.beam_size = Size, .order = Order}; }
};
struct Subsets {
  [[nodiscard]] static auto make() { return basin::SubsetBeam{.beam_size = 4, .subset_inputs = 50}; }
};
struct Refinement {
  [[nodiscard]] static auto make() { return basin::CoordinateRefinement{}; }
};
using Subjects = std::tuple<Feedback<VisitOrder::natural, 0>, Feedback<VisitOrder::descending, 0>,
                            Feedback<VisitOrder::shuffled, 5>, Refinement, Beam<1>, Beam<5>, Beam<3, VisitOrder::descending>, Subsets>;

template <class S, class T>
void check_laws(const std::vector<T>& levels, bool with_zero_points, Index n_out, Index n_in) {
  CAPTURE(levels.size(), with_zero_points, n_out, n_in);
  Rng rng(33);
  const auto layer = basin::test::random_layer<T>(n_out, n_in, 1, rng);
  const auto start = basin::test::random_levels<T>(n_out, n_in, levels, with_zero_points, rng);
  basin::test::check_searcher_laws<T>(S::make(), layer, start);
}
}  // namespace

TEMPLATE_LIST_TEST_CASE("Searchers of level weights obey the same laws", "[search][property]", Subjects) {
  const auto check = [](bool with_zero_points, Index n_out, Index n_in) {
    check_laws<TestType, float>({-1.5f, -0.5f, 0.5f, 1.5f}, with_zero_points, n_out, n_in);
    check_laws<TestType, double>({-4, -1, 1, 4}, with_zero_points, n_out, n_in);
  };
  check(false, 5, 7);
  check(true, 3, 140);    // more inputs than one panel takes
  check(false, 200, 33);  // more rows than one task takes
  check_laws<TestType, float>({-1, 1}, false, 4, 9);
}

TEMPLATE_LIST_TEST_CASE("Searchers of level weights take a singular H with dead inputs", "[search][property]", Subjects) {
  Rng rng(34);
  basin::Matrix<double> h = basin::test::gram_matrix(37, 9, rng);
  h.bottomRows(3).setZero();
  h.rightCols(3).setZero();
  const basin::LayerObjective<float> layer(basin::test::normal_matrix<float>(3, 37, rng), h, 1);
  auto weight = basin::test::random_levels<float>(3, 37, {-1.5f, -0.5f, 0.5f, 1.5f}, false, rng);
  auto before = basin::test::group_losses(layer, weight);
  for (std::uint64_t pass = 0; pass < 3; ++pass) {
    TestType::make().search(layer, weight, std::uint64_t{1}, pass);
    const auto after = basin::test::group_losses(layer, weight);
    CHECK((after.array() <= before.array()).all());
    before = after;
  }
}
