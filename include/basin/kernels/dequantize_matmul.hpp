#pragma once

#include <basin/kernels/concepts.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>

namespace basin::kernels {
/// Y = X What^T for any number of input vectors, meant for more than eight: a tile of weights is decoded
/// into the first-level cache and meets every vector there.
///
///     y[v, r] = s[o] * sum_i (sum_m C[m][z[o, j, m]][p, i - j*g]) x[v, i],   r = o*g_out + p,  j = i / g
///
/// Two steps, each of which a host may share out to its threads: prepare over ranges of vectors, then,
/// when all are prepared, run over ranges of rows.
///
///     workspace_size(layer, batch)   bytes for the prepared inputs; one workspace serves all threads
///     scratch_size(layer, batch)     bytes for decoded tiles; every thread has its own
///     prepare(layer, x, x_stride, batch, first_vector, last_vector, workspace)
///     run(layer, workspace, batch, first_row, last_row, y, y_stride, scratch)
///
/// Shapes    x: [batch, n_in], rows x_stride floats apart; y: [batch, last_row - first_row], rows
///           y_stride floats apart; batch >= 1. Workspace and scratch are the host's, 64-byte aligned.
///           A range of rows or vectors gives the same bits as the whole.
/// Accuracy  With |C|[i] = sum_m |C_m,i|, B the blocks of 512 inputs and X_b the largest |x| of a block:
///           exact: |y - What x| <= 2 (n_in + M + 8) 2^-24 |s| sum_i |C|[i] |x_i|.
///           int16, int8: |s| sum_b sum_i (w_err |x_i| + (|C|[i] + w_err) X_b / (2 L)), L = 2047 or 127,
///           and 2 (M + B + 8) 2^-24 of sum_i |C|[i] X_b for the floats. A layer of family `planes` has
///           w_err = (8 + M/2) u or (128 + M/2) u, u = sum_m max |C_m| / 32500; one of family `rows`
///           half of (largest weight of the row's block) / L.
///           int16 and int8 give the same bits on every path. Sums fit: 512 * 2047^2 < 2^31.
/// Values    Codewords and scales must be finite. A vector with an input that is not finite gives
///           outputs that are not; the others are as without it. int16, int8: a block of inputs
///           below 1e-30 counts as zero.
/// Source    AQLM, arXiv:2401.06118; Goto and van de Geijn 2008, doi:10.1145/1356052.1356053, for blocking.
template <class Arch, class Precision>
struct DequantizeMatmul;

}  // namespace basin::kernels
