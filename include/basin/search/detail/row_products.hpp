#pragma once

#include <basin/core/aligned_vector.hpp>
#include <basin/core/config.hpp>
#include <basin/core/types.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>

namespace basin::detail {
/// Columns that one kernel call keeps in registers.
template <class T>
inline constexpr Index product_columns = 4 * static_cast<Index>(xsimd::batch<T>::size);

template <int Rows, class T>
inline void product_block(const T* BASIN_RESTRICT left, Index left_stride, const T* BASIN_RESTRICT right,
                          Index right_stride, Index depth, T* BASIN_RESTRICT out, Index out_stride) noexcept {
  using Batch = xsimd::batch<T>;
  constexpr Index width = static_cast<Index>(Batch::size);
  Batch sum[Rows][4];
  for (int r = 0; r < Rows; ++r)
    for (int c = 0; c < 4; ++c) sum[r][c] = Batch(T(0));
  for (Index i = 0; i < depth; ++i) {
    const T* row = right + i * right_stride;
    const Batch b0 = Batch::load_unaligned(row), b1 = Batch::load_unaligned(row + width),
                b2 = Batch::load_unaligned(row + 2 * width), b3 = Batch::load_unaligned(row + 3 * width);
    for (int r = 0; r < Rows; ++r) {
      const Batch x(left[r * left_stride + i]);
      sum[r][0] = xsimd::fma(x, b0, sum[r][0]);
      sum[r][1] = xsimd::fma(x, b1, sum[r][1]);
      sum[r][2] = xsimd::fma(x, b2, sum[r][2]);
      sum[r][3] = xsimd::fma(x, b3, sum[r][3]);
    }
  }
  for (int r = 0; r < Rows; ++r)
    for (int c = 0; c < 4; ++c) sum[r][c].store_unaligned(out + r * out_stride + c * width);
}

/// out = left * right, [rows, depth] x [depth, columns]. Every element is summed in index order, so
/// a row's result does not depend on which rows are computed with it.
template <class T>
void row_products(const T* left, Index rows, Index left_stride, const T* right, Index right_stride, Index depth,
                  Index columns, T* out, Index out_stride) {
  constexpr Index block = product_columns<T>;
  AlignedVector<T> panel(static_cast<std::size_t>(depth * block));
  const Index whole = columns / block * block;
  for (Index c = 0; c < whole; c += block) {
    for (Index i = 0; i < depth; ++i) std::copy_n(right + i * right_stride + c, block, panel.data() + i * block);
    Index r = 0;
    for (; r + 4 <= rows; r += 4)
      product_block<4>(left + r * left_stride, left_stride, panel.data(), block, depth, out + r * out_stride + c, out_stride);
    for (; r < rows; ++r)
      product_block<1>(left + r * left_stride, left_stride, panel.data(), block, depth, out + r * out_stride + c, out_stride);
  }
  for (Index r = 0; r < rows; ++r)
    for (Index c = whole; c < columns; ++c) {
      T sum = 0;
      for (Index i = 0; i < depth; ++i) sum += left[r * left_stride + i] * right[i * right_stride + c];
      out[r * out_stride + c] = sum;
    }
}

/// out[c] = base[c] - sum over the listed groups and their g inputs of delta[i] * right[i, c], for `columns`
/// consecutive columns; groups that are not listed did not change.
template <class T>
inline void subtract_changes(const T* base, const T* BASIN_RESTRICT delta, const Index* groups,
                             Index num_groups, Index g, const T* BASIN_RESTRICT right, Index right_stride,
                             Index columns, T* out) noexcept {
  using Batch = xsimd::batch<T>;
  constexpr Index width = static_cast<Index>(Batch::size);
  if (columns == product_columns<T>) {
    Batch s0 = Batch::load_unaligned(base), s1 = Batch::load_unaligned(base + width),
          s2 = Batch::load_unaligned(base + 2 * width), s3 = Batch::load_unaligned(base + 3 * width);
    for (Index n = 0; n < num_groups; ++n)
      for (Index i = groups[n] * g; i < (groups[n] + 1) * g; ++i) {
        const Batch x(delta[i]);
        const T* row = right + i * right_stride;
        s0 = xsimd::fnma(x, Batch::load_unaligned(row), s0);
        s1 = xsimd::fnma(x, Batch::load_unaligned(row + width), s1);
        s2 = xsimd::fnma(x, Batch::load_unaligned(row + 2 * width), s2);
        s3 = xsimd::fnma(x, Batch::load_unaligned(row + 3 * width), s3);
      }
    s0.store_unaligned(out);
    s1.store_unaligned(out + width);
    s2.store_unaligned(out + 2 * width);
    s3.store_unaligned(out + 3 * width);
    return;
  }
  for (Index c = 0; c < columns; ++c) {
    T sum = base[c];
    for (Index n = 0; n < num_groups; ++n)
      for (Index i = groups[n] * g; i < (groups[n] + 1) * g; ++i) sum -= delta[i] * right[i * right_stride + c];
    out[c] = sum;
  }
}

}  // namespace basin::detail
