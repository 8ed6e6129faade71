// Y = X W^T for two-bit levels, activations quantized inside the time.
//   level_matmul/<levels>/<activations>/<arch>/<n_out>x<n_in>/<batch>[/cold]
#include <basin/kernels/level_matmul.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "support/kernel_paths.hpp"
#include "support/packed_levels.hpp"

namespace {
namespace bench = basin::bench;
using basin::kernels::ActivationFormat;
using basin::kernels::KernelSet;

constexpr std::ptrdiff_t checked = 4;  ///< tokens with a reference, the first ones

class Matmul {
 public:
  Matmul(const KernelSet& set, const ActivationFormat& format, const bench::Shape& shape, std::ptrdiff_t batch, const float* x)
      : set_(set),
        format_(format),
        batch_(batch),
        x_(x),
        workspace_(basin::kernels::activation_bytes(format, shape.n_in, batch)),
        scratch_(set.level_matmul.scratch_size(batch)),
        y(static_cast<std::size_t>(batch * shape.n_out)) {}
  void operator()(const basin::PackedLevels& layer) {
    set_.activations.run(format_, x_, layer.n_in, layer.n_in, batch_, 0, batch_, workspace_.data());
    set_.level_matmul.run(layer, format_, workspace_.data(), batch_, 0, layer.n_out, y.data(), layer.n_out, scratch_.data());
  }

 private:
  const KernelSet& set_;
  ActivationFormat format_;
  std::ptrdiff_t batch_;
  const float* x_;
  bench::Buffer<std::byte> workspace_, scratch_;

 public:
  bench::Buffer<float> y;  ///< [batch, n_out]
};

void level_matmul(benchmark::State& state, const bench::LevelSet& levels, const bench::Shape& shape, const KernelSet& set,
                  const bench::NamedFormat& activations, std::ptrdiff_t batch, bool is_cold) {
  bench::PackedBenchLevels& layer = bench::packed_bench_levels(levels, shape);
  const bench::Buffer<float> x = bench::normal_floats(static_cast<std::size_t>(batch * shape.n_in), 21);
  Matmul product(set, activations.format, shape, batch, x.data());
  Matmul scalar(basin::kernels::available_kernels().front(), activations.format, shape, std::min(batch, checked), x.data());
  product(layer.packed);
  scalar(layer.packed);
  if (std::memcmp(product.y.data(), scalar.y.data(), scalar.y.size() * sizeof(float)) != 0) return bench::skip(state, "differs from the scalar reference");

  bench::CallTimes times;
  for (auto _ : state) {
    const basin::PackedLevels now = is_cold ? layer.cold() : layer.packed;
    times.measure([&] { product(now); });
  }
  const bench::Baseline& baseline = bench::sgemm_baseline(shape, batch);
  const double tokens = static_cast<double>(batch);
  state.counters["x_sgemm"] = baseline.fastest() / times.median();
  state.counters["x_eigen_sgemm"] = baseline.eigen / times.median();
  if (baseline.openblas > 0) state.counters["x_openblas_sgemm"] = baseline.openblas / times.median();
  state.counters["x_sgemv"] = tokens * bench::sgemv_baseline(shape).eigen / times.median();
  state.counters["of_read_limit"] = (is_cold ? layer.limit().cold : layer.limit().warm) / times.median();
  state.counters["weights_per_ns"] = tokens * shape.num_weights() / times.median();
  const std::vector<double> want = layer.multiply(x.data(), 1);
  state.counters["relative_l2_error"] = bench::relative_l2_error(product.y.data(), want.data(), want.size());
  state.counters["bytes_per_weight"] = layer.bytes_per_weight();
}

void add_all() {
  for (const bench::Shape& shape : bench::shapes_or({{1024, 1024}, {4096, 4096}, {11008, 4096}}))
    for (const bench::LevelSet& levels : bench::level_sets)
      for (const std::ptrdiff_t batch : {1, 32, 512})
        for (const KernelSet& set : bench::kernel_paths())
          for (const bench::NamedFormat& activations : bench::activation_formats)
            for (const bool is_cold : {false, true}) {
              if (set.arch == basin::kernels::scalar::name && batch > checked) continue;  // minutes
              bench::add(bench::text("level_matmul/", levels.name, '/', activations.name, '/', set.arch, '/', to_string(shape), '/', batch,
                                     is_cold ? "/cold" : ""),
                         [shape, &levels, &set, &activations, batch, is_cold](benchmark::State& state) {
                           level_matmul(state, levels, shape, set, activations, batch, is_cold);
                         })
                  ->Unit(benchmark::kMillisecond);
            }
}
}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, add_all);
}
