#pragma once

#include <basin/core/random.hpp>
#include <basin/core/types.hpp>

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace basin {
/// In which order a pass visits groups (and codebooks inside a group).
enum class VisitOrder {
  natural,  ///< 0, 1, 2, ...
  shuffled  ///< a fresh permutation per pass, from (seed, pass)
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
}  // namespace detail
}  // namespace basin
