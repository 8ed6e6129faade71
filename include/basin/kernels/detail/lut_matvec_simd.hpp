#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/detail/decode_matvec.hpp>
#include <basin/kernels/detail/lut_step.hpp>
#include <basin/kernels/detail/lut_workspace.hpp>
#include <basin/kernels/detail/simd.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels::detail {
/// T[t][k] = sum_i x[t * inputs + i] C[i][k] for Tables groups of inputs and K = Size, one rounding per multiply-add;
/// the largest magnitude of each goes to `largest`.
template <class Arch, int Size, int Tables>
BASIN_ALWAYS_INLINE void build_entries(const float* x, std::ptrdiff_t inputs, const float* transposed, float (*entries)[Size],
                                       float (&largest)[Tables]) noexcept {
  using S = Simd<Arch>;
  using Floats = typename S::Floats;
  constexpr int vectors = Size / S::floats, at_once = S::build_vectors / Tables < 1 ? 1 : S::build_vectors / Tables;
  constexpr int width = vectors < at_once ? vectors : at_once;
  constexpr int chains = width < 4 ? width : 4;
  Floats most[Tables][chains];
  for (int t = 0; t < Tables; ++t)
    for (int c = 0; c < chains; ++c) most[t][c] = S::broadcast(0);
  for (int k = 0; k < Size; k += width * S::floats) {
    Floats sum[Tables][width];
    for (int u = 0; u < width; ++u) {
      const Floats column = S::load(transposed + k + u * S::floats);
      for (int t = 0; t < Tables; ++t) sum[t][u] = S::multiply(S::broadcast(x[t * inputs]), column);
    }
    for (std::ptrdiff_t i = 1; i < inputs; ++i)
      for (int u = 0; u < width; ++u) {
        const Floats column = S::load(transposed + i * Size + k + u * S::floats);
        for (int t = 0; t < Tables; ++t) sum[t][u] = S::multiply_add(S::broadcast(x[t * inputs + i]), column, sum[t][u]);
      }
    for (int t = 0; t < Tables; ++t)
      for (int u = 0; u < width; ++u) {
        most[t][u % chains] = S::max_magnitude(most[t][u % chains], sum[t][u]);
        S::store(entries[t] + k + u * S::floats, sum[t][u]);
      }
  }
  for (int t = 0; t < Tables; ++t) {
    for (int c = 1; c < chains; ++c) most[t][0] = S::max_magnitude(most[t][0], most[t][c]);
    largest[t] = S::largest_lane(most[t][0]);
  }
}

/// Visits the codes of `Strips` vectors of rows in order: visit(codes, q), where codes[s] is an array of the codes
/// q, q + 1, .. of vector s: S::codes_at_once of them, and one at a time at the end. Codes `Ahead` bytes on are
/// asked for meanwhile: three quarters of a tile of two codebooks of bytes, or the same place of the next one.
template <class Arch, int Bits, int Strips, int Ahead = 6144, class Visit>
BASIN_ALWAYS_INLINE void visit_codes(const std::uint8_t* column, std::ptrdiff_t rows, std::ptrdiff_t num_codes, Visit visit) noexcept {
  using S = Simd<Arch>;
  using Bytes = typename S::Bytes;
  constexpr int step = S::codes_at_once;
  static_assert(step == 2 || step == 4);
  std::ptrdiff_t q = 0;
  if constexpr (Bits == 6) {
    for (; q + 3 < num_codes; q += 4, column += 3 * rows) {
      Bytes first[Strips][step], last[Strips][step];
      unroll<Strips>([&](int s) BASIN_LAMBDA_INLINE {
        const std::uint8_t* strip = column + s * S::lanes;
        for (int i = 0; i < 3; ++i) __builtin_prefetch(strip + i * rows + Ahead);
        const Bytes a = S::load_bytes(strip), b = S::load_bytes(strip + rows), c = S::load_bytes(strip + 2 * rows);
        first[s][0] = S::low_six(a);
        first[s][1] = S::low_six(b);
        Bytes(&rest)[step] = step == 4 ? first[s] : last[s];
        rest[step - 2] = S::low_six(c);
        rest[step - 1] = S::top_bits(a, b, c);
      });
      visit(first, q);
      if constexpr (step == 2) visit(last, q + 2);
    }
  } else {
    constexpr int bytes = Bits == 4 ? step / 2 : step;
    for (; q + step <= num_codes; q += step, column += bytes * rows) {
      Bytes codes[Strips][step];
      unroll<Strips * bytes>([&](int n) BASIN_LAMBDA_INLINE {
        const int s = n / bytes, i = n % bytes;
        const std::uint8_t* strip = column + i * rows + s * S::lanes;
        __builtin_prefetch(strip + Ahead);
        const Bytes here = S::load_bytes(strip);
        if constexpr (Bits == 4) {
          codes[s][2 * i] = S::low_half(here);
          codes[s][2 * i + 1] = S::high_half(here);
        } else {
          codes[s][i] = here;
        }
      });
      visit(codes, q);
    }
  }
  for (; q < num_codes; ++q) {
    Bytes codes[Strips][1];
    for (int s = 0; s < Strips; ++s) {
      const Bytes here = S::load_bytes(column + s * S::lanes);
      codes[s][0] = Bits != 4 ? here : q % 2 == 0 ? S::low_half(here) : S::high_half(here);
    }
    visit(codes, q);
    if (Bits != 4 || q % 2 != 0) column += rows;
  }
}

