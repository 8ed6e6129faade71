#pragma once

#include <basin/codebook/additive_weight.hpp>
#include <basin/core/aligned_vector.hpp>
#include <basin/metric/layer_objective.hpp>
#include <basin/search/detail/candidates.hpp>
#include <basin/search/detail/column_tables.hpp>
#include <basin/search/detail/hypothesis_products.hpp>
#include <basin/search/detail/move_scan.hpp>
#include <basin/search/detail/row_products.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace basin::detail {
/// What all tiles of one beam pass share. Groups are numbered by the time of their visit: position t
/// stands for input group order[t], and `hessian` has its rows and columns in that order.
template <class T>
struct BeamPlan {
  int beam_size;
  double sparsity;
  std::vector<Index> order;               ///< [J]
  std::vector<std::vector<Move>> moves;   ///< [J], what is chosen at each position, in turn
  const Matrix<T>* hessian;               ///< [n, n]
  const LayerObjective<T>* layer;
  const TransposedCodebooks<T>* transposed;
};

/// One beam pass over a tile of output groups.
///
/// A hypothesis is the code choices made so far; what search needs of it is P = R H, R the residual, at
/// positions still to come.
template <class T>
class BeamTile {
 public:
  BeamTile(const BeamPlan<T>& plan, AdditiveWeight<T>& weight, Index first, Index count)
      : plan_(plan),
        weight_(weight),
        first_(first),
        count_(count),
        g_(weight.scheme().in_group_size),
        g_out_(weight.scheme().out_group_size),
        columns_(weight.padded_in()),
        groups_(weight.num_in_groups()),
        beam_(plan.beam_size),
        tables_(weight.codebooks, *plan.transposed),
        scan_(weight.codebooks, *plan.transposed, tables_, plan.beam_size, plan.sparsity),
        products_(*plan.hessian, count, plan.beam_size, g_, g_out_),
        candidates_(plan.beam_size),
        rows_(at(count)),
        history_(at(count * groups_ * beam_)),
        change_(at(weight.codebooks.codeword_size())) {}

  void run() {
    start_rows();
    const auto hypotheses = [&](Index row) { return static_cast<Index>(rows_[at(row)].nodes.size()); };
    for (Index begin = 0; begin < groups_; begin += products_.window_groups()) {
      const Index end = std::min(groups_, begin + products_.window_groups());
      products_.open(begin, end, hypotheses);
      for (Row& row : rows_)
        for (std::size_t h = 0; h < row.nodes.size(); ++h) row.nodes[h].slot = static_cast<int>(h);
      for (Index t = begin; t < end; ++t) decide_group(t);
      if (end < groups_)
        products_.close(hypotheses, [&](Index row, Index h, T* changes) { return trace_window(row, h, begin, end, changes); });
    }
    for (Index row = 0; row < count_; ++row) keep_best(row);
  }

  /// Loss of the best hypothesis of a row after run(), by the recurrence and less the reward for zeros.
  [[nodiscard]] double best_score(Index row) const noexcept { return rows_[at(row)].nodes[0].score; }

 private:
  struct Node {
    double score;  ///< loss, less the reward for zero codes
    int origin;    ///< hypothesis at the start of the group
    int slot;      ///< its copy of P inside the window
    CodeTuple codes;
  };
  struct Row {
    std::vector<Node> nodes;
    double start_score = 0;
  };
  struct Step {
    int origin;
    CodeTuple codes;
  };

  [[nodiscard]] Step& history(Index row, Index t, Index hypothesis) noexcept {
    return history_[at((row * groups_ + t) * beam_ + hypothesis)];
  }
  [[nodiscard]] CodeTuple stored_codes(Index row, Index t) const noexcept {
    CodeTuple codes{};
    const auto tuple = weight_.codes.tuple(first_ + row, plan_.order[at(t)]);
    std::copy(tuple.begin(), tuple.end(), codes.begin());
    return codes;
  }
  [[nodiscard]] int zeros(const CodeTuple& codes) const noexcept {
    return static_cast<int>(std::count(codes.begin(), codes.begin() + weight_.codes.num_codebooks(), 0));
  }

