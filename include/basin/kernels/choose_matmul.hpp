#pragma once

#include <basin/core/config.hpp>
#include <basin/core/half.hpp>
#include <basin/kernels/choose.hpp>
#include <basin/kernels/kernel_set.hpp>
#include <basin/kernels/plan.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace basin::kernels {
/// The relative error of DequantizeMatmul with normally distributed inputs, from the sizes of its steps:
///
///     sqrt(w^2 + x^2) / sqrt(12)
///     x = a / L                                     inputs: the largest of a block sets the step
///     w = (2^15 / (L + 1)) u / rms(weight)          family planes: u = sum_m max |C_m| / 32500
///     w = min(a, largest / rms(weight)) / L         family rows: the largest weight of a row's block sets the step
///
/// with L = 127 (int8) or 2047 (int16), a = sqrt(2 ln 1024) for the largest of 512 values, and rms(weight)^2 the sum of
/// the codebooks' mean squares. Within a factor of 2 of what is measured (tested); 0 for exact products.
[[nodiscard]] inline float expected_matmul_error(const PackedLayer& layer, TablePrecision precision) noexcept {
  if (precision == TablePrecision::exact) return 0;
  const double limit = precision == TablePrecision::int8 ? 127 : 2047;
  const std::ptrdiff_t values = layer.scheme.codebook_size() * layer.scheme.codeword_size();
  double largest = 0, mean_squares = 0;
  for (int m = 0; m < layer.scheme.num_codebooks; ++m) {
    double own = 0, squares = 0;
    for (std::ptrdiff_t i = m * values; i < (m + 1) * values; ++i) {
      const auto value = static_cast<double>(layer.family == CodeFamily::planes ? layer.codebooks[i] : half_to_float(layer.half_codebooks[i]));
      own = std::fabs(value) > own ? std::fabs(value) : own;
      squares += value * value;
    }
    largest += own;
    mean_squares += squares / static_cast<double>(values);
  }
  if (!(mean_squares > 0)) return 0;
  const double of_block = std::sqrt(2 * std::log(1024.0)), reach = largest / std::sqrt(mean_squares);
  const double of_weight = layer.family == CodeFamily::planes ? 0x1p15 / (limit + 1) / 32500 * reach : (reach < of_block ? reach : of_block) / limit;
  const double of_inputs = of_block / limit;
  return static_cast<float>(std::sqrt((of_weight * of_weight + of_inputs * of_inputs) / 12));
}

/// The plan without measuring: `path`, with the coarsest precision whose expected error is within the limit.
[[nodiscard]] inline Plan default_matmul_plan(const PackedLayer& layer, const KernelSet& path, float max_relative_error) noexcept {
  Plan plan{path.arch, TablePrecision::exact, 0, 0};
  for (const TablePrecision precision : {TablePrecision::int16, TablePrecision::int8}) {
    const float error = expected_matmul_error(layer, precision);
    if (error <= max_relative_error) plan = {path.arch, precision, error, 0};
  }
  return plan;
}

namespace detail {
/// Rows that stand for all: they cost the same, whichever they are.
[[nodiscard]] inline std::ptrdiff_t sampled_rows(const PackedLayer& layer) noexcept {
  return layer.n_out < 2 * PackedLayer::rows_per_block ? layer.n_out : 2 * PackedLayer::rows_per_block;
}

struct ChooseMatmulScratch {
  std::size_t inputs, exact, outputs, workspace, tiles, total;  ///< where each begins, in bytes
};
[[nodiscard]] inline ChooseMatmulScratch choose_matmul_scratch(const PackedLayer& layer, std::span<const KernelSet> paths,
                                                               std::ptrdiff_t batch) noexcept {
  const auto up = [](std::size_t bytes) { return (bytes + 63) / 64 * 64; };
  const std::size_t vectors = static_cast<std::size_t>(batch) * sizeof(float);
  std::size_t workspace = 0, tiles = 0;
  for (const KernelSet& set : paths)
    for (const TablePrecision precision : {TablePrecision::exact, TablePrecision::int16, TablePrecision::int8}) {
      const MatmulKernels& matmul = matmul_kernels(set, precision);
      const std::size_t size = matmul.workspace_size(layer, batch), tile = matmul.scratch_size(layer, batch);
      if (size > workspace) workspace = size;
      if (tile > tiles) tiles = tile;
    }
  ChooseMatmulScratch at{};
  at.exact = up(vectors * static_cast<std::size_t>(layer.n_in));
  at.outputs = at.exact + up(vectors * static_cast<std::size_t>(sampled_rows(layer)));
  at.workspace = at.outputs + up(vectors * static_cast<std::size_t>(sampled_rows(layer)));
  at.tiles = at.workspace + up(workspace);
  at.total = at.tiles + up(tiles);
  return at;
}

/// One product of the sampled rows, step by step under a clock.
struct TimedMatmul {
  const PackedLayer& layer;
  const float* x;
  float* y;
  void* workspace;
  void* tiles;
  std::ptrdiff_t batch;
  Clock clock;

