#pragma once

#include <basin/search/detail/run_beam.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "support/additive.hpp"

namespace basin::test {
using detail::Move;

/// The moves of a position when codebooks are visited in turn.
[[nodiscard]] inline std::vector<Move> single_moves(const Scheme& scheme) {
  std::vector<Move> moves;
  for (int m = 0; m < scheme.num_codebooks; ++m) moves.push_back({m, -1});
  return moves;
}
/// Pairs of neighbouring codebooks.
[[nodiscard]] inline std::vector<Move> pair_moves(const Scheme& scheme) {
  const int count = scheme.num_codebooks;
  if (count == 1) return single_moves(scheme);
  if (count == 2) return {{0, 1}};
  std::vector<Move> moves;
  for (int m = 0; m < count; ++m) moves.push_back({m, (m + 1) % count});
  return moves;
}

/// Beam search of one output group by the book: every candidate of every hypothesis is scored from the
/// whole residual, all are sorted, nothing is carried over. Returns the group's codes, [J, M].
template <class T>
[[nodiscard]] std::vector<Codes::value_type> reference_beam(const LayerObjective<T>& layer, const AdditiveWeight<T>& weight,
                                                            Index o, int beam_size, const std::vector<Move>& moves) {
  struct Hypothesis {
    double loss;
    std::vector<Codes::value_type> codes;
  };
  const Index g = weight.scheme().in_group_size, g_out = weight.scheme().out_group_size, M = weight.codes.num_codebooks();
  const Index size = weight.codebooks.size();
  const double s = static_cast<double>(weight.scales(o));
  const Matrix<double>& h = layer.hessian();
  const Matrix<double> reference = layer.weight().middleRows(o * g_out, g_out).template cast<double>();
  const auto residual_of = [&](const std::vector<Codes::value_type>& codes) {
    Matrix<double> r = reference;
    for (Index j = 0; j < weight.num_in_groups(); ++j)
      for (Index m = 0; m < M; ++m)
        for (Index d = 0; d < g * g_out; ++d)
          r(d / g, j * g + d % g) -= s * static_cast<double>(weight.codebooks.codeword(m, codes[static_cast<std::size_t>(j * M + m)])[d]);
    return r;
  };
  const auto loss_of = [&](const Matrix<double>& r) { return (r * h).cwiseProduct(r).sum(); };

  std::vector<Codes::value_type> start(weight.codes.row(o), weight.codes.row(o) + weight.num_in_groups() * M);
  std::vector<Hypothesis> beam{{loss_of(residual_of(start)), start}};
  const double start_loss = beam[0].loss;
  for (Index j = 0; j < weight.num_in_groups(); ++j)
    for (const Move& move : moves) {
      const auto at = [&](int m) { return static_cast<std::size_t>(j * M + m); };
      std::vector<Hypothesis> children;
      for (const Hypothesis& parent : beam) {
        Matrix<double> rest = residual_of(parent.codes);
        const auto add = [&](int m) {
          const T* c = weight.codebooks.codeword(m, parent.codes[at(m)]);
          for (Index d = 0; d < g * g_out; ++d) rest(d / g, j * g + d % g) += s * static_cast<double>(c[d]);
        };
        add(move.first);
        if (move.is_pair()) add(move.second);
        const double base = loss_of(rest);
        const Matrix<double> slope = (rest * h).middleCols(j * g, g);
        const Matrix<double> block = h.block(j * g, j * g, g, g);
        std::vector<double> c(static_cast<std::size_t>(g * g_out));
        const Index partners = move.is_pair() ? size : 1;
        std::vector<std::pair<double, Index>> scored;
        for (Index pair = 0; pair < size * partners; ++pair) {
          const T* first = weight.codebooks.codeword(move.first, pair / partners);
          const T* second = move.is_pair() ? weight.codebooks.codeword(move.second, pair % partners) : nullptr;
          double loss = base;
          for (Index d = 0; d < g * g_out; ++d)
            c[static_cast<std::size_t>(d)] = s * (static_cast<double>(first[d]) + (second ? static_cast<double>(second[d]) : 0.0));
          for (Index p = 0; p < g_out; ++p)
            for (Index i = 0; i < g; ++i) {
              const double ci = c[static_cast<std::size_t>(p * g + i)];
              double bent = 0;
              for (Index l = 0; l < g; ++l) bent += block(i, l) * c[static_cast<std::size_t>(p * g + l)];
              loss += ci * (bent - 2 * slope(p, i));
            }
          scored.emplace_back(loss, pair);
        }
        const std::size_t kept = std::min(scored.size(), static_cast<std::size_t>(beam_size));
        std::partial_sort(scored.begin(), scored.begin() + static_cast<std::ptrdiff_t>(kept), scored.end());
        for (std::size_t n = 0; n < kept; ++n) {
          Hypothesis child{scored[n].first, parent.codes};
          child.codes[at(move.first)] = static_cast<Codes::value_type>(scored[n].second / partners);
          if (move.is_pair()) child.codes[at(move.second)] = static_cast<Codes::value_type>(scored[n].second % partners);
          children.push_back(std::move(child));
        }
      }
      std::sort(children.begin(), children.end(), [](const Hypothesis& a, const Hypothesis& b) { return a.loss < b.loss; });
      beam.clear();
      for (Hypothesis& child : children)
        if (beam.size() < static_cast<std::size_t>(beam_size) &&
            std::none_of(beam.begin(), beam.end(), [&](const Hypothesis& kept) { return kept.codes == child.codes; }))
          beam.push_back(std::move(child));
    }
  return beam[0].loss < start_loss * (1 - 1e-14) ? beam[0].codes : start;
}

/// One pass of the library's beam without its check of the width, and each output group's loss by the
/// recurrence.
template <class T>
Vector<double> unchecked_beam(const LayerObjective<T>& layer, AdditiveWeight<T>& weight, int beam_size,
                              const std::vector<Move>& moves) {
  const detail::TransposedCodebooks<T> transposed(weight.codebooks);
  const Index groups = weight.num_in_groups();
  const detail::BeamPlan<T> plan{beam_size,
                                 0,
                                 detail::identity_order(groups),
                                 std::vector<std::vector<Move>>(static_cast<std::size_t>(groups), moves),
                                 &layer.working_hessian(),
                                 &layer,
                                 &transposed};
  detail::BeamTile<T> tile(plan, weight, 0, weight.num_out_groups());
  tile.run();
  Vector<double> scores(weight.num_out_groups());
  for (Index o = 0; o < scores.size(); ++o) scores(o) = tile.best_score(o);
  return scores;
}

}  // namespace basin::test
