#include "laws/searcher_laws.hpp"

#include <basin/search/beam.hpp>
#include <basin/search/exhaustive.hpp>
#include <basin/search/joint_beam.hpp>
#include <basin/search/l2_beam.hpp>

#include <cstdint>
#include <tuple>
#include <type_traits>

using basin::BeamSearch;
using basin::ExhaustiveSearch;
using basin::Index;
using basin::JointBeam;
using basin::L2Beam;
using basin::Scheme;
using basin::VisitOrder;
using basin::test::Rng;

namespace {
/// A searcher with its options set, and whether rows may have many groups.
template <class Search, int Beam, bool Shuffled = false>
struct Subject {
  [[nodiscard]] static Search make() {
    if constexpr (std::is_same_v<Search, ExhaustiveSearch>)
      return {};
    else if constexpr (std::is_same_v<Search, L2Beam>)
      return {.beam_size = Beam};
    else
      return {.beam_size = Beam, .order = Shuffled ? VisitOrder::shuffled : VisitOrder::natural};
  }
  static constexpr bool any_size = !std::is_same_v<Search, ExhaustiveSearch>;
  static constexpr auto lowers =
      std::is_same_v<Search, L2Beam> ? basin::test::Lowers::euclidean_error : basin::test::Lowers::layer_objective;
};
// A host's searcher joins by a line here.
using Subjects = std::tuple<Subject<ExhaustiveSearch, 0>, Subject<BeamSearch, 1>, Subject<BeamSearch, 4>,
                            Subject<BeamSearch, 3, true>, Subject<JointBeam, 1>, Subject<JointBeam, 4>,
                            Subject<JointBeam, 2, true>, Subject<L2Beam, 1>, Subject<L2Beam, 3>>;

template <class S, class T>
void check_laws(const Scheme& scheme, Index n_out, Index n_in) {
  CAPTURE(scheme.num_codebooks, scheme.bits_per_code, scheme.in_group_size, scheme.out_group_size, n_out, n_in);
  Rng rng(31);
  const auto layer = basin::test::random_layer<T>(n_out, n_in, scheme.in_group_size, rng);
  basin::test::check_searcher_laws<T>(S::make(), layer, basin::test::random_weight<T>(n_out, n_in, scheme, rng), S::lowers);
}
}  // namespace

TEMPLATE_LIST_TEST_CASE("Searchers obey their laws", "[search][property]", Subjects) {
  const auto check = [](const Scheme& scheme, Index n_out, Index n_in) {
    check_laws<TestType, float>(scheme, n_out, n_in);
    check_laws<TestType, double>(scheme, n_out, n_in);
  };
  check({2, 2, 4, 1}, 5, 7);  // a padded group
  check({1, 2, 2, 2}, 6, 4);
  if constexpr (TestType::any_size) {
    check({2, 6, 8, 1}, 130, 40);  // more rows than one task takes
    check({3, 3, 4, 2}, 8, 30);
    check({1, 4, 8, 1}, 6, 168);
  }
}

using Beams = std::tuple<Subject<BeamSearch, 1>, Subject<BeamSearch, 3, true>, Subject<JointBeam, 1>, Subject<JointBeam, 2, true>,
                         Subject<L2Beam, 2>>;
TEMPLATE_LIST_TEST_CASE("Searchers take every number of codebooks and every group size", "[search][property]", Beams) {
  using T = float;
  const int num_codebooks = GENERATE(range(1, 9));
  const int g = GENERATE(4, 8, 16);
  const int bits = GENERATE(1, 3);
  const Scheme scheme{num_codebooks, bits, g, 1};
  if (TestType::make().beam_size > (1 << (num_codebooks * bits))) return;
  CAPTURE(num_codebooks, g, bits);
  Rng rng(32);
  // Fewer tokens than inputs: H is singular, and its last inputs are dead.
  basin::Matrix<double> h = basin::test::gram_matrix(37, 9, rng);
  h.bottomRows(3).setZero();
  h.rightCols(3).setZero();
  const basin::LayerObjective<T> layer(basin::test::normal_matrix<T>(3, 37, rng), h, g);
  auto weight = basin::test::random_weight<T>(3, 37, scheme, rng);
  const basin::LayerObjective<T> lowered =
      TestType::lowers == basin::test::Lowers::layer_objective
          ? layer
          : basin::LayerObjective<T>(basin::Matrix<T>(layer.weight().leftCols(37)), basin::Matrix<double>::Identity(37, 37), g);
  auto before = basin::test::group_losses(lowered, weight);
  for (std::uint64_t pass = 0; pass < 3; ++pass) {
    TestType::make().search(layer, weight, std::uint64_t{1}, pass);
    const auto after = basin::test::group_losses(lowered, weight);
    CHECK((after.array() <= before.array() * (1 + 1e-5)).all());
    before = after;
  }
}
