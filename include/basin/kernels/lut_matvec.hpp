#pragma once

#include <basin/kernels/concepts.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>

namespace basin::kernels {
/// y = What x straight from codes, for 1 to 8 inputs at once: every input group meets every codeword
/// once, rows then only add table entries.
///
///     T[j, m, k] = sum_i x[j*g + i] C[m][k][i];   y[o] = s[o] * sum_j sum_m T[j, m, z[o, j, m]]
///
/// Two steps, each of which a host may share out to its threads: build_tables over ranges of input
/// blocks (num_input_blocks of them), then, when all are built, run over ranges of rows.
///
///     workspace_size(layer, batch)   bytes of workspace; the host's, 64-byte aligned
///     build_tables(layer, x, x_stride, batch, first_block, last_block, workspace)
///     run(layer, workspace, batch, first_row, last_row, y, y_stride)
///
/// Shapes    x: [batch, n_in], rows x_stride floats apart; y: [batch, last_row - first_row], rows
///           y_stride floats apart; batch in 1..8. A range of rows gives the same bits as the whole.
/// Accuracy  exact: |y - What x| <= 2 (n_in + M J + 8) 2^-24 |s| sum_j sum_m sum_i |C_i x_i|.
///           int16, int8: that, and |s| / 2 * sum_j sum_m step[j, m], where step = k s0 with the
///           smallest integer k in 1..127 that fits the entries of (j, m) into 16 or 8 bits.
/// Values    Inputs must be finite, and so must every product of an input group and a codeword.
/// Schemes   b = 4, 6, 8 with g_out = 1 look up; others decode and multiply, in every precision.
/// Source    AQLM, arXiv:2401.06118; T-MAC, arXiv:2407.00088, for tables in registers.
template <class Arch, class Precision>
struct LutMatvec;

}  // namespace basin::kernels
