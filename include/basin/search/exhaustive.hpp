#pragma once

#include <basin/core/error.hpp>
#include <basin/search/concepts.hpp>
#include <basin/search/detail/run_beam.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace basin {
/// Tries every code tuple of every row: the oracle of the other searchers, for rows of a few groups.
///
/// Cost      K^(J M) * (g_out * n_in^2) per output group.
/// Ties      the codes already there, then the tuple that comes first with group 0's first codebook
///           counting slowest.
/// Errors    ValueError if a row has more than max_tuples code tuples.
struct ExhaustiveSearch {
  double max_tuples = 1 << 20;

  template <class T>
  void search(const LayerObjective<T>& layer, AdditiveWeight<T>& weight, std::uint64_t /*seed*/ = 0,
              std::uint64_t /*pass*/ = 0, const RunContext& context = {}) const {
    detail::check_same_layer(layer, weight);
    const Index positions = weight.num_in_groups() * weight.codes.num_codebooks();
    const Index size = weight.codebooks.size();
    if (std::pow(static_cast<double>(size), static_cast<double>(positions)) > max_tuples)
      raise<ValueError>("ExhaustiveSearch: ", size, "^", positions, " code tuples per row exceed max_tuples = ", max_tuples,
                        "; use BeamSearch");
    const Index g_out = weight.scheme().out_group_size;
    Matrix<T> decoded(g_out, weight.padded_in());
    for (Index o = 0; o < weight.num_out_groups(); ++o) {
      context.check_stop();
      Codes::value_type* codes = weight.codes.row(o);
      const auto loss = [&] {
        weight.decode_unscaled(o, decoded);
        const Matrix<double> error =
            (layer.weight().middleRows(o * g_out, g_out) - weight.scales(o) * decoded).template cast<double>();
        return (error * layer.hessian()).cwiseProduct(error).sum();
      };
      std::vector<Codes::value_type> best(codes, codes + positions);
      double lowest = loss();
      std::fill(codes, codes + positions, Codes::value_type{0});
      for (bool more = true; more;) {
        if (const double here = loss(); here < lowest) {
          lowest = here;
          best.assign(codes, codes + positions);
        }
        more = false;
        for (Index i = positions; i-- > 0 && !more;) {
          more = ++codes[i] < size;
          if (!more) codes[i] = 0;
        }
      }
      std::copy(best.begin(), best.end(), codes);
    }
  }
};
static_assert(Searcher<ExhaustiveSearch>);

}  // namespace basin
