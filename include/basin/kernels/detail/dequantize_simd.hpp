#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/octets.hpp>
#include <basin/kernels/lut_dequantize.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels::detail {
/// LutDequantize on an instruction set with vectors: eight rows at a time, since their codes are neighbours.
template <class Arch>
struct SimdLutDequantize {
  template <class Out>
  static void run(const PackedLayer& layer, std::ptrdiff_t first_row, std::ptrdiff_t last_row, std::ptrdiff_t first_input,
                  std::ptrdiff_t last_input, Out* out, std::ptrdiff_t stride) noexcept {
    BASIN_ASSERT(0 <= first_row && last_row <= layer.n_out && 0 <= first_input && last_input <= layer.n_in);
    const Tile<Out> tile{first_row, last_row, first_input, last_input, out, stride};
    if (layer.family == CodeFamily::rows) run_rows(layer, tile);
    else
      with_groups(layer.scheme, [&]<Groups Kind>() BASIN_LAMBDA_INLINE {
        if constexpr (Kind == Groups::values) run_values(layer, tile);
        else run_octets<Kind>(layer, tile);
      });
  }

 private:
  using O = Octets<Arch>;
  using Floats = typename O::template Of<float>;
  template <class Out>
  struct Tile {
    std::ptrdiff_t first_row, last_row, first_input, last_input;
    Out* out;
    std::ptrdiff_t stride;
  };

  /// Visits the strips of a tile, eight rows or one: visit.operator()<Rows>(block, row, first, last, to), inputs
  /// counted from the block's first; `to` is where input `first` of row `row` goes.
  template <class Out, class Visit>
  static BASIN_ALWAYS_INLINE void visit_strips(const PackedLayer& layer, const Tile<Out>& tile, Visit visit) noexcept {
    constexpr std::ptrdiff_t per_block = PackedLayer::rows_per_block;
    const std::ptrdiff_t inputs = PackedLayer::groups_per_block * layer.scheme.in_group_size;
    for (std::ptrdiff_t row = tile.first_row; row < tile.last_row;) {
      const bool eight = row + 8 <= tile.last_row && row % per_block + 8 <= per_block;
      for (std::ptrdiff_t i = tile.first_input; i < tile.last_input;) {
        const std::ptrdiff_t block = i / inputs, base = block * inputs;
        const std::ptrdiff_t last = base + inputs < tile.last_input ? base + inputs : tile.last_input;
        Out* to = tile.out + (row - tile.first_row) * tile.stride + i - tile.first_input;
        if (eight) visit.template operator()<8>(block, row, i - base, last - base, to);
        else visit.template operator()<1>(block, row, i - base, last - base, to);
        i = last;
      }
      row += eight ? 8 : 1;
    }
  }

  template <Groups Kind, class Out>
  static void run_octets(const PackedLayer& layer, const Tile<Out>& tile) noexcept {
    visit_strips(layer, tile, [&]<int Rows>(std::ptrdiff_t block, std::ptrdiff_t row, std::ptrdiff_t first, std::ptrdiff_t last, Out* to)
                                  BASIN_LAMBDA_INLINE {
      const Strip strip = Rows == 1 ? row_at(layer, block, row) : strip_at(layer, block, row);
      const std::ptrdiff_t groups = groups_in_block(layer, block), stride = tile.stride;
      Eight<Arch, float> scale;
      for_rows<Rows>([&]<int R>() BASIN_LAMBDA_INLINE { scale.template at<R>() = O::broadcast(layer.scales[row + R]); });
      // Octets that the tile cuts are taken a row at a time.
      constexpr Groups edge_kind = Kind == Groups::two_bytes ? Groups::eight : Kind;
      const std::ptrdiff_t begin = (first + 7) / 8, end = last / 8;
      const bool cut_first = first % 8 != 0, cut_last = last % 8 != 0;
      for (std::ptrdiff_t r = 0; r < Rows && (cut_first || cut_last); ++r) {
        if (cut_first) run_edge<edge_kind>(layer, block, row + r, first / 8, first, last, to + r * stride);
        if (cut_last) run_edge<edge_kind>(layer, block, row + r, end, first, last, to + r * stride);
      }
      decode_octets<Arch, Kind, Rows>(strip, layer.scheme, groups, layer.codebooks, begin, end,
                                            [&](std::ptrdiff_t e, const Eight<Arch, float>& sum) BASIN_LAMBDA_INLINE {
        Out* at = to + 8 * e - first;
        for_rows<Rows>([&]<int R>() BASIN_LAMBDA_INLINE {
          O::store(at + R % 4 * stride, O::multiply(sum.template at<R>(), scale.template at<R>()));
          if (R == 3) at += 4 * stride;
        });
      });
    });
  }

  /// The inputs of one octet that are in [first, last).
  template <Groups Kind, class Out>
  static void run_edge(const PackedLayer& layer, std::ptrdiff_t block, std::ptrdiff_t row, std::ptrdiff_t octet, std::ptrdiff_t first,
                       std::ptrdiff_t last, Out* to) noexcept {
    const std::ptrdiff_t begin = 8 * octet < first ? first : 8 * octet, end = 8 * octet + 8 < last ? 8 * octet + 8 : last;
    decode_octets<Arch, Kind, 1>(row_at(layer, block, row), layer.scheme, groups_in_block(layer, block), layer.codebooks, octet, octet + 1,
                                    [&](std::ptrdiff_t, const Eight<Arch, float>& sum) BASIN_LAMBDA_INLINE {
      Out values[8];
      O::store(values, O::multiply(sum.v0, O::broadcast(layer.scales[row])));
      for (std::ptrdiff_t i = begin; i < end; ++i) to[i - first] = values[i - 8 * octet];
    });
  }

  template <class Out>
  static void run_values(const PackedLayer& layer, const Tile<Out>& tile) noexcept {
    visit_strips(layer, tile, [&]<int Rows>(std::ptrdiff_t block, std::ptrdiff_t row, std::ptrdiff_t first, std::ptrdiff_t last, Out* to)
                                  BASIN_LAMBDA_INLINE {
      decode_values(strip_at(layer, block, row), Rows, layer.scheme, layer.codebooks, first, last,
                    [&](std::ptrdiff_t r, std::ptrdiff_t i, float sum) BASIN_LAMBDA_INLINE {
                      store_value(to + r * tile.stride + i - first, layer.scales[row + r] * sum);
                    });
    });
  }

  template <class Out>
  static void run_rows(const PackedLayer& layer, const Tile<Out>& tile) noexcept {
    for (std::ptrdiff_t row = tile.first_row; row < tile.last_row; ++row) {
      Out* to = tile.out + (row - tile.first_row) * tile.stride;
      const float scale = layer.scales[row / layer.scheme.out_group_size];
      decode_row<Arch>(
          layer, row, tile.first_input, tile.last_input,
          [&](std::ptrdiff_t i, Floats sum) BASIN_LAMBDA_INLINE { O::store(to + i - tile.first_input, O::multiply(sum, O::broadcast(scale))); },
          [&](std::ptrdiff_t i, float sum) BASIN_LAMBDA_INLINE { store_value(to + i - tile.first_input, scale * sum); });
    }
  }

  template <class Out>
  static BASIN_ALWAYS_INLINE void store_value(Out* to, float value) noexcept {
    Out values[8];
    O::store(values, O::broadcast(value));
    *to = values[0];
  }
};

}  // namespace basin::kernels::detail
