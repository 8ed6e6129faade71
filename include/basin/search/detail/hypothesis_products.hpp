#pragma once

#include <basin/core/aligned_vector.hpp>
#include <basin/core/config.hpp>
#include <basin/core/types.hpp>
#include <basin/search/detail/row_products.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace basin::detail {
/// P = R H of every hypothesis of a tile of output groups, kept as far as search still needs it.
///
/// Inside a window of input groups every hypothesis has its own copy in a slot, small enough to branch.
/// The columns behind the window are brought up to date when it closes, by the groups that changed in
/// it, and hypotheses with a common past share that work.
template <class T>
class HypothesisProducts {
 public:
  /// @param hessian  [n, n], in the order in which groups are visited; must outlive this.
  HypothesisProducts(const Matrix<T>& hessian, Index rows, Index beam_size, Index g, Index g_out)
      : hessian_(hessian),
        rows_(rows),
        beam_(beam_size),
        g_(g),
        g_out_(g_out),
        columns_(hessian.cols()),
        window_groups_(std::max<Index>(1, product_columns<T> / g)),
        window_columns_(window_groups_ * g) {
    behind_.resize(static_cast<std::size_t>(rows * beam_ * g_out * columns_));
    if (beam_ > 1) next_behind_.resize(behind_.size());
    windows_.resize(static_cast<std::size_t>(rows * 2 * beam_ * g_out * window_columns_));
  }

  [[nodiscard]] Index window_groups() const noexcept { return window_groups_; }
  /// Distance between the output rows of a group in the window.
  [[nodiscard]] Index window_columns() const noexcept { return window_columns_; }
  /// Where P of a row's first hypothesis goes before the first window opens: [g_out, n].
  [[nodiscard]] T* start(Index row) noexcept { return behind(behind_, row, 0); }
  /// P of a slot at group t of the open window: [g_out, g], rows window_columns() apart.
  [[nodiscard]] const T* at_group(Index row, int slot, Index t) noexcept { return window(row, slot) + (t - begin_) * g_; }

  /// Opens the window of groups [begin, end): hypothesis h of each row takes slot h.
  template <class Count>
  void open(Index begin, Index end, Count&& num_hypotheses) {
    begin_ = begin;
    end_ = end;
    for (Index row = 0; row < rows_; ++row)
      for (Index h = 0; h < num_hypotheses(row); ++h)
        for (Index p = 0; p < g_out_; ++p)
          std::copy_n(behind(behind_, row, h) + p * columns_ + begin * g_, (end - begin) * g_,
                      window(row, static_cast<int>(h)) + p * window_columns_);
  }

  /// Makes slot `to` from slot `from`, the decoded group t having moved by `change`, [g_out, g].
  void branch(Index row, int from, int to, Index t, const T* change) noexcept {
    const Index first = (t - begin_) * g_, last = (end_ - begin_) * g_;
    for (Index p = 0; p < g_out_; ++p) {
      const T* BASIN_RESTRICT old = window(row, from) + p * window_columns_;
      T* BASIN_RESTRICT changed = window(row, to) + p * window_columns_;
      for (Index c = first; c < last; ++c) changed[c] = old[c];
      for (Index i = 0; i < g_; ++i) {
        const T x = change[p * g_ + i];
        const T* BASIN_RESTRICT h = hessian_.data() + (t * g_ + i) * columns_ + begin_ * g_;
        for (Index c = first; c < last; ++c) changed[c] -= x * h[c];
      }
    }
  }

