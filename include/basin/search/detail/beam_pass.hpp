#pragma once

#include <basin/codebook/additive_weight.hpp>
#include <basin/core/run_context.hpp>
#include <basin/metric/layer_objective.hpp>
#include <basin/search/detail/candidates.hpp>
#include <basin/search/detail/column_tables.hpp>
#include <basin/search/detail/row_products.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
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
/// A hypothesis is the code choices made so far; what search needs of it is P = R H (R the residual)
/// at positions still to come. Inside a window of groups every hypothesis has its own P, small
/// enough to copy when it branches; the columns behind the window are brought up to date when it
/// closes, by the groups whose codes changed, and hypotheses with a common past share that work.
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
        depth_(weight.codebooks.codeword_size()),
        columns_(weight.padded_in()),
        groups_(weight.num_in_groups()),
        beam_(plan.beam_size),
        window_groups_(std::max<Index>(1, product_columns<T> / g_)),
        window_columns_(window_groups_ * g_),
        padded_size_(plan.transposed->padded_size()),
        tables_(weight.codebooks, *plan.transposed),
        candidates_(plan.beam_size) {
    const auto sized = [](Index n) { return static_cast<std::size_t>(n); };
    rows_.resize(sized(count));
    history_.resize(sized(count * groups_ * beam_));
    products_.resize(sized(count * beam_ * g_out_ * columns_));
    if (beam_ > 1) next_products_.resize(products_.size());
    windows_.resize(sized(count * 2 * beam_ * g_out_ * window_columns_));
    for (std::vector<T>* scratch : {&first_scores_, &second_scores_, &grown_, &room_}) scratch->resize(sized(padded_size_));
    coarse_.resize(sized(padded_size_));
    open_.resize(sized(padded_size_));
    for (std::vector<T>* scratch : {&contribution_, &weighted_, &slice_, &slope_}) scratch->resize(sized(depth_));
  }

  void run() {
    start_rows();
    for (Index begin = 0; begin < groups_; begin += window_groups_) {
      const Index end = std::min(groups_, begin + window_groups_);
      open_window(begin, end);
      for (Index t = begin; t < end; ++t) {
        const Index column = t * g_;
        tables_.build(plan_.hessian->data() + column * columns_ + column, columns_);
        const std::vector<Move>& moves = plan_.moves[static_cast<std::size_t>(t)];
        pairs_.resize(std::max(pairs_.size(), moves.size()));
        for (std::size_t i = 0; i < moves.size(); ++i)
          if (moves[i].is_pair() && uses_table()) tables_.build_pair(moves[i], pairs_[i]);
        for (Index row = 0; row < count_; ++row)
          if (weight_.scales(first_ + row) != T(0)) visit(row, t, begin, end, moves);
      }
      if (end < groups_) close_window(begin, end);
    }
    for (Index row = 0; row < count_; ++row) keep_best(row);
  }

  /// Loss of the best hypothesis of a row after run(), by the recurrence and less the reward for zeros.
  [[nodiscard]] double best_score(Index row) const noexcept { return rows_[static_cast<std::size_t>(row)].nodes[0].score; }

  /// Codebooks up to this size are paired through a table of all pairs.
  static constexpr Index largest_table = 1024;

 private:
  struct Node {
    double score;   ///< loss, less the reward for zero codes
    int origin;     ///< hypothesis at the start of the group
    int slot;       ///< its copy of P inside the window
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

  [[nodiscard]] bool uses_table() const noexcept { return weight_.codebooks.size() <= largest_table; }
  [[nodiscard]] T* product(std::vector<T>& all, Index row, Index hypothesis) noexcept {
    return all.data() + (row * beam_ + hypothesis) * g_out_ * columns_;
  }
  /// P of a slot in the open window: [g_out, window columns].
  [[nodiscard]] T* window(Index row, Index slot) noexcept {
    return windows_.data() + (row * 2 * beam_ + slot) * g_out_ * window_columns_;
  }
  [[nodiscard]] Step& history(Index row, Index t, Index hypothesis) noexcept {
    return history_[static_cast<std::size_t>((row * groups_ + t) * beam_ + hypothesis)];
  }
  [[nodiscard]] CodeTuple stored_codes(Index row, Index t) const noexcept {
    CodeTuple codes{};
    const auto tuple = weight_.codes.tuple(first_ + row, plan_.order[static_cast<std::size_t>(t)]);
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
        all.block(row * g_out_, t * g_, g_out_, g_) = residual.middleCols(plan_.order[static_cast<std::size_t>(t)] * g_, g_);
    }
    row_products(all.data(), count_ * g_out_, columns_, plan_.hessian->data(), columns_, columns_, columns_, result.data(),
                 columns_);
    for (Index row = 0; row < count_; ++row) {
      T* start = product(products_, row, 0);
      double loss = 0;
      for (Index i = 0; i < g_out_ * columns_; ++i) {
        start[i] = result.data()[row * g_out_ * columns_ + i];
        loss += static_cast<double>(start[i]) * static_cast<double>(all.data()[row * g_out_ * columns_ + i]);
      }
      if (plan_.sparsity != 0)
        for (Index t = 0; t < groups_; ++t) loss -= plan_.sparsity * zeros(stored_codes(row, t));
      rows_[static_cast<std::size_t>(row)].start_score = loss;
      rows_[static_cast<std::size_t>(row)].nodes = {{loss, 0, 0, {}}};
    }
  }

  void open_window(Index begin, Index end) {
    const Index used = (end - begin) * g_;
    for (Index row = 0; row < count_; ++row) {
      std::vector<Node>& nodes = rows_[static_cast<std::size_t>(row)].nodes;
      for (std::size_t h = 0; h < nodes.size(); ++h) {
        nodes[h].slot = static_cast<int>(h);
        const T* from = product(products_, row, static_cast<Index>(h)) + begin * g_;
        for (Index p = 0; p < g_out_; ++p)
          std::copy_n(from + p * columns_, used, window(row, static_cast<Index>(h)) + p * window_columns_);
      }
    }
  }

  /// All moves of one row at one position.
  void visit(Index row, Index t, Index begin, Index end, const std::vector<Move>& moves) {
    std::vector<Node>& nodes = rows_[static_cast<std::size_t>(row)].nodes;
    const CodeTuple stored = stored_codes(row, t);
    for (std::size_t h = 0; h < nodes.size(); ++h) {
      nodes[h].origin = static_cast<int>(h);
      nodes[h].codes = stored;
    }
    const double scale = static_cast<double>(weight_.scales(first_ + row));
    for (std::size_t i = 0; i < moves.size(); ++i) {
      candidates_.clear();
      for (std::size_t h = 0; h < nodes.size(); ++h)
        candidates_.insert({nodes[h].score, static_cast<int>(h), nodes[h].origin, false, nodes[h].codes});
      for (std::size_t h = 0; h < nodes.size(); ++h)
        expand(nodes[h], static_cast<int>(h), window(row, nodes[h].slot) + (t - begin) * g_, moves[i], pairs_[i], scale);
      branch(row, t, begin, end);
    }
    for (std::size_t h = 0; h < nodes.size(); ++h)
      history(row, t, static_cast<Index>(h)) = {nodes[h].origin, nodes[h].codes};
  }

  /// Scores the ways to replace the moved codes of a hypothesis; `product` is its P at this group.
  void expand(const Node& node, int index, const T* product, const Move& move, const PairTable<T>& pair, double scale) {
    const Index m1 = move.first, m2 = move.second;
    const T* c1 = weight_.codebooks.codeword(m1, node.codes[static_cast<std::size_t>(m1)]);
    const T* c2 = move.is_pair() ? weight_.codebooks.codeword(m2, node.codes[static_cast<std::size_t>(m2)]) : nullptr;
    const T s = static_cast<T>(scale);
    for (Index d = 0; d < depth_; ++d) contribution_[at(d)] = s * (c2 ? c1[d] + c2[d] : c1[d]);
    tables_.multiply(contribution_.data(), weighted_.data());
    // The hypothesis without its moved codewords: residual r + y, so P + y H and loss + 2 y.P + y H y.
    double base = node.score;
    for (Index p = 0; p < g_out_; ++p)
      for (Index i = 0; i < g_; ++i) {
        const Index d = p * g_ + i;
        const T here = product[p * window_columns_ + i];
        base += static_cast<double>(contribution_[at(d)]) * (2 * static_cast<double>(here) + static_cast<double>(weighted_[at(d)]));
        slope_[at(d)] = T(-2) * (here + weighted_[at(d)]) / s;
      }
    const Scoring scoring{base_without_reward(base, node, move), scale * scale, 1 / (scale * scale),
                          static_cast<T>(plan_.sparsity / (scale * scale))};
    score_codebook(m1, scoring, first_scores_);
    if (!move.is_pair()) return take_single(node, index, move, scoring);
    score_codebook(m2, scoring, second_scores_);
    if (uses_table())
      take_pairs(node, index, move, pair, scoring);
    else
      grow_pairs(node, index, move, scoring);
  }

  /// loss(k) = base + unit * score(k): scores are in units of the squared scale.
  struct Scoring {
    double base;
    double unit, per_unit;
    T zero_reward;
    [[nodiscard]] double loss(T score) const noexcept { return base + unit * static_cast<double>(score); }
    /// A score that no candidate below `limit` exceeds, rounding included.
    [[nodiscard]] T bound(double limit) const noexcept {
      const double score = (limit - base) * per_unit;
      return static_cast<T>(score + 8 * static_cast<double>(std::numeric_limits<T>::epsilon()) *
                                        (std::abs(score) + std::abs(base) * per_unit));
    }
  };

  [[nodiscard]] double base_without_reward(double base, const Node& node, const Move& move) const noexcept {
    if (plan_.sparsity == 0) return base;
    if (node.codes[static_cast<std::size_t>(move.first)] == 0) base += plan_.sparsity;
    if (move.is_pair() && node.codes[static_cast<std::size_t>(move.second)] == 0) base += plan_.sparsity;
    return base;
  }

  void score_codebook(Index m, const Scoring& scoring, std::vector<T>& scores) {
    accumulate_scores(tables_.energy(m), plan_.transposed->codebook(m), slope_.data(), depth_, padded_size_, scores.data());
    scores[0] -= scoring.zero_reward;
  }

  void propose(const Node& node, int index, const Move& move, Index k1, Index k2, double score) {
    Candidate candidate{score, index, node.origin, true, node.codes};
    candidate.codes[static_cast<std::size_t>(move.first)] = static_cast<std::uint16_t>(k1);
    if (move.is_pair()) candidate.codes[static_cast<std::size_t>(move.second)] = static_cast<std::uint16_t>(k2);
    if (candidate.codes != node.codes) candidates_.insert(candidate);
  }

  void take_single(const Node& node, int index, const Move& move, const Scoring& scoring) {
    for (Index k = 0;; ++k) {
      k = find_at_most(first_scores_.data(), scoring.bound(candidates_.limit()), k, padded_size_);
      if (k >= weight_.codebooks.size()) return;
      propose(node, index, move, k, 0, scoring.loss(first_scores_[at(k)]));
    }
  }

  /// Exactly the best pairs: every pair not proven above the limit by the coarse table is evaluated.
  void take_pairs(const Node& node, int index, const Move& move, const PairTable<T>& pair, const Scoring& scoring) {
    const Index size = weight_.codebooks.size();
    const Index old1 = node.codes[at(move.first)];
    // The current first code and all its partners: they make the limit tight before the scan begins.
    take_row(node, index, move, pair, scoring, old1);
    const T least = extremes(second_scores_.data(), size).least;
    const T per_step = 1 / pair.step;
    quantize_down(second_scores_.data(), least, per_step, padded_size_, coarse_.data());
    // Steps that a sum of coarse entries may reach. A twentieth covers the rounding of both tables.
    const T start = scoring.bound(candidates_.limit()) - least;
    measure_room(first_scores_.data(), pair.row_min.data(), start, per_step, T(0.05), padded_size_, room_.data(), open_.data());
    open_[at(old1)] = 0;
    for (Index block = 0; block < padded_size_; block += 64)
      for (std::uint64_t lanes = lane_mask(open_.data() + block); lanes != 0; lanes &= lanes - 1) {
        const Index k = block + std::countr_zero(lanes);
        const T room = room_[at(k)];
        if (room < T(255) &&
            !any_sum_at_most(pair.coarse.data() + k * padded_size_, coarse_.data(),
                             static_cast<std::uint8_t>(static_cast<int>(room)), padded_size_))
          continue;
        take_row(node, index, move, pair, scoring, k);
      }
  }

  void take_row(const Node& node, int index, const Move& move, const PairTable<T>& pair, const Scoring& scoring, Index k1) {
    const T* cross = pair.cross.data() + k1 * padded_size_;
    const T first = first_scores_[at(k1)];
    for (Index k2 = 0;; ++k2) {
      k2 = find_sum_at_most(cross, second_scores_.data(), scoring.bound(candidates_.limit()) - first, k2, padded_size_);
      if (k2 >= weight_.codebooks.size()) return;
      propose(node, index, move, k1, k2, scoring.loss(first + (cross[k2] + second_scores_[at(k2)])));
    }
  }

  /// For codebooks too large for a table of pairs: the most promising first codes, each with its exact
  /// best second codes.
  void grow_pairs(const Node& node, int index, const Move& move, const Scoring& scoring) {
    const Index size = weight_.codebooks.size();
    const Index width = std::min<Index>(size, std::max<Index>(16, 4 * beam_));
    std::vector<Index> firsts = identity_range(size);
    std::partial_sort(firsts.begin(), firsts.begin() + width, firsts.end(), [&](Index a, Index b) {
      return first_scores_[at(a)] != first_scores_[at(b)] ? first_scores_[at(a)] < first_scores_[at(b)] : a < b;
    });
    firsts.resize(static_cast<std::size_t>(width));
    firsts.push_back(node.codes[static_cast<std::size_t>(move.first)]);
    for (const Index k1 : firsts) {
      tables_.multiply(weight_.codebooks.codeword(move.first, k1), weighted_.data());
      for (T& w : weighted_) w *= 2;
      accumulate_scores(second_scores_.data(), plan_.transposed->codebook(move.second), weighted_.data(), depth_,
                        padded_size_, grown_.data());
      const T first = first_scores_[at(k1)];
      for (Index k2 = 0;; ++k2) {
        k2 = find_at_most(grown_.data(), scoring.bound(candidates_.limit()) - first, k2, padded_size_);
        if (k2 >= size) break;
        propose(node, index, move, k1, k2, scoring.loss(first + grown_[at(k2)]));
      }
    }
  }
  [[nodiscard]] static std::vector<Index> identity_range(Index n) {
    std::vector<Index> range(static_cast<std::size_t>(n));
    for (Index i = 0; i < n; ++i) range[static_cast<std::size_t>(i)] = i;
    return range;
  }

  /// Turns the chosen candidates into the row's hypotheses; only those whose codes changed get a copy of
  /// P, and it is brought up to date inside the window.
  void branch(Index row, Index t, Index begin, Index end) {
    std::vector<Node>& nodes = rows_[static_cast<std::size_t>(row)].nodes;
    branched_.clear();
    std::vector<char>& taken = taken_;
    taken.assign(static_cast<std::size_t>(2 * beam_), 0);
    for (const Node& node : nodes) taken[static_cast<std::size_t>(node.slot)] = 1;
    for (std::size_t n = 0; n < candidates_.size(); ++n) {
      const Candidate& chosen = candidates_[n];
      const Node& parent = nodes[static_cast<std::size_t>(chosen.parent)];
      int slot = parent.slot;
      if (chosen.codes != parent.codes) {
        slot = static_cast<int>(std::find(taken.begin(), taken.end(), 0) - taken.begin());
        taken[static_cast<std::size_t>(slot)] = 1;
        change_codes(row, parent, chosen.codes, slot, t, begin, end);
      }
      branched_.push_back({chosen.loss, chosen.origin, slot, chosen.codes});
    }
    nodes.swap(branched_);
  }

  void change_codes(Index row, const Node& parent, const CodeTuple& codes, int slot, Index t, Index begin, Index end) {
    const T scale = weight_.scales(first_ + row);
    code_difference(parent.codes, codes, scale, slice_.data());
    const Index from = (t - begin) * g_, until = (end - begin) * g_;
    for (Index p = 0; p < g_out_; ++p) {
      const T* BASIN_RESTRICT old = window(row, parent.slot) + p * window_columns_;
      T* BASIN_RESTRICT changed = window(row, slot) + p * window_columns_;
      for (Index c = from; c < until; ++c) changed[c] = old[c];
      for (Index i = 0; i < g_; ++i) {
        const T x = slice_[at(p * g_ + i)];
        const T* BASIN_RESTRICT h = plan_.hessian->data() + (t * g_ + i) * columns_ + begin * g_;
        for (Index c = from; c < until; ++c) changed[c] -= x * h[c];
      }
    }
  }

  /// scale * (decoded new codes - decoded old codes) of one group, [D].
  void code_difference(const CodeTuple& old_codes, const CodeTuple& new_codes, T scale, T* out) const noexcept {
    std::fill(out, out + depth_, T(0));
    for (Index m = 0; m < weight_.codes.num_codebooks(); ++m) {
      const auto old_code = old_codes[static_cast<std::size_t>(m)], new_code = new_codes[static_cast<std::size_t>(m)];
      if (old_code == new_code) continue;
      const T* from = weight_.codebooks.codeword(m, old_code);
      const T* to = weight_.codebooks.codeword(m, new_code);
      for (Index d = 0; d < depth_; ++d) out[d] += scale * (to[d] - from[d]);
    }
  }

  /// How P of a hypothesis behind the window follows from an earlier P.
  struct Job {
    const T* from;
    T* to;
    Index first_change, num_changes;  ///< into change_groups_; deltas at change_values_ + delta
    Index delta;
  };

  void close_window(Index begin, Index end) {
    jobs_.clear();
    change_groups_.clear();
    change_values_.clear();
    std::vector<T>& target = beam_ > 1 ? next_products_ : products_;
    for (Index row = 0; row < count_; ++row) plan_row_jobs(row, begin, end, target);
    for (Index c = end * g_; c < columns_; c += product_columns<T>) {
      const Index width = std::min(product_columns<T>, columns_ - c);
      for (const Job& job : jobs_)
        subtract_changes(job.from + c, change_values_.data() + job.delta, change_groups_.data() + job.first_change,
                         job.num_changes, g_, plan_.hessian->data() + begin * g_ * columns_ + c, columns_, width, job.to + c);
    }
    if (beam_ > 1) products_.swap(next_products_);
  }

  void plan_row_jobs(Index row, Index begin, Index end, std::vector<T>& target) {
    const T scale = weight_.scales(first_ + row);
    const Index size = g_out_ * window_columns_;
    const std::size_t hypotheses = rows_[static_cast<std::size_t>(row)].nodes.size();
    Index first_ancestor = 0, first_delta = 0;
    for (std::size_t h = 0; h < hypotheses; ++h) {
      const Index delta = static_cast<Index>(change_values_.size());
      change_values_.resize(static_cast<std::size_t>(delta + size), T(0));
      Index ancestor = static_cast<Index>(h);
      if (scale != T(0))
        for (Index t = end; t-- > begin;) {
          const Step& step = history(row, t, ancestor);
          code_difference(stored_codes(row, t), step.codes, scale, slice_.data());
          for (Index p = 0; p < g_out_; ++p)
            std::copy_n(slice_.data() + p * g_, g_, change_values_.data() + delta + p * window_columns_ + (t - begin) * g_);
          ancestor = step.origin;
        }
      // A hypothesis with the same past as the best one differs from it in few groups.
      const T* from = product(products_, row, ancestor);
      if (h == 0) {
        first_ancestor = ancestor;
        first_delta = delta;
      } else if (ancestor == first_ancestor) {
        from = product(target, row, 0);
      }
      const bool relative = h > 0 && ancestor == first_ancestor;
      for (Index p = 0; p < g_out_; ++p)
        add_job(from + p * columns_, product(target, row, static_cast<Index>(h)) + p * columns_, delta + p * window_columns_,
                relative ? first_delta + p * window_columns_ : -1, end - begin);
    }
  }

  void add_job(const T* from, T* to, Index delta, Index relative_to, Index groups) {
    const Index first_change = static_cast<Index>(change_groups_.size());
    if (relative_to >= 0) {
      // Later hypotheses are taken relative to the first one too, so work on a copy.
      const Index copy = static_cast<Index>(change_values_.size());
      change_values_.resize(static_cast<std::size_t>(copy + window_columns_), T(0));
      for (Index c = 0; c < groups * g_; ++c)
        change_values_[at(copy + c)] = change_values_[at(delta + c)] - change_values_[at(relative_to + c)];
      delta = copy;
    }
    for (Index n = 0; n < groups; ++n) {
      bool changed = false;
      for (Index i = n * g_; i < (n + 1) * g_; ++i) changed |= change_values_[at(delta + i)] != T(0);
      if (changed) change_groups_.push_back(n);
    }
    const Index changes = static_cast<Index>(change_groups_.size()) - first_change;
    if (from != to || changes != 0) jobs_.push_back({from, to, first_change, changes, delta});
  }

  /// Writes the best hypothesis's codes, unless it is no better than the start by more than rounding.
  void keep_best(Index row) {
    const Row& state = rows_[static_cast<std::size_t>(row)];
    if (weight_.scales(first_ + row) == T(0)) return;
    const double tolerance = 16 * static_cast<double>(std::numeric_limits<T>::epsilon());
    if (!(state.nodes[0].score < state.start_score - tolerance * std::abs(state.start_score))) return;
    Index hypothesis = 0;
    for (Index t = groups_; t-- > 0;) {
      const Step& step = history(row, t, hypothesis);
      Codes::value_type* codes =
          weight_.codes.row(first_ + row) + plan_.order[static_cast<std::size_t>(t)] * weight_.codes.num_codebooks();
      std::copy_n(step.codes.begin(), weight_.codes.num_codebooks(), codes);
      hypothesis = step.origin;
    }
  }

  [[nodiscard]] static constexpr std::size_t at(Index i) noexcept { return static_cast<std::size_t>(i); }

  const BeamPlan<T>& plan_;
  AdditiveWeight<T>& weight_;
  const Index first_, count_, g_, g_out_, depth_, columns_, groups_, beam_, window_groups_, window_columns_, padded_size_;
  ColumnTables<T> tables_;
  std::vector<PairTable<T>> pairs_;
  CandidateList candidates_;
  std::vector<Row> rows_;
  std::vector<Step> history_;                // [count, J, B]
  std::vector<T> products_, next_products_;  // P behind the window: [count, B, g_out, n]
  std::vector<T> windows_;                   // P inside it: [count, 2 B, g_out, window columns]
  std::vector<T> first_scores_, second_scores_, grown_, room_;  // [padded K]
  std::vector<std::uint8_t> coarse_, open_;                     // [padded K]
  std::vector<T> contribution_, weighted_, slice_, slope_;  // [D]
  std::vector<Node> branched_;
  std::vector<char> taken_;
  std::vector<Job> jobs_;
  std::vector<Index> change_groups_;
  std::vector<T> change_values_;
};

/// Output groups per task; a function of the shape alone.
[[nodiscard]] constexpr Index beam_tile_rows(Index padded_in) noexcept { return padded_in <= 4096 ? 96 : 48; }

}  // namespace basin::detail
