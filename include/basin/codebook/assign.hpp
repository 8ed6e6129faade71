#pragma once

#include <basin/codebook/codes.hpp>
#include <basin/codebook/int16_table.hpp>
#include <basin/codebook/nearest_table.hpp>
#include <basin/core/aligned_vector.hpp>
#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/hessian_blocks.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

namespace basin {
namespace detail {
/// Vectors and codewords that one HessianBlocks can compare. @throws ShapeError otherwise.
inline void check_clustering_shapes(Index vectors, Index dim, Index codewords, Index codeword_size,
                                    const HessianBlocks& blocks, std::size_t num_codes) {
  constexpr Index limit = Index{1} << 16;
  if (codewords < 1 || codewords > limit)
    raise<ShapeError>("clustering: needs 1 to 65536 codewords, got ", codewords);
  if (dim < 1 || codeword_size != dim)
    raise<ShapeError>("clustering: vectors have ", dim, " dimensions and codewords ", codeword_size);
  if (blocks.num_groups() < 1 || dim % blocks.group_size() != 0)
    raise<ShapeError>("clustering: the group size ", blocks.group_size(), " of the metric must divide the ", dim,
                      " dimensions of a vector");
  if (vectors % blocks.num_groups() != 0)
    raise<ShapeError>("clustering: ", vectors, " vectors are not whole rows of ", blocks.num_groups(), " groups");
  if (num_codes != static_cast<std::size_t>(vectors))
    raise<ShapeError>("clustering: ", vectors, " vectors need as many codes, got ", num_codes);
}

/// Nearest codewords of `count` vectors that lie `stride` apart; their codes lie `code_stride` apart.
template <int FixedDim, std::floating_point T>
void assign_run(const NearestTable<T>& table, const T* vectors, Index stride, Index count,
                Codes::value_type* codes, Index code_stride) {
  constexpr Index width = NearestTable<T>::tile_width;
  const Index dim = FixedDim > 0 ? FixedDim : table.dim();
  AlignedVector<T> tile(static_cast<std::size_t>(dim * width));
  typename NearestTable<T>::Found found;
  for (Index begin = 0; begin < count; begin += width) {
    const Index filled = std::min(width, count - begin);
    const T* v = vectors + begin * stride;
    for (Index lane = 0; lane < filled; ++lane, v += stride)
      for (Index d = 0; d < dim; ++d) tile[static_cast<std::size_t>(d * width + lane)] = v[d];
    table.template scan<FixedDim>(tile.data(), found);
    v = vectors + begin * stride;
    for (Index lane = 0; lane < filled; ++lane, v += stride)
      codes[(begin + lane) * code_stride] =
          static_cast<Codes::value_type>(table.template choose<FixedDim>(v, found, lane));
  }
}

/// The same in integers, block by block, where they can stand for a block.
template <int Dim>
void assign_run(const NearestTable<float>& table, const Int16Table& rounded, const float* vectors, Index stride,
                Index count, Codes::value_type* codes, Index code_stride) {
  AlignedVector<std::int32_t> constants(static_cast<std::size_t>(rounded.padded_size()));
  for (Index begin = 0; begin < count; begin += Int16Table::block_size) {
    const Index filled = std::min(Int16Table::block_size, count - begin);
    const float* v = vectors + begin * stride;
    Codes::value_type* code = codes + begin * code_stride;
    if (!rounded.assign<Dim>(v, stride, filled, code, code_stride, constants.data()))
      assign_run<Dim>(table, v, stride, filled, code, code_stride);
  }
}

/// The tables of one codebook under one metric.
template <std::floating_point T>
class AssignTables {
 public:
  /// As NearestTable; `count` vectors will be asked for.
  AssignTables(const T* codewords, Index size, const double* block, Index g, Index out_group_size, Index count)
      : nearest(codewords, size, block, g, out_group_size) {
    if constexpr (std::is_same_v<T, float> && Int16Lanes::is_fast)
      if (count >= Int16Table::tile_width && Int16Table::fits(nearest)) rounded.emplace(nearest);
  }
  AssignTables(const AssignTables&) = delete;
  AssignTables& operator=(const AssignTables&) = delete;

