#pragma once

#include <basin/codebook/concepts.hpp>
#include <basin/core/error.hpp>

#include <concepts>
#include <limits>
#include <stop_token>

#include "support/additive.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

namespace basin::test {
/// What the pipeline relies on in an updater: it moves codebooks and scales and nothing else, does not
/// raise the loss, leaves codewords that nothing uses, keeps its state to its own copy, gives the same
/// bits on any threads, and stops when asked.
template <std::floating_point T, class Update>
  requires Updater<Update, AdditiveWeight<T>>
void check_updater_laws(const Update& updater, const LayerObjective<T>& layer, const AdditiveWeight<T>& start) {
  const Scheme& scheme = start.scheme();
  const auto updated = [&](const LayerObjective<T>& where, AdditiveWeight<T> weight, const RunContext& context = {}) {
    Update fresh = updater;
    fresh.update(where, weight, context);
    return weight;
  };
  const auto same_values = [](const AdditiveWeight<T>& a, const AdditiveWeight<T>& b) {
    return a.codebooks.values() == b.codebooks.values() && a.scales == b.scales;
  };

  // Only values change, and they stay finite. The loss does not rise beyond the rounding of T.
  const AdditiveWeight<T> found = updated(layer, start);
  CHECK(found.codes == start.codes);
  CHECK(found.scheme() == scheme);
  CHECK(found.scales.size() == start.scales.size());
  CHECK(found.codebooks.values().allFinite());
  CHECK(found.scales.allFinite());
  // A Cholesky solve of n unknowns is exact for a matrix n^2 eps away; iterates in float are coarser.
  const double unknowns = static_cast<double>(scheme.num_codebooks * scheme.codebook_size() * scheme.in_group_size);
  const double exact = unknowns * unknowns * std::numeric_limits<double>::epsilon();
  const double rounding = (std::same_as<T, double> ? exact : 1e-5) * layer.weight_energy();
  double before = total_loss(layer, start);
  AdditiveWeight<T> weight = start;
  Update epochs = updater;
  for (int epoch = 0; epoch < 4; ++epoch) {
    epochs.update(layer, weight, RunContext{});
    const double after = total_loss(layer, weight);
    CAPTURE(after - before, rounding);
    CHECK(after <= before + rounding);
    before = after;
  }

  // A codeword that no group uses has nothing to follow.
  AdditiveWeight<T> unused = start;
  const auto dead = static_cast<Codes::value_type>(scheme.codebook_size() - 1);
  for (auto& code : unused.codes.values())
    if (code == dead) code = 0;
  const AdditiveWeight<T> kept = updated(layer, unused);
  for (Index m = 0; m < scheme.num_codebooks; ++m)
    CHECK(kept.codebooks.codebook(m).row(dead) == unused.codebooks.codebook(m).row(dead));

  // The same bits from every copy and on any threads.
  CHECK(same_values(updated(layer, start), found));
  for (const Index threads : {Index{2}, Index{7}}) {
    Threads executor{threads};
    RunContext context;
    context.executor = executor;
    CHECK(same_values(updated(layer, start, context), found));
  }

  // Nothing to follow at all: H = 0.
  const LayerObjective<T> blind(Matrix<T>(layer.weight().leftCols(layer.n_in())),
                                Matrix<double>::Zero(layer.n_in(), layer.n_in()), scheme.in_group_size);
  CHECK(same_values(updated(blind, start), start));

  std::stop_source stopped;
  stopped.request_stop();
  RunContext cancelled;
  cancelled.stop = stopped.get_token();
  CHECK_THROWS_AS(updated(layer, start, cancelled), Cancelled);
}

}  // namespace basin::test
