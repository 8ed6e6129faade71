#pragma once

#include <basin/codebook/level_weight.hpp>
#include <basin/core/aligned_vector.hpp>
#include <basin/core/config.hpp>
#include <basin/core/types.hpp>
#include <basin/levels/nearest_level.hpp>
#include <basin/search/detail/feedback_tile.hpp>
#include <basin/search/feedback_factor.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace basin::detail {
/// Error feedback of a tile of rows that keeps several hypotheses per row.
///
/// The tile's residual is that of each row's best hypothesis at the end of the last panel; the others are
/// what they change in it. So all hypotheses share the product with everything before a panel. Panels are whole
/// vectors.
template <class T>
class LevelBeamTile {
 public:
  LevelBeamTile(const FeedbackFactor<T>& factor, ConstMatrixRef<T> weight, const NearestLevel<T>& levels, LevelWeight<T>& found,
                Index beam_size, Index first, Index count)
      : factor_(factor),
        weight_(weight),
        levels_(levels),
        found_(found),
        beam_(beam_size),
        width_(factor.panel_inputs()),
        tile_(factor, weight, first, count),
        rows_(at(count), {Hypothesis{0, {}}}),
        base_(count, factor.n_in()),
        values_(levels.size()),
        diagonal_(at(width_)),
        targets_(at(beam_ * width_)),
        next_targets_(targets_.size()),
        choices_(at(width_ * beam_)),
        survivors_(at(beam_)) {
    BASIN_ASSERT(width_ % static_cast<Index>(xsimd::batch<T>::size) == 0);
  }

  void search_panel(Index panel) {
    const Index first = panel * width_, columns = std::min(width_, factor_.n_in() - first);
    for (Index k = 0; k < columns; ++k) diagonal_[at(k)] = factor_.diagonal(first + k)(0, 0);
    tile_.open(panel);
    for (Index r = 0; r < tile_.num_rows(); ++r) {
      const Index o = tile_.first_row() + r;
      if (found_.scales(o) == T(0)) continue;
      for (std::size_t code = 0; code < values_.size(); ++code) values_[code] = found_.value(o, static_cast<std::uint8_t>(code));
      start_row(r, panel);
      for (Index k = 0; k < columns; ++k) choose(r, k, factor_.feedback(panel) + (first + k) * width_);
      move_base(r, first, columns);
    }
  }
  /// Writes the codes of each row's best hypothesis.
  void finish() {
    for (Index r = 0; r < tile_.num_rows(); ++r) {
      const Index o = tile_.first_row() + r;
      if (found_.scales(o) == T(0)) continue;
      for (Index k = 0; k < factor_.n_in(); ++k) found_.codes(o, factor_.input(k)) = base_(r, k);
    }
  }

 private:
  struct Change {
    Index place;
    std::uint8_t code;
  };
  struct Hypothesis {
    double loss;
    std::vector<Change> changes;  ///< to the base, in the order of places
  };
  struct Choice {
    double loss;
    int parent;
    std::uint8_t code;
  };

  /// Targets of every hypothesis in the open panel, from those of the base.
  void start_row(Index r, Index panel) {
    const auto& hypotheses = rows_[at(r)];
    losses_.clear();
    for (std::size_t h = 0; h < hypotheses.size(); ++h) {
      T* target = targets_.data() + static_cast<Index>(h) * width_;
      for (Index k = 0; k < width_; ++k) target[k] = tile_.target()[k * tile_.stride() + r];
      for (const Change& change : hypotheses[h].changes)
        add_scaled(target, values_[base_(r, change.place)] - values_[change.code],
                   factor_.feedback(panel) + change.place * width_, 0, target);
      losses_.push_back(hypotheses[h].loss);
    }
  }

  /// Gives every hypothesis its two nearest levels at place k of the panel and keeps the best ones. `feedback`
  /// is what that place sends to the places of the panel.
  void choose(Index r, Index k, const T* feedback) {
    const Index o = tile_.first_row() + r;
    const T scale = found_.scales(o), zero = found_.zero_point(o);
    Index kept = 0;
    const auto insert = [&](const Choice& choice) {
      if (kept == beam_ && !(choice.loss < survivors_[at(kept - 1)].loss)) return;
      Index place = kept < beam_ ? kept++ : kept - 1;
      for (; place > 0 && choice.loss < survivors_[at(place - 1)].loss; --place)
        survivors_[at(place)] = survivors_[at(place - 1)];
      survivors_[at(place)] = choice;
    };
    for (std::size_t h = 0; h < losses_.size(); ++h) {
      const T target = targets_[h * at(width_) + at(k)];
      const T scaled = target / scale + zero;
      const std::uint8_t nearest = levels_.code(scaled);
      for (const std::uint8_t code : {nearest, levels_.second(scaled, nearest)}) {
        const double eta = static_cast<double>(target - values_[code]);
        insert({losses_[h] + diagonal_[at(k)] * eta * eta, static_cast<int>(h), code});
      }
    }
    losses_.resize(at(kept));
    const T original = tile_.original()[k * tile_.stride() + r];
    for (Index n = 0; n < kept; ++n) {
      const Choice& choice = survivors_[at(n)];
      losses_[at(n)] = choice.loss;
      choices_[at(k * beam_ + n)] = choice;
      add_scaled(targets_.data() + choice.parent * width_, original - values_[choice.code], feedback, k + 1,
                 next_targets_.data() + n * width_);
    }
    std::swap(targets_, next_targets_);
  }

