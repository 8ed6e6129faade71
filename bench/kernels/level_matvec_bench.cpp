// y = W x for two-bit levels, activations quantized inside the time.
//   level_matvec/<levels>/<activations>/<arch>/<n_out>x<n_in>[/<batch>][/cold | /two_threads]
//   quantize_activations/token/<activations>/<arch>/<n_in>
#include <basin/kernels/level_matvec.hpp>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "support/kernel_paths.hpp"
#include "support/packed_levels.hpp"
#include "support/two_threads.hpp"

namespace {
namespace bench = basin::bench;
using basin::kernels::ActivationFormat;
using basin::kernels::KernelSet;

/// A product and the memory it needs.
class Matvec {
 public:
  Matvec(const KernelSet& set, const ActivationFormat& format, const bench::Shape& shape, std::ptrdiff_t batch)
      : x(bench::normal_floats(static_cast<std::size_t>(batch * shape.n_in), 11)),
        y(static_cast<std::size_t>(batch * shape.n_out)),
        set_(set),
        format_(format),
        batch_(batch),
        workspace_(basin::kernels::activation_bytes(format, shape.n_in, batch)) {}
  void quantize(const basin::PackedLevels& layer) { set_.activations.run(format_, x.data(), layer.n_in, layer.n_in, batch_, 0, batch_, workspace_.data()); }
  void run(const basin::PackedLevels& layer, std::ptrdiff_t first_row, std::ptrdiff_t last_row) {
    set_.level_matvec(layer, format_, workspace_.data(), batch_, first_row, last_row, y.data() + first_row, layer.n_out);
  }
  void operator()(const basin::PackedLevels& layer) {
    quantize(layer);
    run(layer, 0, layer.n_out);
  }
  /// Either half of the rows in its own thread; one of them quantizes first.
  void operator()(const basin::PackedLevels& layer, bench::TwoThreads& threads) {
    quantize(layer);
    const std::ptrdiff_t middle = layer.n_out / 2 / basin::PackedLevels::rows_per_block * basin::PackedLevels::rows_per_block;
    threads.run([&](int part) { run(layer, part == 0 ? 0 : middle, part == 0 ? middle : layer.n_out); });
  }

  bench::Buffer<float> x, y;

