// Tiles of What from codes, into a buffer that is used again for the next tile.
//   lut_dequantize/<scheme>/<fp32 | bf16 | fp16>/<arch>/<n_out>x<n_in>/<rows>x<inputs of a tile>
#include <basin/kernels/lut_dequantize.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "support/kernel_paths.hpp"
#include "support/packed_layer.hpp"

namespace {
namespace bench = basin::bench;
using basin::kernels::DequantizeKernel;
using basin::kernels::KernelSet;

struct Tile {
  std::ptrdiff_t rows, inputs;
};

template <class Out>
void decode_tiles(DequantizeKernel<Out> kernel, const basin::PackedLayer& layer, const Tile& tile, Out* out) {
  for (std::ptrdiff_t row = 0; row < layer.n_out; row += tile.rows)
    for (std::ptrdiff_t input = 0; input < layer.n_in; input += tile.inputs)
      kernel(layer, row, std::min(layer.n_out, row + tile.rows), input, std::min(layer.n_in, input + tile.inputs), out, tile.inputs);
}

/// Both paths give the same bits, tile by tile.
template <class Out>
bool agrees(DequantizeKernel<Out> kernel, DequantizeKernel<Out> scalar, const basin::PackedLayer& layer, const Tile& tile) {
  bench::Buffer<Out> got(static_cast<std::size_t>(tile.rows * tile.inputs)), want(got.size());
  for (std::ptrdiff_t row = 0; row < layer.n_out; row += tile.rows)
    for (std::ptrdiff_t input = 0; input < layer.n_in; input += tile.inputs) {
      const std::ptrdiff_t last_row = std::min(layer.n_out, row + tile.rows), last = std::min(layer.n_in, input + tile.inputs);
      kernel(layer, row, last_row, input, last, got.data(), tile.inputs);
      scalar(layer, row, last_row, input, last, want.data(), tile.inputs);
      if (std::memcmp(got.data(), want.data(), got.size() * sizeof(Out)) != 0) return false;
    }
  return true;
}

/// Of decoded fp32 rows against the sums in double; 16 rows stand for all.
double fp32_error(DequantizeKernel<float> kernel, const bench::PackedBenchLayer& layer) {
  const basin::AdditiveLayer& stored = layer.stored;
  const std::ptrdiff_t g = stored.scheme.in_group_size, m_count = stored.scheme.num_codebooks, groups = stored.num_in_groups();
  std::vector<float> row(static_cast<std::size_t>(stored.n_in));
  std::vector<double> want(row.size());
  double largest = 0;
  for (std::ptrdiff_t o = 0; o < std::min<std::ptrdiff_t>(16, stored.n_out); ++o) {
    kernel(layer.packed, o, o + 1, 0, stored.n_in, row.data(), stored.n_in);
    for (std::ptrdiff_t i = 0; i < stored.n_in; ++i) {
      double sum = 0;
      for (std::ptrdiff_t m = 0; m < m_count; ++m) {
        const std::ptrdiff_t code = stored.codes[static_cast<std::size_t>((o * groups + i / g) * m_count + m)];
        sum += static_cast<double>(basin::half_to_float(
            stored.codebooks[static_cast<std::size_t>((m * stored.scheme.codebook_size() + code) * g + i % g)]));
      }
      want[static_cast<std::size_t>(i)] = sum * static_cast<double>(basin::half_to_float(stored.scales[static_cast<std::size_t>(o)]));
    }
    largest = std::max(largest, bench::relative_l2_error(row.data(), want.data(), row.size()));
  }
  return largest;
}

template <class Out>
void lut_dequantize(benchmark::State& state, const basin::Scheme& scheme, const bench::Shape& shape, const KernelSet& set,
                    DequantizeKernel<Out> KernelSet::* member, Tile tile) {
  bench::PackedBenchLayer& layer = bench::packed_bench_layer(scheme, shape);
  const DequantizeKernel<Out> kernel = set.*member;
  if (!agrees<Out>(kernel, basin::kernels::available_kernels().front().*member, layer.packed, tile))
    return bench::skip(state, "differs from the scalar reference");

  bench::Buffer<Out> out(static_cast<std::size_t>(tile.rows * tile.inputs));
  bench::CallTimes times;
  for (auto _ : state) times.measure([&] { decode_tiles(kernel, layer.packed, tile, out.data()); });
  static std::map<std::size_t, double> store_limits;  // by bytes of the buffer
  const auto [limit, is_new] = store_limits.try_emplace(out.size() * sizeof(Out));
  if (is_new) limit->second = bench::store_limit<float>(out.size() * sizeof(Out) / sizeof(float));
  const double tiles = shape.num_weights() / static_cast<double>(out.size());
  state.counters["of_store_limit"] = limit->second * tiles / times.median();
  state.counters["of_read_limit"] = layer.limit().warm / times.median();
  state.counters["x_sgemv"] = bench::sgemv_baseline(shape).eigen / times.median();
  state.counters["weights_per_ns"] = shape.num_weights() / times.median();
  state.counters["bytes_per_weight"] = layer.bytes_per_weight();
  state.counters["relative_l2_error"] = fp32_error(set.dequantize_fp32, layer);
}

void add_all() {
  for (const bench::Shape& shape : bench::shapes_or({{1024, 1024}, {4096, 4096}, {11008, 4096}}))
    for (const basin::Scheme& scheme : bench::kernel_schemes)
      for (const KernelSet& set : bench::kernel_paths())
        for (const Tile tile : {Tile{1, shape.n_in}, Tile{16, 256}, Tile{64, 256}}) {
          const auto add = [&](const char* precision, auto member) {
            bench::add(bench::text("lut_dequantize/", basin::to_string(scheme), '/', precision, '/', set.arch, '/', to_string(shape), '/',
                                   tile.rows, 'x', tile.inputs),
                       [scheme, shape, &set, member, tile](benchmark::State& state) {
                         lut_dequantize(state, scheme, shape, set, member, tile);
                       });
          };
          add("fp32", &KernelSet::dequantize_fp32);
          add("bf16", &KernelSet::dequantize_bf16);
          add("fp16", &KernelSet::dequantize_fp16);
        }
}
}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, add_all);
}