/// Adds the integer look-ups of `Strips` vectors of rows to their sums, [planes][rows] in Sums' order.
template <class Arch, int Planes, int Bits, int Strips>
BASIN_ALWAYS_INLINE void accumulate_strips(const std::uint8_t* column, std::ptrdiff_t rows, std::ptrdiff_t num_codes,
                                           const std::uint8_t* tables, const std::int32_t* multipliers, std::int32_t* sums) noexcept {
  using S = Simd<Arch>;
  constexpr int size = 1 << Bits;
  typename S::Sums sum[Planes][Strips];
  for (int p = 0; p < Planes; ++p)
    for (int s = 0; s < Strips; ++s) sum[p][s] = S::load_sums(sums + p * rows + s * S::lanes);
  visit_codes<Arch, Bits, Strips>(column, rows, num_codes, [&](const auto& codes, std::ptrdiff_t q) BASIN_LAMBDA_INLINE {
    constexpr int count = sizeof codes[0] / sizeof codes[0][0];
    for (int p = 0; p < Planes; ++p) {
      typename S::Bytes entry[Strips][count];
      unroll<count>([&](int i) BASIN_LAMBDA_INLINE {
        const auto table = S::template load_table<size>(tables + ((q + i) * Planes + p) * size);
        unroll<Strips>([&](int s) BASIN_LAMBDA_INLINE { entry[s][i] = S::lookup(table, codes[s][i]); });
      });
      unroll<Strips>([&](int s) BASIN_LAMBDA_INLINE { S::accumulate(sum[p][s], entry[s], multipliers, q); });
    }
  });
  for (int p = 0; p < Planes; ++p)
    for (int s = 0; s < Strips; ++s) S::store_sums(sums + p * rows + s * S::lanes, sum[p][s]);
}

/// LutMatvec on an instruction set with vectors.
template <class Arch, class Precision>
struct SimdLutMatvec {
  using S = Simd<Arch>;
  static constexpr bool is_exact = entry_bytes<Precision> == 4;
  static constexpr int planes = is_exact ? 1 : entry_bytes<Precision>;

  [[nodiscard]] static std::size_t workspace_size(const PackedLayer& layer, int batch) noexcept {
    BASIN_ASSERT(batch >= 1 && batch <= 8);
    if (layer.family == CodeFamily::rows) return DecodeMatvec<Arch>::workspace_size(layer, batch);
    return static_cast<std::size_t>(batch * lut_workspace<Precision>(layer).vector_bytes);
  }

