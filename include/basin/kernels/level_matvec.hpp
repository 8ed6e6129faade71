#pragma once

#include <basin/kernels/activation_format.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/layout/packed_levels.hpp>

#include <cstddef>

namespace basin::kernels {
/// y = W x for weights of four integer levels and quantized activations, 1 to 8 tokens at once: products of bytes,
/// summed in 32 bits.
///
///     y[v, o] = s[o] * sum_g step[v, g] * sum_{i in g} level[code of (o, i)] * q[v, i]
///
///     run(layer, format, workspace, batch, first_row, last_row, y, y_stride)
///
/// Shapes    y: [batch, last_row - first_row], rows y_stride floats apart; batch in 1..8; the workspace is that of
///           QuantizeActivations, of this format, layer.n_in inputs and this batch. A range of rows gives the bits of the
///           whole; ranges that start at multiples of 64 compute nothing twice.
/// Accuracy  Sums of a group are exact: 15 * 128 * n_in < 2^31. After them one fused multiply-add per group and one
///           product, the same on every path: |y - s sum_g step sum| <= (G + 2) 2^-24 |s| sum_g |step sum|.
/// Values    A token with a step of NaN gives NaN; the others are as without it.
/// Source    Qift, arXiv:2606.02823, for the level sets.
template <class Arch>
struct LevelMatvec;

}  // namespace basin::kernels
