#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/choose.hpp>
#include <basin/kernels/kernel_set.hpp>
#include <basin/kernels/plan.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace basin::kernels {
struct ChooseDequantizeOptions {
  std::ptrdiff_t rows = 16;            ///< of a tile, as the host asks for them
  std::ptrdiff_t inputs = 256;         ///< of a tile; more than the layer has: all of them
  std::int64_t nanoseconds = 1000000;  ///< for all measurements together
};

/// Bytes of scratch memory that choose_dequantize() wants: a tile.
template <class Out>
[[nodiscard]] constexpr std::size_t choose_dequantize_scratch_bytes(const PackedLayer& layer, const ChooseDequantizeOptions& options) noexcept {
  const std::ptrdiff_t rows = options.rows < layer.n_out ? options.rows : layer.n_out;
  const std::ptrdiff_t inputs = options.inputs < layer.n_in ? options.inputs : layer.n_in;
  return static_cast<std::size_t>(rows * inputs) * sizeof(Out);
}

/// choose() for LutDequantize at one shape of tile: the fastest of `paths`, which all give the same bits. Times the tiles
/// of one band of rows, from the first input to the last.
///
/// @tparam Out      float, bfloat16 or half.
/// @param options  rows and inputs from 1: a single row and a tile may want different paths.
/// @param scratch  choose_dequantize_scratch_bytes<Out>(), on a 64-byte boundary. With less nothing is measured:
///                 the last path.
/// Returns   precision exact and relative_error 0; weights_per_ns counts decoded weights.
/// Cost      options.nanoseconds, and at least one band per path that is not four times as slow as the best; slower
///           ones are given up after two tiles.
template <class Out>
[[nodiscard]] Plan choose_dequantize(const PackedLayer& layer, std::span<const KernelSet> paths, const ChooseDequantizeOptions& options,
                                     std::span<std::byte> scratch, Clock clock = &monotonic_nanoseconds) noexcept {
  BASIN_ASSERT(!paths.empty() && options.rows >= 1 && options.inputs >= 1);
  if (scratch.size() < choose_dequantize_scratch_bytes<Out>(layer, options)) return {paths.back().arch, TablePrecision::exact, 0, 0};
  auto* out = reinterpret_cast<Out*>(scratch.data());
  const std::ptrdiff_t rows = options.rows < layer.n_out ? options.rows : layer.n_out;
  const std::ptrdiff_t inputs = options.inputs < layer.n_in ? options.inputs : layer.n_in;
  const auto decode = [&](DequantizeKernel<Out> dequantize, std::ptrdiff_t end) {
    const std::int64_t begin = clock();
    for (std::ptrdiff_t first = 0; first < end; first += inputs)
      dequantize(layer, 0, rows, first, first + inputs < end ? first + inputs : end, out, inputs);
    return static_cast<double>(clock() - begin);
  };

  const std::int64_t share = options.nanoseconds / static_cast<std::int64_t>(paths.size());
  Plan plan;
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t path = paths.size(); path-- > 0;) {
    const DequantizeKernel<Out> dequantize = dequantize_kernel<Out>(paths[path]);
    decode(dequantize, inputs);  // brings codes and codebooks near
    if (decode(dequantize, inputs) * static_cast<double>(layer.n_in) / static_cast<double>(inputs) > 4 * best) continue;
    const double time = detail::least_time(share, clock, [&] { return decode(dequantize, layer.n_in); });
    if (time >= best) continue;
    best = time;
    plan = {paths[path].arch, TablePrecision::exact, 0, static_cast<float>(static_cast<double>(rows) * static_cast<double>(layer.n_in) / time)};
  }
  return plan;
}

}  // namespace basin::kernels