  /// P = R H and the loss of every row of the tile, from scratch.
  void start_rows() {
    const Matrix<T>& reference = plan_.layer->weight();
    Matrix<T> residual(g_out_, columns_), decoded(g_out_, columns_);
    Matrix<T> all(count_ * g_out_, columns_), result(count_ * g_out_, columns_);
    for (Index row = 0; row < count_; ++row) {
      const Index o = first_ + row;
      weight_.decode_unscaled(o, decoded);
      residual = reference.middleRows(o * g_out_, g_out_) - weight_.scales(o) * decoded;
      for (Index t = 0; t < groups_; ++t)
        all.block(row * g_out_, t * g_, g_out_, g_) = residual.middleCols(plan_.order[at(t)] * g_, g_);
    }
    row_products(all.data(), count_ * g_out_, columns_, plan_.hessian->data(), columns_, columns_, columns_, result.data(),
                 columns_);
    for (Index row = 0; row < count_; ++row) {
      T* start = products_.start(row);
      double loss = 0;
      for (Index i = 0; i < g_out_ * columns_; ++i) {
        start[i] = result.data()[row * g_out_ * columns_ + i];
        loss += static_cast<double>(start[i]) * static_cast<double>(all.data()[row * g_out_ * columns_ + i]);
      }
      if (plan_.sparsity != 0)
        for (Index t = 0; t < groups_; ++t) loss -= plan_.sparsity * zeros(stored_codes(row, t));
      rows_[at(row)].start_score = loss;
      rows_[at(row)].nodes = {{loss, 0, 0, {}}};
    }
  }

  /// Makes the tables of position t and takes every row through its moves.
  void decide_group(Index t) {
    const Index column = t * g_;
    tables_.build(plan_.hessian->data() + column * columns_ + column, columns_);
    const std::vector<Move>& moves = plan_.moves[at(t)];
    pairs_.resize(std::max(pairs_.size(), moves.size()));
    for (std::size_t i = 0; i < moves.size(); ++i)
      if (moves[i].is_pair() && scan_.uses_table()) tables_.build_pair(moves[i], pairs_[i]);
    for (Index row = 0; row < count_; ++row)
      if (weight_.scales(first_ + row) != T(0)) visit(row, t, moves);
  }

  /// All moves of one row at one position.
  void visit(Index row, Index t, const std::vector<Move>& moves) {
    std::vector<Node>& nodes = rows_[at(row)].nodes;
    const CodeTuple stored = stored_codes(row, t);
    for (std::size_t h = 0; h < nodes.size(); ++h) {
      nodes[h].origin = static_cast<int>(h);
      nodes[h].codes = stored;
    }
    const T scale = weight_.scales(first_ + row);
    for (std::size_t i = 0; i < moves.size(); ++i) {
      candidates_.clear();
      for (std::size_t h = 0; h < nodes.size(); ++h)
        candidates_.insert({nodes[h].score, static_cast<int>(h), nodes[h].origin, false, nodes[h].codes});
      for (std::size_t h = 0; h < nodes.size(); ++h) {
        const Node& node = nodes[h];
        scan_.scan({node.score, static_cast<int>(h), node.origin, &node.codes, products_.at_group(row, node.slot, t),
                    products_.window_columns(), scale},
                   moves[i], pairs_[i], candidates_);
      }
      branch(row, t);
    }
    for (std::size_t h = 0; h < nodes.size(); ++h)
      history(row, t, static_cast<Index>(h)) = {nodes[h].origin, nodes[h].codes};
  }

