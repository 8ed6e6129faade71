#pragma once

#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/hessian_blocks.hpp>

#include <concepts>

namespace basin {
/// How far a codeword is from a weight group. Laws: tests/laws/distance_policy_laws.hpp.
template <class M>
concept DistancePolicy = std::floating_point<typename M::value_type> && std::copyable<M> &&
    requires(const M m, ConstVectorRef<typename M::value_type> w) {
      { m.dim() } noexcept -> std::same_as<Index>;
      { m.squared_distance(w, w) } -> std::same_as<typename M::value_type>;
      { m.whiten(w) } -> std::convertible_to<Vector<typename M::value_type>>;
    };

/// Which metric each input group is clustered under, given the layer's Hessian [n_in, n_in] (damped
/// by nobody) and the group size. A policy that can use the host's threads takes a RunContext as an
/// optional third argument. Laws: tests/laws/metric_policy_laws.hpp.
template <class P>
concept MetricPolicy = std::copyable<P> && requires(const P policy, ConstMatrixRef<double> hessian, Index g) {
  { policy.blocks(hessian, g) } -> std::same_as<HessianBlocks>;
};

/// The blocks of any policy, with `context` for those that can use it.
template <MetricPolicy P>
[[nodiscard]] HessianBlocks make_blocks(const P& policy, ConstMatrixRef<double> hessian, Index g,
                                        const RunContext& context = {}) {
  if constexpr (requires { { policy.blocks(hessian, g, context) } -> std::same_as<HessianBlocks>; })
    return policy.blocks(hessian, g, context);
  else
    return policy.blocks(hessian, g);
}

}  // namespace basin