  const NearestTable<T> nearest;
  std::optional<Int16Table> rounded;  ///< where it is faster; borrows `nearest`
};

template <std::floating_point T>
void assign_run(const AssignTables<T>& tables, const T* vectors, Index stride, Index count,
                Codes::value_type* codes, Index code_stride) {
  const NearestTable<T>& table = tables.nearest;
  if constexpr (std::is_same_v<T, float>)
    if (tables.rounded) switch (table.dim()) {
        case 4: return assign_run<4>(table, *tables.rounded, vectors, stride, count, codes, code_stride);
        case 8: return assign_run<8>(table, *tables.rounded, vectors, stride, count, codes, code_stride);
        default: return assign_run<16>(table, *tables.rounded, vectors, stride, count, codes, code_stride);
      }
  if (table.is_zero()) {
    for (Index n = 0; n < count; ++n) codes[n * code_stride] = 0;
    return;
  }
  switch (table.dim()) {
    case 4: return assign_run<4>(table, vectors, stride, count, codes, code_stride);
    case 8: return assign_run<8>(table, vectors, stride, count, codes, code_stride);
    default: return assign_run<0>(table, vectors, stride, count, codes, code_stride);
  }
}
}  // namespace detail

/// The nearest codeword of every vector under the metric of its group: the E-step.
///
///     codes[n] = argmin_k d_j(v_n, c_k),   j = n mod J,
///     d_j(v, c) = sum_p (v[p] - c[p]) H_j (v[p] - c[p])^T
///
/// Shapes    vectors: [N, D], group (o, j) in row o * J + j;  codewords: [K, D], K <= 65536;  J blocks
///           [g, g], D = g_out * g;  codes: [N]. One block serves all vectors: plain k-means.
/// Cost      N K D multiply-adds in T, a table of 2 K (D + 1) per task, one for all where J = 1; nothing of size N K.
/// Accuracy  exact: the argmin of d_j summed in double, the smallest index on ties. Scores in T that
///           are closer than their rounding error are decided anew in double.
/// Source    E-step of OA-EM, arXiv:2604.08118.
/// @throws ShapeError if the sizes do not fit.
template <std::floating_point T>
void assign(ConstMatrixRef<T> vectors, ConstMatrixRef<T> codewords, const HessianBlocks& blocks,
            std::span<Codes::value_type> codes, const RunContext& context = {}) {
  const Index dim = vectors.cols();
  detail::check_clustering_shapes(vectors.rows(), dim, codewords.rows(), codewords.cols(), blocks, codes.size());
  const Matrix<T> packed = codewords;
  const Index in_groups = blocks.num_groups();
  const Index out_groups = vectors.rows() / in_groups;
  constexpr Index rows_per_task = 2048;
  const Index tasks_per_group = (out_groups + rows_per_task - 1) / rows_per_task;
  const Index g = blocks.group_size();
  const auto run = [&](const detail::AssignTables<T>& table, Index task) {
    const Index begin = task % tasks_per_group * rows_per_task;
    const Index first = begin * in_groups + task / tasks_per_group;
    detail::assign_run(table, vectors.data() + first * vectors.outerStride(), in_groups * vectors.outerStride(),
                       std::min(rows_per_task, out_groups - begin), codes.data() + first, in_groups);
  };
  const auto table = [&](Index j) {
    return detail::AssignTables<T>(packed.data(), packed.rows(), blocks.block(j).data(), g, dim / g, out_groups);
  };
  if (in_groups == 1) {
    const detail::AssignTables<T> shared = table(0);
    context.for_each(tasks_per_group, [&](Index task) { run(shared, task); });
  } else {
    context.for_each(in_groups * tasks_per_group, [&](Index task) { run(table(task / tasks_per_group), task); });
  }
}

}  // namespace basin
