#pragma once

#include <basin/core/config.hpp>
#include <basin/core/scheme.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace basin::detail {
using CodeTuple = std::array<std::uint16_t, Scheme::max_codebooks>;

/// One way to go on from a hypothesis: the codes that its current group would get.
struct Candidate {
  double loss;
  int parent;      ///< hypothesis of the step before
  int origin;      ///< hypothesis at the start of the group, which `codes` differ from
  bool is_change;  ///< false: the parent's codes, kept
  CodeTuple codes;

  /// Lower loss, then unchanged codes, then the earlier parent, then smaller codes.
  [[nodiscard]] friend bool operator<(const Candidate& a, const Candidate& b) noexcept {
    if (a.loss != b.loss) return a.loss < b.loss;
    if (a.is_change != b.is_change) return b.is_change;
    if (a.parent != b.parent) return a.parent < b.parent;
    return a.codes < b.codes;
  }
};

/// The best `capacity` candidates so far, in order, no two for the same codes.
class CandidateList {
 public:
  explicit CandidateList(int capacity) : capacity_(static_cast<std::size_t>(capacity)) {
    best_.reserve(capacity_ + 1);
  }

  void clear() noexcept { best_.clear(); }
  [[nodiscard]] std::size_t size() const noexcept { return best_.size(); }
  [[nodiscard]] const Candidate& operator[](std::size_t i) const noexcept { return best_[i]; }
  /// Candidates above this loss cannot enter.
  [[nodiscard]] double limit() const noexcept {
    return best_.size() < capacity_ ? std::numeric_limits<double>::infinity() : best_.back().loss;
  }
  void insert(const Candidate& candidate) {
    if (best_.size() == capacity_ && !(candidate < best_.back())) return;
    for (std::size_t i = 0; i < best_.size(); ++i) {
      if (best_[i].origin != candidate.origin || best_[i].codes != candidate.codes) continue;
      if (!(candidate < best_[i])) return;
      best_.erase(best_.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    }
    auto at = best_.end();
    while (at != best_.begin() && candidate < *(at - 1)) --at;
    best_.insert(at, candidate);
    if (best_.size() > capacity_) best_.pop_back();
  }

 private:
  std::size_t capacity_;
  std::vector<Candidate> best_;
};

}  // namespace basin::detail