  /// Makes the best hypothesis the base, and tells the others by what they change in it.
  void move_base(Index r, Index first, Index columns) {
    auto& before = rows_[at(r)];
    std::vector<Hypothesis> after(losses_.size());
    std::vector<Change> best_changes;  // of the base, by the ancestor of the best
    std::vector<std::uint8_t> best(at(columns)), own(at(columns));
    for (std::size_t n = 0; n < after.size(); ++n) {
      auto& codes = n == 0 ? best : own;
      auto ancestor = static_cast<int>(n);
      for (Index k = columns; k-- > 0;) {
        const Choice& choice = choices_[at(k * beam_ + ancestor)];
        codes[at(k)] = choice.code;
        ancestor = choice.parent;
      }
      after[n].loss = losses_[n];
      const auto& changes = before[static_cast<std::size_t>(ancestor)].changes;
      if (n == 0) {
        best_changes = changes;
        continue;
      }
      exchange_base(r, changes, best_changes, after[n].changes);
      for (Index k = 0; k < columns; ++k)
        if (own[at(k)] != best[at(k)]) after[n].changes.push_back({first + k, own[at(k)]});
    }
    for (const Change& change : best_changes) set_base(r, change.place, change.code);
    for (Index k = 0; k < columns; ++k) set_base(r, first + k, best[at(k)]);
    before = std::move(after);
  }
  /// Changes to the base, told as changes to the base with `best` applied.
  void exchange_base(Index r, const std::vector<Change>& changes, const std::vector<Change>& best,
                     std::vector<Change>& told) const {
    std::size_t i = 0, j = 0;
    while (i < changes.size() || j < best.size()) {
      const bool only_best = i == changes.size() || (j < best.size() && best[j].place < changes[i].place);
      if (only_best) {
        told.push_back({best[j].place, base_(r, best[j].place)});
        ++j;
      } else if (j == best.size() || changes[i].place < best[j].place) {
        told.push_back(changes[i++]);
      } else {
        if (changes[i].code != best[j].code) told.push_back(changes[i]);
        ++i, ++j;
      }
    }
  }
  void set_base(Index r, Index place, std::uint8_t code) {
    base_(r, place) = code;
    const T original = factor_.is_zeroed(place) ? T(0) : weight_(tile_.first_row() + r, factor_.input(place));
    tile_.residual()[place * tile_.stride() + r] = original - values_[code];
  }

  /// out[k] = base[k] + factor * row[k] for the k of a panel from `begin` on, and perhaps some before it.
  void add_scaled(const T* base, T factor, const T* row, Index begin, T* out) const noexcept {
    using Batch = xsimd::batch<T>;
    constexpr Index lanes = static_cast<Index>(Batch::size);
    const Batch x(factor);
    for (Index k = begin / lanes * lanes; k < width_; k += lanes)
      xsimd::fma(x, Batch::load_unaligned(row + k), Batch::load_unaligned(base + k)).store_unaligned(out + k);
  }

  [[nodiscard]] static constexpr std::size_t at(Index i) noexcept { return static_cast<std::size_t>(i); }

  const FeedbackFactor<T>& factor_;
  ConstMatrixRef<T> weight_;
  const NearestLevel<T>& levels_;
  LevelWeight<T>& found_;
  Index beam_, width_;
  FeedbackTile<T> tile_;
  std::vector<std::vector<Hypothesis>> rows_;  // best first
  Matrix<std::uint8_t> base_;                  // [rows, n_in], by places
  std::vector<T> values_;                      // of the row's levels
  std::vector<double> diagonal_;               // D of the panel
  AlignedVector<T> targets_, next_targets_;    // [beam, panel]
  std::vector<Choice> choices_;                // [panel, beam], best first
  std::vector<Choice> survivors_;              // [beam]
  std::vector<double> losses_;                 // of the living hypotheses
};

}  // namespace basin::detail