  static void build_tables(const PackedLayer& layer, const float* x, std::ptrdiff_t x_stride, int batch, std::ptrdiff_t first_block,
                           std::ptrdiff_t last_block, void* workspace) noexcept {
    if (layer.family == CodeFamily::rows)
      return DecodeMatvec<Arch>::prepare(layer, x, x_stride, batch, first_block, last_block, workspace);
    const LutWorkspace at = lut_workspace<Precision>(layer);
    for (int v = 0; v < batch; ++v, x += x_stride) {
      const LutQuantizer<Arch, Precision> quantizer(layer, x);
      for (std::ptrdiff_t block = first_block; block < last_block; ++block) {
        std::uint8_t* out = static_cast<std::uint8_t*>(workspace) + v * at.vector_bytes + block * at.block_bytes;
        if (layer.scheme.bits_per_code == 8) build_block<8>(layer, x, block, quantizer, at, out);
        else if (layer.scheme.bits_per_code == 6) build_block<6>(layer, x, block, quantizer, at, out);
        else build_block<4>(layer, x, block, quantizer, at, out);
      }
    }
  }

  static void run(const PackedLayer& layer, const void* workspace, int batch, std::ptrdiff_t first_row, std::ptrdiff_t last_row,
                  float* y, std::ptrdiff_t y_stride) noexcept {
    if (layer.family == CodeFamily::rows) return DecodeMatvec<Arch>::run(layer, workspace, batch, first_row, last_row, y, y_stride);
    const auto* tables = static_cast<const std::uint8_t*>(workspace);
    if (layer.scheme.bits_per_code == 8) run_bits<8>(layer, tables, batch, first_row, last_row, y, y_stride);
    else if (layer.scheme.bits_per_code == 6) run_bits<6>(layer, tables, batch, first_row, last_row, y, y_stride);
    else run_bits<4>(layer, tables, batch, first_row, last_row, y, y_stride);
  }

 private:
  template <int Bits>
  static void build_block(const PackedLayer& layer, const float* x, std::ptrdiff_t block, const LutQuantizer<Arch, Precision>& quantizer,
                          const LutWorkspace& at, std::uint8_t* out) noexcept {
    // Small tables in fours, so that their chains of latencies overlap.
    constexpr int together = Bits == 8 ? 1 : 4;
    const std::ptrdiff_t codebooks = layer.scheme.num_codebooks;
    const std::ptrdiff_t first = block * PackedLayer::groups_per_block, last = first + groups_in_block(layer, block);
    const std::ptrdiff_t whole = layer.n_in / layer.scheme.in_group_size;
    LutBlockHeader header{quantizer.step, 0};
    BlockTables<Bits> tables(at, quantizer, out);
    std::ptrdiff_t j = first;
    for (; j + together <= last && j + together <= whole; j += together)
      for (std::ptrdiff_t m = 0; m < codebooks; ++m) tables.template build<together>(layer, x, j, m, (j - first) * codebooks + m);
    for (; j < last; ++j)
      for (std::ptrdiff_t m = 0; m < codebooks; ++m) tables.template build<1>(layer, x, j, m, (j - first) * codebooks + m);
    tables.finish();
    header.bias = tables.bias;
    *reinterpret_cast<LutBlockHeader*>(out) = header;
  }

  /// Tables are rounded one step late: their steps come out of a long chain of latencies, which the next products hide.
  template <int Bits>
  struct BlockTables {
    static constexpr int size = 1 << Bits, most = 4, tables_ahead = 8;
    const LutWorkspace& at;
    const LutQuantizer<Arch, Precision>& quantizer;
    std::uint8_t* out;
    std::int32_t bias = 0;