  /// Closes the window. trace(row, h, changes) writes how the decoded weights of hypothesis h moved
  /// inside it to `changes` ([g_out, window_columns()], zero before) and returns the hypothesis that h was
  /// when the window opened.
  template <class Count, class Trace>
  void close(Count&& num_hypotheses, Trace&& trace) {
    jobs_.clear();
    change_groups_.clear();
    changes_.clear();
    for (Index row = 0; row < rows_; ++row) plan_row(row, num_hypotheses(row), trace);
    for (Index c = end_ * g_; c < columns_; c += product_columns<T>)
      for (const Job& job : jobs_)
        subtract_changes(job.from + c, changes_.data() + job.changes, change_groups_.data() + job.first_group, job.num_groups,
                         g_, hessian_.data() + begin_ * g_ * columns_ + c, columns_,
                         std::min(product_columns<T>, columns_ - c), job.to + c);
    if (beam_ > 1) behind_.swap(next_behind_);
  }

 private:
  /// How P of a hypothesis behind the window follows from an earlier P.
  struct Job {
    const T* from;
    T* to;
    Index first_group, num_groups;  ///< into change_groups_
    Index changes;                  ///< into changes_
  };

  [[nodiscard]] T* behind(AlignedVector<T>& all, Index row, Index hypothesis) noexcept {
    return all.data() + (row * beam_ + hypothesis) * g_out_ * columns_;
  }
  [[nodiscard]] T* window(Index row, int slot) noexcept {
    return windows_.data() + (row * 2 * beam_ + slot) * g_out_ * window_columns_;
  }

  template <class Trace>
  void plan_row(Index row, Index hypotheses, Trace&& trace) {
    AlignedVector<T>& target = beam_ > 1 ? next_behind_ : behind_;
    Index first_ancestor = 0, first_changes = 0;
    for (Index h = 0; h < hypotheses; ++h) {
      const Index changes = zero_changes(g_out_);
      const Index ancestor = trace(row, h, changes_.data() + changes);
      if (h == 0) {
        first_ancestor = ancestor;
        first_changes = changes;
      }
      // A hypothesis with the same past as the best one differs from it in few groups.
      const bool relative = h > 0 && ancestor == first_ancestor;
      const T* from = relative ? behind(target, row, 0) : behind(behind_, row, ancestor);
      for (Index p = 0; p < g_out_; ++p)
        add_job(from + p * columns_, behind(target, row, h) + p * columns_, changes + p * window_columns_,
                relative ? first_changes + p * window_columns_ : -1);
    }
  }

  void add_job(const T* from, T* to, Index changes, Index relative_to) {
    const Index used = (end_ - begin_) * g_;
    if (relative_to >= 0) {
      // Later hypotheses are taken relative to the first one too, so work on a copy.
      const Index copy = zero_changes(1);
      for (Index c = 0; c < used; ++c) changes_[at(copy + c)] = changes_[at(changes + c)] - changes_[at(relative_to + c)];
      changes = copy;
    }
    const Index first_group = static_cast<Index>(change_groups_.size());
    for (Index n = 0; n < end_ - begin_; ++n) {
      const T* group = changes_.data() + changes + n * g_;
      if (std::any_of(group, group + g_, [](T x) { return x != T(0); })) change_groups_.push_back(n);
    }
    const Index num_groups = static_cast<Index>(change_groups_.size()) - first_group;
    if (from != to || num_groups != 0) jobs_.push_back({from, to, first_group, num_groups, changes});
  }

  /// Where `rows` new rows of zeros begin in changes_.
  [[nodiscard]] Index zero_changes(Index rows) {
    const Index begin = static_cast<Index>(changes_.size());
    changes_.resize(at(begin + rows * window_columns_), T(0));
    return begin;
  }
  [[nodiscard]] static constexpr std::size_t at(Index i) noexcept { return static_cast<std::size_t>(i); }

  const Matrix<T>& hessian_;
  const Index rows_, beam_, g_, g_out_, columns_, window_groups_, window_columns_;
  Index begin_ = 0, end_ = 0;                // the open window
  AlignedVector<T> behind_, next_behind_;    // [rows, B, g_out, n]
  AlignedVector<T> windows_;                 // [rows, 2 B, g_out, window columns]
  std::vector<Job> jobs_;
  std::vector<Index> change_groups_;
  AlignedVector<T> changes_;                 // rows of [window columns]
};

}  // namespace basin::detail
