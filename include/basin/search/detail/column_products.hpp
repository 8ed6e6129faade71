#pragma once

#include <basin/core/config.hpp>
#include <basin/core/types.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>

namespace basin::detail {
/// Rows that one call of the kernel below keeps in registers.
template <class T>
inline constexpr int strip_vectors = sizeof(xsimd::batch<T>) == 64 ? 4 : 2;
template <class T>
inline constexpr Index strip_rows = strip_vectors<T> * static_cast<Index>(xsimd::batch<T>::size);

template <int Columns, class T>
inline void add_strip(const T* BASIN_RESTRICT left, Index left_stride, const T* BASIN_RESTRICT right, Index right_stride,
                      Index depth, T* BASIN_RESTRICT out, Index out_stride) noexcept {
  using Batch = xsimd::batch<T>;
  constexpr int vectors = strip_vectors<T>;
  constexpr Index width = static_cast<Index>(Batch::size);
  Batch sum[Columns][vectors];
  for (int c = 0; c < Columns; ++c)
    for (int v = 0; v < vectors; ++v) sum[c][v] = Batch::load_unaligned(out + c * out_stride + v * width);
  for (Index i = 0; i < depth; ++i) {
    Batch x[vectors];
    for (int v = 0; v < vectors; ++v) x[v] = Batch::load_unaligned(left + i * left_stride + v * width);
    for (int c = 0; c < Columns; ++c) {
      const Batch factor(right[i * right_stride + c]);
      for (int v = 0; v < vectors; ++v) sum[c][v] = xsimd::fma(x[v], factor, sum[c][v]);
    }
  }
  for (int c = 0; c < Columns; ++c)
    for (int v = 0; v < vectors; ++v) sum[c][v].store_unaligned(out + c * out_stride + v * width);
}

/// out += left * right, [rows, depth] x [depth, columns], left and out stored column by column, right row
/// by row. Every element is summed in index order, so that neither how the depth is cut nor which
/// rows are computed together changes a bit. `rows` is a multiple of strip_rows.
template <class T>
void add_column_products(const T* left, Index rows, Index left_stride, const T* right, Index right_stride, Index depth,
                         Index columns, T* out, Index out_stride) noexcept {
  constexpr Index slice = 128;  // a strip of `left` stays in the first cache
  for (Index done = 0; done < depth; done += slice) {
    const Index length = std::min(slice, depth - done);
    const T* factors = right + done * right_stride;
    for (Index r = 0; r < rows; r += strip_rows<T>) {
      const T* strip = left + done * left_stride + r;
      Index c = 0;
      for (; c + 6 <= columns; c += 6)
        add_strip<6>(strip, left_stride, factors + c, right_stride, length, out + c * out_stride + r, out_stride);
      for (; c + 2 <= columns; c += 2)
        add_strip<2>(strip, left_stride, factors + c, right_stride, length, out + c * out_stride + r, out_stride);
      for (; c < columns; ++c)
        add_strip<1>(strip, left_stride, factors + c, right_stride, length, out + c * out_stride + r, out_stride);
    }
  }
}

}  // namespace basin::detail