    BASIN_ALWAYS_INLINE BlockTables(const LutWorkspace& workspace, const LutQuantizer<Arch, Precision>& steps, std::uint8_t* block) noexcept
        : at(workspace), quantizer(steps), out(block) {}
    /// Tables q, q + M, .. of Groups input groups from j on, under codebook m.
    template <int Groups>
    BASIN_ALWAYS_INLINE void build(const PackedLayer& layer, const float* x, std::ptrdiff_t j, std::ptrdiff_t m, std::ptrdiff_t q) noexcept {
      static_assert(Groups <= most);
      const std::ptrdiff_t g = layer.scheme.in_group_size;
      const std::ptrdiff_t inputs = layer.n_in - j * g < g ? layer.n_in - j * g : g;
      float largest[Groups];
      float(*entries)[size] = entries_[turn_];
      build_entries<Arch, size, Groups>(x + j * g, inputs, layer.transposed_codebooks + m * g * size, entries, largest);
      for (int t = 0; t < Groups; ++t) {
        const std::ptrdiff_t at_q = q + t * layer.scheme.num_codebooks;
        float inverse = 0;
        if constexpr (!is_exact) {
          const std::int32_t multiplier = quantizer.multiplier(largest[t]);
          bias += 128 * multiplier;
          S::set_multiplier(reinterpret_cast<std::int32_t*>(out + at.multipliers), at_q, multiplier);
          inverse = quantizer.inverse_step(multiplier);
        }
        const Waiting before = waiting_[t];
        waiting_[t] = {entries[t], inverse, out + at.tables + at_q * at.table_bytes};
        claim(waiting_[t].table + tables_ahead * at.table_bytes);
        if (before.entries != nullptr) round(before);
      }
      turn_ = 1 - turn_;
    }
    BASIN_ALWAYS_INLINE void finish() noexcept {
      for (const Waiting& last : waiting_)
        if (last.entries != nullptr) round(last);
    }

   private:
    struct Waiting {
      const float* entries = nullptr;
      float inverse = 0;
      std::uint8_t* table = nullptr;
    };
    /// Another processor may have read the tables of the call before: its copies of these lines go first.
    static BASIN_ALWAYS_INLINE void claim(const std::uint8_t* table) noexcept {
      constexpr std::ptrdiff_t bytes = size * entry_bytes<Precision>;
      if (bytes < 64 && reinterpret_cast<std::uintptr_t>(table) % 64 != 0) return;
      unroll<bytes < 64 ? 1 : bytes / 64>([&](int line) BASIN_LAMBDA_INLINE { __builtin_prefetch(table + 64 * line, 1); });
    }
    static BASIN_ALWAYS_INLINE void round(const Waiting& one) noexcept {
      if constexpr (is_exact) S::template pack_exact<size>(one.entries, one.table);
      else S::template quantize<planes, size>(one.entries, one.inverse, one.table);
    }
    alignas(64) float entries_[2][most][size];
    Waiting waiting_[most];
    int turn_ = 0;
  };

  template <int Bits>
  static void run_bits(const PackedLayer& layer, const std::uint8_t* tables, int batch, std::ptrdiff_t first_row,
                       std::ptrdiff_t last_row, float* y, std::ptrdiff_t y_stride) noexcept {
    constexpr std::ptrdiff_t per_block = PackedLayer::rows_per_block;
    const LutWorkspace at = lut_workspace<Precision>(layer);
    const std::ptrdiff_t in_flight = rows_in_flight<Precision>(batch);
    alignas(64) std::int32_t sums[32768 / 4];
    for (std::ptrdiff_t begin = first_row / per_block * per_block; begin < last_row; begin += in_flight) {
      const std::ptrdiff_t end = begin + in_flight < last_row ? begin + in_flight : last_row;
      const std::ptrdiff_t vector_sums = (end - begin + per_block - 1) / per_block * per_block * planes;
      __builtin_memset(sums, 0, static_cast<std::size_t>(batch * vector_sums) * sizeof(std::int32_t));
      for (std::ptrdiff_t block = 0; block < num_input_blocks(layer); ++block) {
        // Float tables of 256 outgrow the first-level cache: 16 at a time, on whole planes, meet all rows in flight.
        const std::ptrdiff_t num_codes = groups_in_block(layer, block) * layer.scheme.num_codebooks;
        const std::ptrdiff_t at_once = is_exact && Bits == 8 ? 16 : num_codes;
        // The next block's tables come from another processor's cache, a share with every tile.
        const std::ptrdiff_t tiles = (end - begin + per_block - 1) / per_block * ((num_codes + at_once - 1) / at_once);
        const std::ptrdiff_t share = block + 1 < num_input_blocks(layer) ? (at.block_bytes + tiles - 1) / tiles : 0;
        const std::uint8_t* next = tables + (block + 1) * at.block_bytes;
        for (std::ptrdiff_t first = 0; first < num_codes; first += at_once)
          for (std::ptrdiff_t row = begin; row < end; row += per_block, next += share) {
            for (std::ptrdiff_t byte = 0; byte < share; byte += 64) __builtin_prefetch(next + byte, 0, 2);
            for (int v = 0; v < batch; ++v)
              add_tile<Bits>(layer, block, row, first, first + at_once < num_codes ? at_once : num_codes - first,
                             tables + v * at.vector_bytes + block * at.block_bytes, at, sums + v * vector_sums + (row - begin) * planes);
          }
      }
      for (int v = 0; v < batch; ++v)
        for (std::ptrdiff_t row = begin; row < end; row += per_block)
          store_rows(layer, tables + v * at.vector_bytes, at, sums + v * vector_sums + (row - begin) * planes, row, first_row, last_row,
                     y + v * y_stride);
    }
  }

