#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/matmul_blocks.hpp>
#include <basin/kernels/detail/octets.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels::detail {
/// What a product asks of an instruction set; the file <arch>_octets.hpp under arch/ defines it. A weight vector
/// holds the octets of one or more rows, and meets an octet of inputs that is repeated for each: no weight ever
/// moves to another lane. Four weight vectors make a sub-tile, and their sums are added up across lanes once per
/// block of inputs.
///
///     Value, Input            what sums of codewords and prepared inputs are: float or int16_t; float, int16_t, int8_t
///     rows, sub_rows          rows of a tile, and of a sub-tile
///     max_vectors             inputs that registers have sums for
///     offset                  int16, int8: added to the first codebook's entries; rounds, and makes bytes unsigned
///     correction              int8: what `offset` adds to a sum is this times the sum of inputs
///     store_rows(step, strip, words[8])   eight rows' octets to their places in one step of a panel
///     load, repeat, multiply_add(sum, weights, inputs), start(correction)
///     finish(sums[4], row_scales, scale, c)   c[r] += sum of row r, times scale and row_scales[r] where integer
template <class Arch, class Precision>
struct TileProduct;

template <class Precision>
inline constexpr bool is_float_product = false;
template <>
inline constexpr bool is_float_product<exact> = true;

/// DequantizeMatmul on an instruction set with vectors. A panel is one block of inputs of one tile of rows:
///
///     panel      | octet 0: rows in the order of TileProduct | octet 1 | ..  64 steps of 256 bytes
///     workspace  | block 0: vector 0 [512], vector 1, .. | block 1 | .. | steps fp32 [blocks][batch] | corrections int32 |
///     scratch    | panel | sums fp32 [vectors][rows] | row scales | eight rows of values | codebooks of integers |
template <class Arch, class Precision>
struct SimdDequantizeMatmul {
  [[nodiscard]] static std::size_t workspace_size(const PackedLayer& layer, std::ptrdiff_t batch) noexcept {
    return static_cast<std::size_t>(workspace_layout(layer, batch).total);
  }
  [[nodiscard]] static std::size_t scratch_size(const PackedLayer& layer, std::ptrdiff_t batch) noexcept {
    return static_cast<std::size_t>(scratch_layout(layer, batch).total);
  }

  static void prepare(const PackedLayer& layer, const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t batch, std::ptrdiff_t first_vector,
                      std::ptrdiff_t last_vector, void* workspace) noexcept {
    BASIN_ASSERT(0 <= first_vector && last_vector <= batch);
    const Workspace at = workspace_layout(layer, batch);
    auto* base = static_cast<std::uint8_t*>(workspace);
    for (std::ptrdiff_t block = 0; block < num_matmul_blocks(layer); ++block) {
      const std::ptrdiff_t first = block * matmul_block, left = layer.n_in - first, count = left < matmul_block ? left : matmul_block;
      for (std::ptrdiff_t v = first_vector; v < last_vector; ++v) {
        const std::ptrdiff_t index = block * batch + v;
        prepare_block(x + v * x_stride + first, count, reinterpret_cast<Input*>(base) + index * matmul_block,
                      reinterpret_cast<float*>(base + at.steps) + index, reinterpret_cast<std::int32_t*>(base + at.corrections) + index);
      }
    }
  }

  static void run(const PackedLayer& layer, const void* workspace, std::ptrdiff_t batch, std::ptrdiff_t first_row, std::ptrdiff_t last_row,
                  float* y, std::ptrdiff_t y_stride, void* scratch) noexcept {
    BASIN_ASSERT(0 <= first_row && last_row <= layer.n_out);
    const Workspace from = workspace_layout(layer, batch);
    const Scratch at = scratch_layout(layer, batch);
    const auto* in = static_cast<const std::uint8_t*>(workspace);
    auto* own = static_cast<std::uint8_t*>(scratch);
    auto* sums = reinterpret_cast<float*>(own + at.sums);
    const float row_scale = round_codebooks(layer, reinterpret_cast<std::int16_t*>(own + at.codebooks));
    for (std::ptrdiff_t first = 0; first < batch; first += vectors_in_flight) {
      const std::ptrdiff_t vectors = batch - first < vectors_in_flight ? batch - first : vectors_in_flight;
      for (std::ptrdiff_t tile = first_row / P::rows * P::rows; tile < last_row; tile += P::rows) {
        __builtin_memset(sums, 0, static_cast<std::size_t>(vectors * P::rows) * sizeof(float));
        for (std::ptrdiff_t block = 0; block < num_matmul_blocks(layer); ++block) {
          const std::ptrdiff_t left = layer.n_in - block * matmul_block, inputs = left < matmul_block ? left : matmul_block;
          auto* row_scales = reinterpret_cast<float*>(own + at.row_scales);
          for (std::ptrdiff_t r = 0; r < P::rows; ++r) row_scales[r] = row_scale;
          decode(layer, tile, block * matmul_block, inputs, own, at, row_scales);
          const std::ptrdiff_t index = block * batch + first;
          multiply(own, (inputs + 7) / 8, vectors, reinterpret_cast<const Input*>(in) + index * matmul_block,
                   reinterpret_cast<const float*>(in + from.steps) + index, reinterpret_cast<const std::int32_t*>(in + from.corrections) + index,
                   row_scales, sums);
        }
        const std::ptrdiff_t begin = tile < first_row ? first_row : tile, end = tile + P::rows < last_row ? tile + P::rows : last_row;
        float scales[P::rows];
        for (std::ptrdiff_t r = begin; r < end; ++r) scales[r - tile] = layer.scales[r / layer.scheme.out_group_size];
        for (std::ptrdiff_t v = 0; v < vectors; ++v)
          for (std::ptrdiff_t r = begin; r < end; ++r) y[(first + v) * y_stride + r - first_row] = scales[r - tile] * sums[v * P::rows + r - tile];
      }
    }
  }

