#pragma once

#include <basin/core/error.hpp>
#include <basin/search/concepts.hpp>

#include <concepts>
#include <cstdint>
#include <limits>
#include <stop_token>

#include "support/additive.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/levels.hpp"

namespace basin::test {
/// What a searcher lowers: the layer objective, or the Euclidean error whatever the Hessian.
enum class Lowers { layer_objective, euclidean_error };

/// What the pipeline relies on in a searcher: it changes codes and nothing else, raises no row's loss,
/// treats rows one by one and alike on any threads, leaves what it cannot judge, and stops when asked.
/// Weights of every kind come with the helpers that support/additive.hpp has for theirs.
template <std::floating_point T, class Weight, class Search>
  requires Searcher<Search, Weight>
void check_searcher_laws(const Search& searcher, const LayerObjective<T>& layer, const Weight& start,
                         Lowers lowers = Lowers::layer_objective) {
  const auto searched = [&](const LayerObjective<T>& where, Weight weight, const RunContext& context = {}) {
    searcher.search(where, weight, std::uint64_t{3}, std::uint64_t{1}, context);
    return weight;
  };
  const auto objective_of = [&](const Matrix<double>& hessian) {
    return LayerObjective<T>(Matrix<T>(layer.weight().leftCols(layer.n_in())), hessian, in_group_size(start));
  };
  const Weight found = searched(layer, start);

  // Only codes change, and they name values.
  CHECK(same_but_codes(found, start));
  CHECK(largest_code(found) < num_values(found));

  // No row's loss rises; sums in T round.
  const double slack = std::same_as<T, double> ? 1e-12 : 1e-5;
  const LayerObjective<T> lowered = lowers == Lowers::layer_objective
                                        ? layer
                                        : objective_of(Matrix<double>::Identity(layer.n_in(), layer.n_in()));
  const Vector<double> before = group_losses(lowered, start), after = group_losses(lowered, found);
  CHECK((after.array() <= before.array() * (1 + slack)).all());
  CHECK(after.sum() < before.sum());

  // The same codes again, on any threads, and row by row.
  CHECK(searched(layer, start).codes == found.codes);
  for (const Index threads : {Index{2}, Index{7}}) {
    Threads executor{threads};
    RunContext context;
    context.executor = executor;
    CHECK(searched(layer, start, context).codes == found.codes);
  }
  Index different = 0;
  for (Index o = 0; o < start.scales.size(); ++o)
    different += changed_codes(searched(some_groups(layer, start, o, 1), some_groups(start, o, 1)).codes,
                               some_groups(found, o, 1).codes);
  CHECK(different == 0);

  // A row of scale zero decodes to zero whatever its codes: they stay.
  Weight frozen = start;
  frozen.scales(0) = 0;
  const Weight thawed = searched(layer, frozen);
  CHECK(some_groups(thawed, 0, 1).codes == some_groups(start, 0, 1).codes);
  if (start.scales.size() > 1)
    CHECK(some_groups(thawed, 1, 1).codes == some_groups(found, 1, 1).codes);
  if (lowers == Lowers::layer_objective)
    CHECK(searched(objective_of(Matrix<double>::Zero(layer.n_in(), layer.n_in())), start).codes == start.codes);

  // Refusals leave the codes alone.
  std::stop_source stopped;
  stopped.request_stop();
  RunContext cancelled;
  cancelled.stop = stopped.get_token();
  Weight weight = start;
  CHECK_THROWS_AS(searcher.search(layer, weight, std::uint64_t{0}, std::uint64_t{0}, cancelled), Cancelled);
  CHECK(weight.codes == start.codes);
  for (const Weight& foreign : foreign_weights(start)) CHECK_THROWS_AS(searched(layer, foreign), ShapeError);
}

}  // namespace basin::test
