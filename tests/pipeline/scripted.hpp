#pragma once

#include <basin/core/bits_per_weight.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/hessian_blocks.hpp>
#include <basin/metric/layer_objective.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace basin::test {
/// A quantized weight that is one number, under policies that play a script: what the pipeline does with
/// losses can be seen without the algorithms that make them.
struct ScriptedWeight {
  using value_type = float;
  float value = 0;
  int rounded = 0;

  [[nodiscard]] Matrix<float> decode(const RunContext& = {}) const { return Matrix<float>::Constant(1, 1, value); }
  [[nodiscard]] BitsPerWeight stored_bits() const noexcept { return {3, 2, 1}; }
};
inline void round_to_half(ScriptedWeight& weight) noexcept { ++weight.rounded; }

/// Values that a scalar can take: another codomain than Scheme.
struct AnyNumber {
  Index in_group_size = 1;
};

/// The weight is 1 and H is 1, so a relative error of e needs the value 1 - sqrt(e).
[[nodiscard]] inline float value_of(double relative_error) { return static_cast<float>(1 - std::sqrt(relative_error)); }

struct ScriptedInit {
  double error;
  template <std::floating_point T>
  [[nodiscard]] ScriptedWeight initialize(const LayerObjective<T>&, const HessianBlocks&, const AnyNumber&, std::uint64_t,
                                          const RunContext&) const {
    return {value_of(error)};
  }
};
/// Pass p of the search leaves errors[p].
struct ScriptedSearch {
  std::vector<double> errors;
  std::vector<std::uint64_t>* seeds = nullptr;
  std::vector<int>* rounded_before = nullptr;
  void search(const LayerObjective<float>&, ScriptedWeight& weight, std::uint64_t seed, std::uint64_t pass, const RunContext&) const {
    if (seeds) seeds->push_back(seed);
    if (rounded_before) rounded_before->push_back(weight.rounded);
    if (pass < errors.size()) weight.value = value_of(errors[static_cast<std::size_t>(pass)]);
  }
};
/// Counts its calls from epoch to epoch.
struct CountingUpdate {
  int* most = nullptr;
  int calls = 0;
  void update(const LayerObjective<float>&, ScriptedWeight&, const RunContext&) {
    ++calls;
    if (most && calls > *most) *most = calls;
  }
};
/// Leaves everything as it is.
struct NoUpdate {
  template <class T, class Weight>
  void update(const LayerObjective<T>&, Weight&, const RunContext&) const noexcept {}
};
struct NoSearch {
  template <class T, class Weight>
  void search(const LayerObjective<T>&, Weight&, std::uint64_t, std::uint64_t, const RunContext&) const noexcept {}
};

}  // namespace basin::test
