// choose/<scheme>/<path>/<n_outxn_in>: what the measured choice costs at load time, and what it finds.
// choose_matmul/.../<batch>, choose_dequantize/.../<rows>x<inputs>
#include <basin/core/scheme_text.hpp>
#include <basin/kernels.hpp>
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/kernel_paths.hpp"

namespace kernels = basin::kernels;

namespace {
using Paths = std::span<const kernels::KernelSet>;
struct alignas(64) Line {
  std::byte bytes[64];
};
std::vector<Line> lines(std::size_t bytes) { return std::vector<Line>(bytes / sizeof(Line) + 1); }

/// Times choose_plan(layer, paths, scratch), which takes scratch_bytes(layer, paths), and shows what it finds.
template <class ScratchBytes, class ChoosePlan>
void choose(benchmark::State& state, const basin::Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in, ScratchBytes&& scratch_bytes,
            ChoosePlan&& choose_plan) {
  std::uint64_t random = 1;
  const auto next = [&] { return (random = random * 6364136223846793005u + 1442695040888963407u) >> 40; };
  std::vector<std::uint16_t> codes(static_cast<std::size_t>(n_out * scheme.num_in_groups(n_in) * scheme.num_codebooks));
  for (std::uint16_t& code : codes) code = static_cast<std::uint16_t>(next() % static_cast<std::uint64_t>(scheme.codebook_size()));
  std::vector<std::uint16_t> codebooks(static_cast<std::size_t>(scheme.num_codebooks * scheme.codebook_size() * scheme.codeword_size()));
  for (std::uint16_t& value : codebooks) value = basin::float_to_half(static_cast<float>(next()) * 0x1p-23f - 1);
  const std::vector<std::uint16_t> scales(static_cast<std::size_t>(n_out), basin::float_to_half(1));
  const basin::AdditiveView stored{scheme, n_out, n_in, codes.data(), codebooks.data(), scales.data()};
  const std::size_t size = basin::packed_layer_bytes(scheme, n_out, n_in);
  std::vector<Line> memory = lines(size);
  const basin::PackedLayer layer = basin::pack_layer(stored, {memory.data()->bytes, size}).layer;

  const auto paths = basin::bench::kernel_paths();
  const std::size_t scratch_size = scratch_bytes(layer, paths);
  std::vector<Line> scratch = lines(scratch_size);
  basin::kernels::Plan plan;
  for (auto _ : state) plan = choose_plan(layer, paths, std::span<std::byte>(scratch.data()->bytes, scratch_size));
  char text[basin::kernels::plan_text_size];
  to_text(plan, text);
  state.SetLabel(text);
  state.counters["weights_per_ns"] = static_cast<double>(plan.weights_per_ns);
  state.counters["relative_l2_error"] = static_cast<double>(plan.relative_error);
}
}  // namespace

int main(int argc, char** argv) {
  const auto paths = basin::bench::kernel_paths();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const basin::Scheme scheme : {basin::Scheme{2, 8, 8, 1}, basin::Scheme{4, 4, 8, 1}})
    for (const std::ptrdiff_t n : {1024, 4096}) {
      const auto add = [&](const std::string& operation, const std::string& end, auto scratch_bytes, auto choose_plan) {
        const std::string name = operation + "/" + basin::to_string(scheme) + "/" + (paths.size() == 1 ? paths.front().arch : "all") + "/" +
                                 std::to_string(n) + "x" + std::to_string(n) + "/" + end;
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { choose(state, scheme, n, n, scratch_bytes, choose_plan); })
            ->Unit(benchmark::kMillisecond)->Iterations(3);
      };
      for (const float accepted : {0.02f, 1e-3f, 0.0f})
        add("choose", "accepted:" + basin::concat(accepted),
            [](const basin::PackedLayer& layer, Paths of) { return kernels::choose_scratch_bytes(layer, of, 1); },
            [=](const basin::PackedLayer& layer, Paths of, std::span<std::byte> scratch) {
              return kernels::choose(layer, of, {.batch = 1, .max_relative_error = accepted}, scratch);
            });
      for (const int batch : {32, 512})
        add("choose_matmul", std::to_string(batch), [=](const basin::PackedLayer& layer, Paths of) { return kernels::choose_matmul_scratch_bytes(layer, of, batch); },
            [=](const basin::PackedLayer& layer, Paths of, std::span<std::byte> scratch) {
              return kernels::choose_matmul(layer, of, {.batch = batch, .max_relative_error = 0.02f}, scratch);
            });
      for (const std::ptrdiff_t rows : {1, 16}) {
        const kernels::ChooseDequantizeOptions options{.rows = rows, .inputs = rows == 1 ? n : 256};
        add("choose_dequantize", basin::concat(rows, 'x', options.inputs),
            [=](const basin::PackedLayer& layer, Paths) { return kernels::choose_dequantize_scratch_bytes<float>(layer, options); },
            [=](const basin::PackedLayer& layer, Paths of, std::span<std::byte> scratch) {
              return kernels::choose_dequantize<float>(layer, of, options, scratch);
            });
      }
    }
  benchmark::RunSpecifiedBenchmarks();
}