  std::int64_t prepare(const MatmulKernels& matmul) const noexcept {
    const std::int64_t begin = clock();
    matmul.prepare(layer, x, layer.n_in, batch, 0, batch, workspace);
    return clock() - begin;
  }
  std::int64_t run(const MatmulKernels& matmul, std::ptrdiff_t rows) const noexcept {
    const std::int64_t begin = clock();
    matmul.run(layer, workspace, batch, 0, rows, y, rows, tiles);
    return clock() - begin;
  }
  /// Time of the whole layer, from that of some rows.
  [[nodiscard]] double whole(std::int64_t prepared, std::int64_t ran, std::ptrdiff_t rows) const noexcept {
    return static_cast<double>(prepared) + static_cast<double>(ran) * static_cast<double>(layer.n_out) / static_cast<double>(rows);
  }
};
}  // namespace detail

/// Bytes of scratch memory that choose_matmul() wants.
[[nodiscard]] inline std::size_t choose_matmul_scratch_bytes(const PackedLayer& layer, std::span<const KernelSet> paths,
                                                             std::ptrdiff_t batch) noexcept {
  return detail::choose_matmul_scratch(layer, paths, batch).total;
}

/// choose() for DequantizeMatmul at one batch, as for a prompt: the fastest of `paths` and precisions among those within
/// the error that is accepted. Times the preparation of all inputs and up to 256 rows, of which the others' time follows.
///
/// @param options  options.batch is any from 1: what is fastest depends on it.
/// @param scratch  choose_matmul_scratch_bytes(), on a 64-byte boundary. With less nothing is measured: the
///                 default_matmul_plan of the last path.
/// Values    codewords and scales are finite, as DequantizeMatmul wants them.
/// Accuracy  relative_error is measured on those rows against the last path's exact products, and 0 for exact ones.
/// Cost      options.nanoseconds, and at least one preparation and 256 rows per path and precision that is not four
///           times as slow as the best; slower ones are given up after one preparation and 16 rows.
[[nodiscard]] inline Plan choose_matmul(const PackedLayer& layer, std::span<const KernelSet> paths, const ChooseOptions& options,
                                        std::span<std::byte> scratch, Clock clock = &monotonic_nanoseconds) noexcept {
  BASIN_ASSERT(!paths.empty() && options.batch >= 1);
  const std::ptrdiff_t batch = options.batch, rows = detail::sampled_rows(layer), glance = rows < 16 ? rows : 16;
  const detail::ChooseMatmulScratch at = detail::choose_matmul_scratch(layer, paths, batch);
  if (scratch.size() < at.total) return default_matmul_plan(layer, paths.back(), options.max_relative_error);
  auto* x = reinterpret_cast<float*>(scratch.data() + at.inputs);
  auto* exact_products = reinterpret_cast<float*>(scratch.data() + at.exact);
  auto* y = reinterpret_cast<float*>(scratch.data() + at.outputs);
  void *workspace = scratch.data() + at.workspace, *tiles = scratch.data() + at.tiles;

  detail::fill_normal(x, batch * layer.n_in);
  const detail::TimedMatmul reference{layer, x, exact_products, workspace, tiles, batch, clock};
  reference.prepare(paths.back().matmul_exact);
  reference.run(paths.back().matmul_exact, rows);
  const detail::TimedMatmul timed{layer, x, y, workspace, tiles, batch, clock};

  const std::int64_t share = options.nanoseconds / static_cast<std::int64_t>(3 * paths.size());
  const double products = static_cast<double>(batch) * static_cast<double>(layer.n_out) * static_cast<double>(layer.n_in);
  Plan plan;
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t path = paths.size(); path-- > 0;)  // the likely best first: it spares the others' time
    for (const TablePrecision precision : {TablePrecision::int8, TablePrecision::int16, TablePrecision::exact}) {
      const MatmulKernels& matmul = matmul_kernels(paths[path], precision);
      const std::int64_t prepared = timed.prepare(matmul);
      if (timed.whole(prepared, timed.run(matmul, glance), glance) > 4 * best) continue;
      timed.run(matmul, rows);
      const float error = precision == TablePrecision::exact ? 0 : detail::relative_difference(y, exact_products, batch * rows);
      if (!(error <= options.max_relative_error) && precision != TablePrecision::exact) continue;
      const double time = detail::least_time(share, clock, [&] {
        const std::int64_t again = timed.prepare(matmul);
        return timed.whole(again, timed.run(matmul, rows), rows);
      });
      if (time >= best) continue;
      best = time;
      plan = {paths[path].arch, precision, error, static_cast<float>(products / time)};
    }
  return plan;
}

}  // namespace basin::kernels
