#pragma once

#include <basin/codebook/additive_weight.hpp>
#include <basin/core/run_context.hpp>
#include <basin/metric/layer_objective.hpp>

#include <concepts>
#include <cstdint>

namespace basin {
/// Chooses codes while codebooks and scales stay. No row's loss may rise. `pass` counts the calls of
/// one run, for searchers that shuffle. Laws: tests/laws/searcher_laws.hpp.
template <class S, class Weight = AdditiveWeight<float>>
concept Searcher = std::copyable<S> &&
    requires(const S search, const LayerObjective<typename Weight::value_type>& layer, Weight& weight,
             std::uint64_t seed, std::uint64_t pass, const RunContext& context) {
      search.search(layer, weight, seed, pass, context);
    };

/// A few input columns of some rows, stored column by column.
template <class T>
using ColumnsRef = Eigen::Ref<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>, 0, Eigen::OuterStride<>>;
template <class T>
using ConstColumnsRef = Eigen::Ref<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>, 0, Eigen::OuterStride<>>;

/// What error feedback calls for every block of inputs: quantizer(first_row, first_input, target, quantized)
/// writes the values that it takes for the targets, both [rows, width], and keeps the codes to itself.
/// The width is that of the FeedbackFactor, and first_row a multiple of feedback_rows. Calls for different
/// rows may come at the same time, those for the same rows come in the order of the factor, each block once.
/// It does not throw.
template <class Q, class T = float>
concept ColumnQuantizer = std::invocable<Q&, Index, Index, ConstColumnsRef<T>, ColumnsRef<T>>;

/// Rows that error feedback hands over at a time, except for the last ones: a multiple of 2, 3, 4, 6, 8, 12
/// and 16, for quantizers whose vectors run down a column.
inline constexpr Index feedback_rows = 192;

}  // namespace basin
