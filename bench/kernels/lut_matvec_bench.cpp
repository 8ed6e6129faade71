// y = What x from codes, tables built inside the time.
//   lut_matvec/<scheme>/<precision>/<arch>/<n_out>x<n_in>[/<batch>][/cold | /two_threads]
#include <basin/kernels/lut_matvec.hpp>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "support/kernel_paths.hpp"
#include "support/packed_layer.hpp"
#include "support/two_threads.hpp"

namespace {
namespace bench = basin::bench;
using basin::kernels::KernelSet;
using basin::kernels::MatvecKernels;
using Precision = bench::PrecisionOf<MatvecKernels>;

constexpr Precision precisions[] = {{"exact", &KernelSet::matvec_exact, 0},
                                    {"int16", &KernelSet::matvec_int16, 32767},
                                    {"int8", &KernelSet::matvec_int8, 127}};

/// A product and the memory it needs.
class Matvec {
 public:
  Matvec(const MatvecKernels& kernels, const bench::PackedBenchLayer& layer, int batch)
      : kernels_(kernels),
        batch_(batch),
        n_out_(layer.packed.n_out),
        n_in_(layer.packed.n_in),
        blocks_(basin::num_input_blocks(layer.packed)),
        workspace_(kernels.workspace_size(layer.packed, batch)),
        x_(static_cast<std::size_t>(batch * n_in_)),
        y_(static_cast<std::size_t>(batch * n_out_)) {
    for (std::size_t i = 0; i < x_.size(); ++i) x_[i] = layer.x[i % layer.x.size()];  // the same input again
  }
  void build(const basin::PackedLayer& layer, std::ptrdiff_t first_block, std::ptrdiff_t last_block) {
    kernels_.build_tables(layer, x_.data(), n_in_, batch_, first_block, last_block, workspace_.data());
  }
  void run(const basin::PackedLayer& layer, std::ptrdiff_t first_row, std::ptrdiff_t last_row) {
    kernels_.run(layer, workspace_.data(), batch_, first_row, last_row, y_.data() + first_row, n_out_);
  }
  void operator()(const basin::PackedLayer& layer) {
    build(layer, 0, blocks_);
    run(layer, 0, n_out_);
  }
  /// Either half of each step in its own thread.
  void operator()(const basin::PackedLayer& layer, bench::TwoThreads& threads) {
    threads.run([&](int part) { build(layer, part == 0 ? 0 : blocks_ / 2, part == 0 ? blocks_ / 2 : blocks_); });
    const std::ptrdiff_t middle = n_out_ / 2 / basin::PackedLayer::rows_per_block * basin::PackedLayer::rows_per_block;
    threads.run([&](int part) { run(layer, part == 0 ? 0 : middle, part == 0 ? middle : n_out_); });
  }
  /// The product with the last input.
  [[nodiscard]] const float* y() const noexcept { return y_.data() + (batch_ - 1) * n_out_; }

 private:
  MatvecKernels kernels_;
  int batch_;
  std::ptrdiff_t n_out_, n_in_, blocks_;
  bench::Buffer<std::byte> workspace_;
  bench::Buffer<float> x_, y_;
};

/// Empty where y is within the Accuracy line of both the reference and the scalar path.
std::string complaint(const bench::PackedBenchLayer& layer, const Precision& precision, const float* y) {
  Matvec scalar(basin::kernels::available_kernels().front().*precision.member, layer, 1);
  scalar(layer.packed);
  for (std::size_t o = 0; o < layer.y.size(); ++o) {
    const double bound = layer.matvec_bound(o, precision.entry_limit), got = static_cast<double>(y[o]);
    if (!(std::abs(got - layer.y[o]) <= bound)) return bench::text("row ", o, " is further from the product in double than the Accuracy line allows");
    if (!(std::abs(got - static_cast<double>(scalar.y()[o])) <= 2 * bound)) return bench::text("row ", o, " differs from the scalar reference");
  }
  return {};
}

enum class Variant { warm, cold, two_threads };

void lut_matvec(benchmark::State& state, const basin::Scheme& scheme, const bench::Shape& shape, const KernelSet& set,
                const Precision& precision, int batch, Variant variant) {
  bench::PackedBenchLayer& layer = bench::packed_bench_layer(scheme, shape);
  Matvec product(set.*precision.member, layer, batch);
  product(layer.packed);
  const std::string wrong = complaint(layer, precision, product.y());
  if (!wrong.empty()) return bench::skip(state, wrong);

  bench::CallTimes times;
  double nanoseconds = 0;
  if (variant == Variant::two_threads) {
    bench::CallTimes alone;
    for (int i = 0; i < 50; ++i) alone.measure_wall([&] { product(layer.packed); });
    bench::TwoThreads threads;
    for (auto _ : state) times.measure_wall([&] { product(layer.packed, threads); });
    nanoseconds = times.quickest();
    state.counters["x_one_thread"] = alone.quickest() / nanoseconds;
    const std::string differs = complaint(layer, precision, product.y());
    if (!differs.empty()) return bench::skip(state, "on two threads " + differs);
  } else if (variant == Variant::cold) {
    for (auto _ : state) {
      const basin::PackedLayer cold = layer.cold();
      times.measure([&] { product(cold); });
    }
    nanoseconds = times.median();
    state.counters["of_read_limit"] = layer.limit().cold / nanoseconds;
  } else {
    for (auto _ : state) times.measure([&] { product(layer.packed); });
    nanoseconds = times.median();
    state.counters["of_read_limit"] = layer.limit().warm / nanoseconds;
  }
  const bench::Baseline& baseline = bench::sgemv_baseline(shape);
  state.counters["x_sgemv"] = batch * baseline.eigen / nanoseconds;
  if (baseline.openblas > 0) state.counters["x_openblas_sgemv"] = batch * baseline.openblas / nanoseconds;
  state.counters["weights_per_ns"] = batch * shape.num_weights() / nanoseconds;
  state.counters["relative_l2_error"] = bench::relative_l2_error(product.y(), layer.y.data(), layer.y.size());
  state.counters["bytes_per_weight"] = layer.bytes_per_weight();
}

void add_all() {
  for (const bench::Shape& shape : bench::shapes_or({{1024, 1024}, {4096, 4096}, {11008, 4096}, {4096, 14336}}))
    for (const basin::Scheme& scheme : bench::kernel_schemes)
      for (const KernelSet& set : bench::kernel_paths())
        for (const Precision& precision : precisions) {
          const auto add = [&](int batch, const char* suffix, Variant variant) {
            std::string name = bench::text("lut_matvec/", basin::to_string(scheme), '/', precision.name, '/', set.arch, '/', to_string(shape));
            if (batch > 1) name += bench::text('/', batch);
            bench::add(name + suffix, [scheme, shape, &set, &precision, batch, variant](benchmark::State& state) {
              lut_matvec(state, scheme, shape, set, precision, batch, variant);
            });
          };
          add(1, "", Variant::warm);
          add(1, "/cold", Variant::cold);
          add(1, "/two_threads", Variant::two_threads);
          add(8, "", Variant::warm);
        }
}
}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, add_all);
}