 private:
  using O = Octets<Arch>;
  using P = TileProduct<Arch, Precision>;
  using Value = typename P::Value;
  using Input = typename P::Input;
  static constexpr bool is_float = is_float_product<Precision>;
  static constexpr std::ptrdiff_t step_bytes = 256;  ///< of a panel, for eight inputs of every row
  /// Vectors whose inputs of one block stay in a second-level cache while tiles pass.
  static constexpr std::ptrdiff_t vectors_in_flight = 393216 / (matmul_block * static_cast<std::ptrdiff_t>(sizeof(Input)));

  static BASIN_ALWAYS_INLINE constexpr std::ptrdiff_t up(std::ptrdiff_t bytes) noexcept { return (bytes + 63) / 64 * 64; }

  struct Workspace {
    std::ptrdiff_t steps, corrections, total;
  };
  static BASIN_ALWAYS_INLINE Workspace workspace_layout(const PackedLayer& layer, std::ptrdiff_t batch) noexcept {
    BASIN_ASSERT(batch >= 1);
    const std::ptrdiff_t count = num_matmul_blocks(layer) * batch;
    Workspace at{};
    at.steps = count * matmul_block * static_cast<std::ptrdiff_t>(sizeof(Input));
    at.corrections = at.steps + (is_float ? 0 : up(count * 4));
    at.total = at.corrections + (is_float ? 0 : up(count * 4));
    return at;
  }
  struct Scratch {
    std::ptrdiff_t sums, row_scales, values, codebooks, total;
  };
  static BASIN_ALWAYS_INLINE Scratch scratch_layout(const PackedLayer& layer, std::ptrdiff_t batch) noexcept {
    Scratch at{};
    at.sums = matmul_block / 8 * step_bytes;
    at.row_scales = at.sums + (batch < vectors_in_flight ? batch : vectors_in_flight) * P::rows * 4;
    at.values = at.row_scales + up(P::rows * 4);
    at.codebooks = at.values + 8 * matmul_block * 4;
    const std::ptrdiff_t entries = layer.scheme.num_codebooks * (std::ptrdiff_t{layer.scheme.in_group_size} << layer.scheme.bits_per_code);
    at.total = at.codebooks + (is_float || layer.family == CodeFamily::rows ? 0 : up(entries * 2));
    return at;
  }

  static BASIN_ALWAYS_INLINE void prepare_block(const float* x, std::ptrdiff_t count, Input* out, float* step, std::int32_t* correction) noexcept {
    const std::ptrdiff_t whole = count / 8 * 8;
    float tail[8] = {};
    for (std::ptrdiff_t i = whole; i < count; ++i) tail[i - whole] = x[i];
    if constexpr (is_float) {
      for (std::ptrdiff_t i = 0; i < whole; i += 8) O::store(out + i, O::load(x + i));
      if (whole < count) O::store(out + whole, O::load(tail));
    } else {
      const MatmulStep to = matmul_step(largest_magnitude(x, count), static_cast<float>(MatmulLevels<Precision>::limit));
      *step = to.step;  // where it is NaN, so is what any integers give
      *correction = 0;
      for (std::ptrdiff_t i = 0; i < whole; i += 8) O::round(x + i, to.inverse, out + i);
      if (whole < count) O::round(tail, to.inverse, out + whole);
      if constexpr (P::correction != 0) {
        std::int32_t sum = 0;
        for (std::ptrdiff_t i = 0; i < count; ++i) sum += out[i];
        *correction = P::correction * sum;
      }
    }
  }