  /// Turns the chosen candidates into the row's hypotheses; only those whose codes changed get a copy of
  /// P.
  void branch(Index row, Index t) {
    std::vector<Node>& nodes = rows_[at(row)].nodes;
    branched_.clear();
    taken_.assign(at(2 * beam_), 0);
    for (const Node& node : nodes) taken_[at(node.slot)] = 1;
    for (std::size_t n = 0; n < candidates_.size(); ++n) {
      const Candidate& chosen = candidates_[n];
      const Node& parent = nodes[at(chosen.parent)];
      int slot = parent.slot;
      if (chosen.codes != parent.codes) {
        slot = static_cast<int>(std::find(taken_.begin(), taken_.end(), 0) - taken_.begin());
        taken_[at(slot)] = 1;
        code_difference(row, parent.codes, chosen.codes);
        products_.branch(row, parent.slot, slot, t, change_.data());
      }
      branched_.push_back({chosen.loss, chosen.origin, slot, chosen.codes});
    }
    nodes.swap(branched_);
  }

  /// change_ = scale * (decoded new codes - decoded old codes) of one group, [D].
  void code_difference(Index row, const CodeTuple& old_codes, const CodeTuple& new_codes) noexcept {
    const T scale = weight_.scales(first_ + row);
    std::fill(change_.begin(), change_.end(), T(0));
    for (Index m = 0; m < weight_.codes.num_codebooks(); ++m) {
      const auto old_code = old_codes[at(m)], new_code = new_codes[at(m)];
      if (old_code == new_code) continue;
      const T* from = weight_.codebooks.codeword(m, old_code);
      const T* to = weight_.codebooks.codeword(m, new_code);
      for (std::size_t d = 0; d < change_.size(); ++d) change_[d] += scale * (to[d] - from[d]);
    }
  }

  /// How a hypothesis moved within the window [begin, end), and which one it was before; see
  /// HypothesisProducts::close.
  [[nodiscard]] Index trace_window(Index row, Index hypothesis, Index begin, Index end, T* changes) {
    if (weight_.scales(first_ + row) == T(0)) return hypothesis;
    for (Index t = end; t-- > begin;) {
      const Step& step = history(row, t, hypothesis);
      code_difference(row, stored_codes(row, t), step.codes);
      for (Index p = 0; p < g_out_; ++p)
        std::copy_n(change_.data() + p * g_, g_, changes + p * products_.window_columns() + (t - begin) * g_);
      hypothesis = step.origin;
    }
    return hypothesis;
  }

  /// Writes the best hypothesis's codes, unless it is no better than the start by more than rounding.
  void keep_best(Index row) {
    const Row& state = rows_[at(row)];
    if (weight_.scales(first_ + row) == T(0)) return;
    const double tolerance = 16 * static_cast<double>(std::numeric_limits<T>::epsilon());
    if (!(state.nodes[0].score < state.start_score - tolerance * std::abs(state.start_score))) return;
    Index hypothesis = 0;
    for (Index t = groups_; t-- > 0;) {
      const Step& step = history(row, t, hypothesis);
      Codes::value_type* codes = weight_.codes.row(first_ + row) + plan_.order[at(t)] * weight_.codes.num_codebooks();
      std::copy_n(step.codes.begin(), weight_.codes.num_codebooks(), codes);
      hypothesis = step.origin;
    }
  }

  [[nodiscard]] static constexpr std::size_t at(Index i) noexcept { return static_cast<std::size_t>(i); }

  const BeamPlan<T>& plan_;
  AdditiveWeight<T>& weight_;
  const Index first_, count_, g_, g_out_, columns_, groups_, beam_;
  ColumnTables<T> tables_;
  MoveScan<T> scan_;
  std::vector<PairTable<T>> pairs_;
  HypothesisProducts<T> products_;
  CandidateList candidates_;
  std::vector<Row> rows_;
  std::vector<Step> history_;  // [count, J, B]
  AlignedVector<T> change_;    // [D]
  std::vector<Node> branched_;
  std::vector<char> taken_;
};

/// Output groups per task; a function of the shape alone.
[[nodiscard]] constexpr Index beam_tile_rows(Index padded_in) noexcept { return padded_in <= 4096 ? 96 : 48; }

}  // namespace basin::detail
