#pragma once

#include <basin/core/random.hpp>
#include <basin/core/types.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace basin {
/// In which order a pass visits groups (and codebooks inside a group).
enum class VisitOrder {
  natural,    ///< 0, 1, 2, ...
  shuffled,   ///< a fresh permutation per pass, from (seed, pass)
  descending  ///< groups whose inputs are largest first, by the diagonal of H
};

namespace detail {
[[nodiscard]] inline std::vector<Index> identity_order(Index n) {
  std::vector<Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Index{0});
  return order;
}
/// Fisher-Yates, drawn from `random`.
inline void shuffle(std::vector<Index>& order, SplitMix64& random) {
  for (std::size_t left = order.size(); left > 1; --left)
    std::swap(order[left - 1], order[random.below(left)]);
}
/// Groups of g inputs in the order of their visit; `diagonal` is that of H, whole groups long. Groups that
/// are equally large stay in natural order. Only a shuffled order draws from `random`.
template <class Diagonal>
[[nodiscard]] std::vector<Index> group_order(VisitOrder visit, const Diagonal& diagonal, Index g, SplitMix64& random) {
  std::vector<Index> order = identity_order(diagonal.size() / g);
  if (visit == VisitOrder::shuffled) shuffle(order, random);
  if (visit == VisitOrder::descending)
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
      return diagonal.segment(a * g, g).sum() > diagonal.segment(b * g, g).sum();
    });
  return order;
}
}  // namespace detail
}  // namespace basin