 private:
  const KernelSet& set_;
  ActivationFormat format_;
  std::ptrdiff_t batch_;
  bench::Buffer<std::byte> workspace_;
};

enum class Variant { warm, cold, two_threads };

void level_matvec(benchmark::State& state, const bench::LevelSet& levels, const bench::Shape& shape, const KernelSet& set,
                  const bench::NamedFormat& activations, std::ptrdiff_t batch, Variant variant) {
  bench::PackedBenchLevels& layer = bench::packed_bench_levels(levels, shape);
  Matvec product(set, activations.format, shape, batch), scalar(basin::kernels::available_kernels().front(), activations.format, shape, batch);
  product(layer.packed);
  scalar(layer.packed);
  const auto differs = [&] { return std::memcmp(product.y.data(), scalar.y.data(), product.y.size() * sizeof(float)) != 0; };
  if (differs()) return bench::skip(state, "differs from the scalar reference");

  bench::CallTimes times;
  double nanoseconds = 0;
  if (variant == Variant::two_threads) {
    bench::CallTimes alone;
    for (int i = 0; i < 50; ++i) alone.measure_wall([&] { product(layer.packed); });
    bench::TwoThreads threads;
    for (auto _ : state) times.measure_wall([&] { product(layer.packed, threads); });
    nanoseconds = times.quickest();
    state.counters["x_one_thread"] = alone.quickest() / nanoseconds;
    if (differs()) return bench::skip(state, "on two threads it differs from the scalar reference");
  } else {
    // Mirror no-zero beside it, call by call.
    bench::PackedBenchLevels& plain = bench::packed_bench_levels(bench::level_sets[0], shape);
    bench::CallTimes plain_times;
    const bool is_cold = variant == Variant::cold;
    for (auto _ : state) {
      const basin::PackedLevels now = is_cold ? layer.cold() : layer.packed;
      times.measure([&] { product(now); });
      if (&plain == &layer) continue;
      state.PauseTiming();
      const basin::PackedLevels beside = is_cold ? plain.cold() : plain.packed;
      plain_times.measure([&] { product(beside); });
      state.ResumeTiming();
    }
    nanoseconds = times.median();
    if (&plain != &layer) state.counters["x_mnz"] = plain_times.median() / nanoseconds;
    state.counters["of_read_limit"] = (is_cold ? layer.limit().cold : layer.limit().warm) / nanoseconds;
  }
  const bench::Baseline& baseline = bench::sgemv_baseline(shape);
  const double tokens = static_cast<double>(batch);
  state.counters["x_sgemv"] = tokens * baseline.eigen / nanoseconds;
  if (baseline.openblas > 0) state.counters["x_openblas_sgemv"] = tokens * baseline.openblas / nanoseconds;
  state.counters["weights_per_ns"] = tokens * shape.num_weights() / nanoseconds;
  const std::vector<double> want = layer.multiply(product.x.data(), 1);
  product(layer.packed);
  state.counters["relative_l2_error"] = bench::relative_l2_error(product.y.data(), want.data(), want.size());
  state.counters["bytes_per_weight"] = layer.bytes_per_weight();
}

void quantize_activations(benchmark::State& state, const KernelSet& set, const bench::NamedFormat& activations, std::ptrdiff_t n_in) {
  const bench::Buffer<float> x = bench::normal_floats(static_cast<std::size_t>(n_in), 11);
  const std::size_t size = basin::kernels::activation_bytes(activations.format, n_in, 1);
  bench::Buffer<std::byte> workspace(size), scalar(size);
  const auto run = [&](const KernelSet& kernels, bench::Buffer<std::byte>& out) {
    kernels.activations.run(activations.format, x.data(), n_in, n_in, 1, 0, 1, out.data());
  };
  run(basin::kernels::available_kernels().front(), scalar);
  run(set, workspace);
  if (std::memcmp(workspace.data(), scalar.data(), size) != 0) return bench::skip(state, "differs from the scalar reference");
  constexpr int calls = 64;
  bench::CallTimes times;
  for (auto _ : state)
    times.measure([&] {
      for (int i = 0; i < calls; ++i) {
        run(set, workspace);
        bench::clobber_memory();
      }
    });
  state.counters["inputs_per_ns"] = static_cast<double>(calls * n_in) / times.median();
}

void add_all() {
  for (const bench::Shape& shape : bench::shapes_or({{1024, 1024}, {4096, 4096}, {11008, 4096}, {4096, 14336}}))
    for (const bench::LevelSet& levels : bench::level_sets)
      for (const KernelSet& set : bench::kernel_paths())
        for (const bench::NamedFormat& activations : bench::activation_formats) {
          const auto add = [&](std::ptrdiff_t batch, const char* suffix, Variant variant) {
            std::string name = bench::text("level_matvec/", levels.name, '/', activations.name, '/', set.arch, '/', to_string(shape));
            if (batch > 1) name += bench::text('/', batch);
            bench::add(name + suffix, [shape, &levels, &set, &activations, batch, variant](benchmark::State& state) {
              level_matvec(state, levels, shape, set, activations, batch, variant);
            });
          };
          add(1, "", Variant::warm);
          add(1, "/cold", Variant::cold);
          add(1, "/two_threads", Variant::two_threads);
          add(8, "", Variant::warm);
        }
  for (const KernelSet& set : bench::kernel_paths())
    for (const bench::NamedFormat& activations : bench::activation_formats)
      for (const std::ptrdiff_t n_in : {1024, 4096})
        bench::add(bench::text("quantize_activations/token/", activations.name, '/', set.arch, '/', n_in),
                   [&set, &activations, n_in](benchmark::State& state) { quantize_activations(state, set, activations, n_in); });
}
}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, add_all);
}