  /// The codebooks as integers; returns what a weight's unit is worth.
  static BASIN_ALWAYS_INLINE float round_codebooks(const PackedLayer& layer, std::int16_t* out) noexcept {
    if constexpr (is_float) {
      return 1;
    } else {
      if (layer.family == CodeFamily::rows) return 1;
      const MatmulStep to = codebook_step(layer);
      const std::ptrdiff_t entries = std::ptrdiff_t{layer.scheme.in_group_size} << layer.scheme.bits_per_code;
      for (std::ptrdiff_t i = 0; i < layer.scheme.num_codebooks * entries; i += 8) O::round(layer.codebooks + i, to.inverse, out + i);
      for (std::ptrdiff_t i = 0; i < entries; ++i) out[i] = static_cast<std::int16_t>(out[i] + P::offset);
      return to.step * static_cast<float>(1 << MatmulLevels<Precision>::shift);
    }
  }

  /// Fills the panel at `own` with the rows from `tile` and `inputs` inputs from `first`.
  static BASIN_ALWAYS_INLINE void decode(const PackedLayer& layer, std::ptrdiff_t tile, std::ptrdiff_t first, std::ptrdiff_t inputs,
                                         std::uint8_t* own, const Scratch& at, float* row_scales) noexcept {
    if (layer.family == CodeFamily::rows) return decode_rows(layer, tile, first, inputs, own, at, row_scales);
    with_groups(layer.scheme, [&]<Groups Kind>() BASIN_LAMBDA_INLINE {
      const Value* books;
      if constexpr (is_float) books = layer.codebooks;
      else books = reinterpret_cast<const Value*>(own + at.codebooks);
      decode_planes<Kind>(layer, tile, first, inputs, books, reinterpret_cast<Value*>(own + at.values), own);
    });
  }

  template <Groups Kind>
  static void decode_planes(const PackedLayer& layer, std::ptrdiff_t tile, std::ptrdiff_t first, std::ptrdiff_t inputs, const Value* books,
                            Value* values, std::uint8_t* panel) noexcept {
    const std::ptrdiff_t per_block = PackedLayer::groups_per_block * layer.scheme.in_group_size, last = first + inputs;
    for (std::ptrdiff_t strip = 0; strip < P::rows / 8; ++strip) {
      for (std::ptrdiff_t i = first; i < last;) {
        const std::ptrdiff_t block = i / per_block, base = block * per_block, end = base + per_block < last ? base + per_block : last;
        const Strip codes = strip_at(layer, block, tile + 8 * strip);
        if constexpr (Kind == Groups::values) {
          decode_values(codes, 8, layer.scheme, books, i - base, end - base, [&](std::ptrdiff_t r, std::ptrdiff_t at, Value sum)
                                  BASIN_LAMBDA_INLINE { values[r * matmul_block + base + at - first] = sum; });
        } else {
          decode_octets<Arch, Kind, 8>(codes, layer.scheme, groups_in_block(layer, block), books, (i - base) / 8, (end - base + 7) / 8,
                                           [&](std::ptrdiff_t e, const auto& sum) BASIN_LAMBDA_INLINE {
                                             P::store_rows(panel + (e + (base - first) / 8) * step_bytes, strip, sum);
                                           });
        }
        i = end;
      }
      if constexpr (Kind == Groups::values) store_values(values, strip, inputs, panel);
    }
  }

  static void decode_rows(const PackedLayer& layer, std::ptrdiff_t tile, std::ptrdiff_t first, std::ptrdiff_t inputs, std::uint8_t* panel,
                          const Scratch& at, float* row_scales) noexcept {
    auto* values = reinterpret_cast<float*>(panel + at.values);
    for (std::ptrdiff_t strip = 0; strip < P::rows / 8; ++strip) {
      for (std::ptrdiff_t r = 0; r < 8; ++r) {
        const std::ptrdiff_t row = tile + 8 * strip + r;
        float* to = values + r * matmul_block;
        if (row >= layer.n_out)
          for (std::ptrdiff_t i = 0; i < inputs; ++i) to[i] = 0;
        else
          decode_row<Arch>(
              layer, row, first, first + inputs,
              [&](std::ptrdiff_t i, auto sum) BASIN_LAMBDA_INLINE { O::store(to + i - first, sum); },
              [&](std::ptrdiff_t i, float sum) BASIN_LAMBDA_INLINE { to[i - first] = sum; });
        if constexpr (!is_float) {
          // In the place of the floats, and as sums of codebook entries would be: times 2^shift, offset added.
          using Levels = MatmulLevels<Precision>;
          const MatmulStep step = matmul_step(largest_magnitude(to, inputs), static_cast<float>(Levels::limit));
          row_scales[8 * strip + r] = step.step;
          alignas(64) std::int16_t words[matmul_block];
          for (std::ptrdiff_t i = inputs; i % 8 != 0; ++i) to[i] = 0;
          for (std::ptrdiff_t i = 0; i < inputs; i += 8) O::round(to + i, step.inverse, words + i);
          for (std::ptrdiff_t i = 0; i < inputs; ++i) words[i] = static_cast<std::int16_t>(words[i] * (1 << Levels::shift) + P::offset);
          __builtin_memcpy(reinterpret_cast<std::int16_t*>(values) + r * matmul_block, words, static_cast<std::size_t>(inputs) * 2);
        }
      }
      store_values(reinterpret_cast<Value*>(values), strip, inputs, panel);
    }
  }

