#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/kernel_set.hpp>
#include <basin/kernels/plan.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <limits>
#include <span>

namespace basin::kernels {
struct ChooseOptions {
  int batch = 1;                      ///< inputs per call; choose() takes 1..8, choose_matmul() any from 1
  float max_relative_error = 1e-3f;   ///< of a product, against exact tables; 0 wants those
  std::int64_t nanoseconds = 5000000;  ///< for all measurements together; slow paths end after a glance
};

/// Nanoseconds since some moment.
using Clock = std::int64_t (*)() noexcept;
[[nodiscard]] inline std::int64_t monotonic_nanoseconds() noexcept {
  std::timespec now{};
#if defined(CLOCK_MONOTONIC)
  clock_gettime(CLOCK_MONOTONIC, &now);
#else
  static_cast<void>(std::timespec_get(&now, TIME_UTC));
#endif
  return std::int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

/// The relative error of a product with normally distributed inputs, from the sizes of the steps:
///
///     min(sqrt(g), sqrt(2 ln 2K)) / (limit sqrt(12)) * max_k |C_k| / rms_k |C_k|      limit: 127 or 32767
///
/// A table's largest entry sets its step: the largest of K normal values, or what inputs of norm sqrt(g)
/// reach, times a codeword's norm. Rounding to a step errs by step / sqrt(12). Within a factor of 2 of what
/// is measured (tested); 0 for exact tables.
[[nodiscard]] inline float expected_relative_error(const PackedLayer& layer, TablePrecision precision) noexcept {
  if (precision == TablePrecision::exact || layer.family == CodeFamily::rows) return 0;
  const std::ptrdiff_t codewords = layer.scheme.num_codebooks * layer.scheme.codebook_size();
  double squares = 0;
  for (std::ptrdiff_t i = 0; i < codewords * layer.scheme.in_group_size; ++i)
    squares += static_cast<double>(layer.codebooks[i]) * static_cast<double>(layer.codebooks[i]);
  if (!(squares > 0)) return 0;
  const double norm = std::sqrt(squares / static_cast<double>(codewords));
  const double normal = 2 * std::log(2 * static_cast<double>(layer.scheme.codebook_size())), reach = layer.scheme.in_group_size;
  const double largest = std::sqrt(normal < reach ? normal : reach);
  const double limit = precision == TablePrecision::int8 ? 127 : 32767;
  return static_cast<float>(largest * static_cast<double>(layer.max_codeword_norm) / (norm * limit * std::sqrt(12.0)));
}

/// The plan without measuring: `path`, with the coarsest tables whose expected error is within the limit.
[[nodiscard]] inline Plan default_plan(const PackedLayer& layer, const KernelSet& path, float max_relative_error) noexcept {
  Plan plan{path.arch, TablePrecision::exact, 0, 0};
  if (layer.family == CodeFamily::rows) return plan;
  for (const TablePrecision precision : {TablePrecision::int16, TablePrecision::int8}) {
    const float error = expected_relative_error(layer, precision);
    if (error <= max_relative_error) plan = {path.arch, precision, error, 0};
  }
  return plan;
}

namespace detail {
struct ChooseScratch {
  std::size_t inputs, exact, outputs, workspace, total;  ///< where each begins, in bytes
};
[[nodiscard]] inline ChooseScratch choose_scratch(const PackedLayer& layer, std::span<const KernelSet> paths, int batch) noexcept {
  const auto up = [](std::size_t bytes) { return (bytes + 63) / 64 * 64; };
  const std::size_t vectors = static_cast<std::size_t>(batch) * sizeof(float);
  std::size_t workspace = 0;
  for (const KernelSet& set : paths)
    for (const TablePrecision precision : {TablePrecision::exact, TablePrecision::int16, TablePrecision::int8}) {
      const std::size_t size = matvec_kernels(set, precision).workspace_size(layer, batch);
      if (size > workspace) workspace = size;
    }
  ChooseScratch at{};
  at.exact = up(vectors * static_cast<std::size_t>(layer.n_in));
  at.outputs = at.exact + up(vectors * static_cast<std::size_t>(layer.n_out));
  at.workspace = at.outputs + up(vectors * static_cast<std::size_t>(layer.n_out));
  at.total = at.workspace + up(workspace);
  return at;
}

/// Near enough to normally distributed: sums of four uniform values.
inline void fill_normal(float* x, std::ptrdiff_t count) noexcept {
  std::uint64_t random = 20260822;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    float sum = 0;
    for (int part = 0; part < 4; ++part) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      sum += static_cast<float>(random >> 40) * 0x1p-24f;
    }
    x[i] = (sum - 2) * 1.7320508f;
  }
}

/// The least time of measure(), in ns and at least 1: a clock may tick rarely. Once, and again until the share is spent.
template <class Measure>
[[nodiscard]] double least_time(std::int64_t share, Clock clock, Measure&& measure) noexcept {
  double least = std::numeric_limits<double>::infinity();
  const std::int64_t begin = clock();
  for (int repeat = 0; repeat < 1000 && (repeat == 0 || clock() - begin < share); ++repeat) {
    const auto time = static_cast<double>(measure());
    least = time < least ? time : least;
  }
  return least > 1 ? least : 1;
}

/// |y - want| / |want|.
[[nodiscard]] inline float relative_difference(const float* y, const float* want, std::ptrdiff_t count) noexcept {
  double difference = 0, norm = 0;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const double d = static_cast<double>(y[i]) - static_cast<double>(want[i]);
    difference += d * d;
    norm += static_cast<double>(want[i]) * static_cast<double>(want[i]);
  }
  if (difference == 0) return 0;
  return norm > 0 ? static_cast<float>(std::sqrt(difference / norm)) : std::numeric_limits<float>::infinity();
}

