#pragma once

#include <basin/core/bits_per_weight.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>

#include <concepts>

namespace basin {
/// A weight in its quantized form: what initializers make, searchers and updaters improve, and the
/// pipeline measures and stores. AdditiveWeight is the model; scalar level sets, lattices and
/// trellis codes are others. round_to_half (found by argument-dependent lookup) makes its continuous
/// values those that a checkpoint holds.
template <class W>
concept QuantizedWeight = std::copyable<W> && std::floating_point<typename W::value_type> &&
    requires(W weight, const W read, const RunContext& context) {
      { read.decode(context) } -> std::convertible_to<Matrix<typename W::value_type>>;
      { read.stored_bits() } -> std::convertible_to<BitsPerWeight>;
      round_to_half(weight);
    };

}  // namespace basin