  /// Eight rows of 512 values to their places in the panel; inputs past the last one are zero, so weights there
  /// need only be finite.
  static BASIN_ALWAYS_INLINE void store_values(Value* values, std::ptrdiff_t strip, std::ptrdiff_t inputs, std::uint8_t* panel) noexcept {
    for (std::ptrdiff_t r = 0; r < 8; ++r)
      for (std::ptrdiff_t i = inputs; i % 8 != 0; ++i) values[r * matmul_block + i] = 0;
    for (std::ptrdiff_t i = 0; i < inputs; i += 8) {
      Eight<Arch, Value> octets;
      for_rows<8>([&]<int R>() BASIN_LAMBDA_INLINE { octets.template at<R>() = O::load(values + R * matmul_block + i); });
      P::store_rows(panel + i / 8 * step_bytes, strip, octets);
    }
  }

  static BASIN_ALWAYS_INLINE void multiply(const std::uint8_t* panel, std::ptrdiff_t octets, std::ptrdiff_t vectors, const Input* x,
                                           const float* steps, const std::int32_t* corrections, const float* row_scales, float* sums) noexcept {
    constexpr std::ptrdiff_t most = P::max_vectors;
    std::ptrdiff_t v = 0;
    for (; v + most <= vectors; v += most)
      multiply_some<P::max_vectors>(panel, octets, x + v * matmul_block, steps + v, corrections + v, row_scales, sums + v * P::rows);
    if (v < vectors)
      multiply_rest<P::max_vectors - 1>(vectors - v, panel, octets, x + v * matmul_block, steps + v, corrections + v, row_scales,
                                        sums + v * P::rows);
  }
  template <int Vectors>
  static BASIN_ALWAYS_INLINE void multiply_rest(std::ptrdiff_t vectors, const std::uint8_t* panel, std::ptrdiff_t octets, const Input* x,
                                                const float* steps, const std::int32_t* corrections, const float* row_scales, float* sums) noexcept {
    if (vectors == Vectors) multiply_some<Vectors>(panel, octets, x, steps, corrections, row_scales, sums);
    else if constexpr (Vectors > 1) multiply_rest<Vectors - 1>(vectors, panel, octets, x, steps, corrections, row_scales, sums);
  }

  /// A vector's sums do not depend on how many it meets the tile with.
  template <int Vectors>
  static void multiply_some(const std::uint8_t* panel, std::ptrdiff_t octets, const Input* x, const float* steps,
                            const std::int32_t* corrections, const float* row_scales, float* sums) noexcept {
    constexpr std::ptrdiff_t sub_bytes = step_bytes * P::sub_rows / P::rows, vector_bytes = sub_bytes / 4;
    for (std::ptrdiff_t sub = 0; sub < P::rows / P::sub_rows; ++sub, panel += sub_bytes) {
      typename P::Sum sum[Vectors][4];
      for (int v = 0; v < Vectors; ++v)
        for (int w = 0; w < 4; ++w) sum[v][w] = P::start(is_float ? 0 : corrections[v]);
      const std::uint8_t* weights = panel;
      const Input* inputs = x;
      for (std::ptrdiff_t e = 0; e < octets; ++e, weights += step_bytes, inputs += 8) {
        if constexpr (Vectors < 4) {  // whichever there are fewer of stay in registers
          decltype(P::repeat(inputs)) repeated[Vectors];
          for (int v = 0; v < Vectors; ++v) repeated[v] = P::repeat(inputs + v * matmul_block);
          for (int w = 0; w < 4; ++w) {
            const auto row = P::load(weights + w * vector_bytes);
            for (int v = 0; v < Vectors; ++v) P::multiply_add(sum[v][w], row, repeated[v]);
          }
        } else {
          decltype(P::load(weights)) row[4];
          for (int w = 0; w < 4; ++w) row[w] = P::load(weights + w * vector_bytes);
          for (int v = 0; v < Vectors; ++v) {
            const auto repeated = P::repeat(inputs + v * matmul_block);
            for (int w = 0; w < 4; ++w) P::multiply_add(sum[v][w], row[w], repeated);
          }
        }
      }
      for (int v = 0; v < Vectors; ++v)
        P::finish(sum[v], row_scales + sub * P::sub_rows, is_float ? 1.0f : steps[v], sums + v * P::rows + sub * P::sub_rows);
    }
  }
};

}  // namespace basin::kernels::detail