/// One matvec on the inputs of `x`, step by step under a clock.
struct TimedMatvec {
  const PackedLayer& layer;
  const float* x;
  float* y;
  void* workspace;
  int batch;
  Clock clock;

  std::int64_t build(const MatvecKernels& matvec, std::ptrdiff_t blocks) const noexcept {
    const std::int64_t begin = clock();
    matvec.build_tables(layer, x, layer.n_in, batch, 0, blocks, workspace);
    return clock() - begin;
  }
  std::int64_t run(const MatvecKernels& matvec, std::ptrdiff_t rows) const noexcept {
    const std::int64_t begin = clock();
    matvec.run(layer, workspace, batch, 0, rows, y, layer.n_out);
    return clock() - begin;
  }
  std::int64_t whole(const MatvecKernels& matvec) const noexcept { return build(matvec, num_input_blocks(layer)) + run(matvec, layer.n_out); }

  /// Whether one block of tables and one of rows, the better of two tries each, promise a time below `limit`.
  /// Leaves the tables built.
  [[nodiscard]] bool promises(const MatvecKernels& matvec, double limit) const noexcept {
    const std::ptrdiff_t blocks = num_input_blocks(layer);
    const std::ptrdiff_t rows = layer.n_out < PackedLayer::rows_per_block ? layer.n_out : PackedLayer::rows_per_block;
    const auto better = [](std::int64_t a, std::int64_t b) { return static_cast<double>(a < b ? a : b); };
    const std::int64_t first = build(matvec, 1);
    const double tables = better(first, build(matvec, 1)) * static_cast<double>(blocks);
    if (tables > limit) return false;
    build(matvec, blocks);
    const std::int64_t first_rows = run(matvec, rows);
    return tables + better(first_rows, run(matvec, rows)) * static_cast<double>(layer.n_out) / static_cast<double>(rows) <= limit;
  }
};
}  // namespace detail

/// Bytes of scratch memory that choose() wants.
[[nodiscard]] inline std::size_t choose_scratch_bytes(const PackedLayer& layer, std::span<const KernelSet> paths, int batch) noexcept {
  return detail::choose_scratch(layer, paths, batch).total;
}

/// The fastest of `paths` at the coarsest to the finest tables, among those within the error that is
/// accepted, measured on this processor and this layer: times whole calls (tables and rows) on one thread
/// with normally distributed inputs, and keeps the shortest of each.
///
/// @param paths    not empty, plainest first: available_kernels(), or the one path of best_kernels().
/// @param scratch  choose_scratch_bytes(), on a 64-byte boundary. With less nothing is measured: the
///                 default_plan of the last path.
/// @param clock    for tests; what it counts is reported as nanoseconds.
/// Accuracy  relative_error is measured against the last path's exact tables, and 0 for exact ones.
/// Cost      options.nanoseconds, and at least one call per path and precision that is not four times
///           as slow as the best; slower ones are given up after two blocks of tables and rows.
[[nodiscard]] inline Plan choose(const PackedLayer& layer, std::span<const KernelSet> paths, const ChooseOptions& options,
                                 std::span<std::byte> scratch, Clock clock = &monotonic_nanoseconds) noexcept {
  BASIN_ASSERT(!paths.empty() && options.batch >= 1 && options.batch <= 8);
  const detail::ChooseScratch at = detail::choose_scratch(layer, paths, options.batch);
  if (scratch.size() < at.total) return default_plan(layer, paths.back(), options.max_relative_error);
  auto* x = reinterpret_cast<float*>(scratch.data() + at.inputs);
  auto* exact_products = reinterpret_cast<float*>(scratch.data() + at.exact);
  auto* y = reinterpret_cast<float*>(scratch.data() + at.outputs);
  void* workspace = scratch.data() + at.workspace;

  detail::fill_normal(x, options.batch * layer.n_in);
  detail::TimedMatvec{layer, x, exact_products, workspace, options.batch, clock}.whole(paths.back().matvec_exact);
  const detail::TimedMatvec timed{layer, x, y, workspace, options.batch, clock};

  const std::int64_t share = options.nanoseconds / static_cast<std::int64_t>(3 * paths.size());
  const double products = static_cast<double>(options.batch) * static_cast<double>(layer.n_out) * static_cast<double>(layer.n_in);
  Plan plan;
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t path = paths.size(); path-- > 0;)  // the likely best first: it spares the others' time
    for (const TablePrecision precision : {TablePrecision::int8, TablePrecision::int16, TablePrecision::exact}) {
      if (layer.family == CodeFamily::rows && precision != TablePrecision::exact) continue;  // no tables: the same for all
      const MatvecKernels& matvec = matvec_kernels(paths[path], precision);
      if (!timed.promises(matvec, 4 * best)) continue;
      timed.run(matvec, layer.n_out);
      const float error = precision == TablePrecision::exact ? 0 : detail::relative_difference(y, exact_products, options.batch * layer.n_out);
      if (!(error <= options.max_relative_error) && precision != TablePrecision::exact) continue;
      const double time = detail::least_time(share, clock, [&] { return timed.whole(matvec); });
      if (time >= best) continue;
      best = time;
      plan = {paths[path].arch, precision, error, static_cast<float>(products / time)};
    }
  return plan;
}

}  // namespace basin::kernels