  template <int Bits>
  static BASIN_ALWAYS_INLINE void add_tile(const PackedLayer& layer, std::ptrdiff_t block, std::ptrdiff_t row, std::ptrdiff_t first_code,
                                           std::ptrdiff_t num_codes, const std::uint8_t* in, const LutWorkspace& at,
                                           std::int32_t* sums) noexcept {
    const std::ptrdiff_t rows = rows_in_block(layer, row);
    const std::uint8_t* tile = tile_codes(layer, block, row) + num_planes(first_code, Bits) * rows;
    const std::uint8_t* tables = in + at.tables + first_code * at.table_bytes;
    if constexpr (is_exact) {
      S::template add_exact<Bits>(tile, rows, num_codes, tables, reinterpret_cast<float*>(sums));
    } else {
      const auto* multipliers = reinterpret_cast<const std::int32_t*>(in + at.multipliers);
      constexpr int strips = S::template strips<planes>;
      std::ptrdiff_t first = 0;
      for (; first + strips * S::lanes <= rows; first += strips * S::lanes)
        accumulate_strips<Arch, planes, Bits, strips>(tile + first, rows, num_codes, tables, multipliers, sums + first);
      if constexpr (strips * S::lanes > PackedLayer::row_granule)
        if (first < rows) accumulate_strips<Arch, planes, Bits, 1>(tile + first, rows, num_codes, tables, multipliers, sums + first);
    }
  }

  static BASIN_ALWAYS_INLINE void store_rows(const PackedLayer& layer, const std::uint8_t* in, const LutWorkspace& at,
                                             const std::int32_t* sums, std::ptrdiff_t row, std::ptrdiff_t first_row,
                                             std::ptrdiff_t last_row, float* y) noexcept {
    const std::ptrdiff_t rows = rows_in_block(layer, row);
    alignas(64) float values[PackedLayer::rows_per_block];
    float step = 1;
    if constexpr (is_exact) {
      for (std::ptrdiff_t r = 0; r < rows; r += S::lanes) S::exact_rows(reinterpret_cast<const float*>(sums) + r, values + r);
    } else {
      std::int32_t bias = 0;
      for (std::ptrdiff_t block = 0; block < num_input_blocks(layer); ++block) {
        const auto* header = reinterpret_cast<const LutBlockHeader*>(in + block * at.block_bytes);
        step = header->step;
        bias = static_cast<std::int32_t>(static_cast<std::uint32_t>(bias) + static_cast<std::uint32_t>(header->bias));
      }
      for (std::ptrdiff_t r = 0; r < rows; r += S::lanes) {
        typename S::Floats value[4];
        for (int i = 0; i < 4; ++i) {
          value[i] = S::to_floats(sums + (planes - 1) * rows + r + i * S::floats, S::signed_entries ? 0 : bias);
          if constexpr (planes == 2)
            value[i] = S::multiply_add(value[i], S::broadcast(256), S::to_floats(sums + r + i * S::floats, S::signed_entries ? -bias : 0));
        }
        S::interleave(value, values + r);
      }
    }
    const std::ptrdiff_t begin = row < first_row ? first_row : row;
    const std::ptrdiff_t end = row + rows < last_row ? row + rows : last_row;
    for (std::ptrdiff_t r = begin; r < end; ++r) y[r - first_row] = layer.scales[r] * (step * values[r - row]);
  }
};

}  // namespace basin::kernels::detail
