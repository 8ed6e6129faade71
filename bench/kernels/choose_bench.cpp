// choose/<scheme>/<path>/<n_outxn_in>: what the measured choice costs at load time, and what it finds.
#include <basin/core/scheme_text.hpp>
#include <basin/kernels.hpp>
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/kernel_paths.hpp"

namespace {
struct alignas(64) Line {
  std::byte bytes[64];
};
std::vector<Line> lines(std::size_t bytes) { return std::vector<Line>(bytes / sizeof(Line) + 1); }

void choose(benchmark::State& state, const basin::Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in, float accepted) {
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
  const std::size_t scratch_size = basin::kernels::choose_scratch_bytes(layer, paths, 1);
  std::vector<Line> scratch = lines(scratch_size);
  basin::kernels::Plan plan;
  for (auto _ : state)
    plan = basin::kernels::choose(layer, paths, {.batch = 1, .max_relative_error = accepted}, {scratch.data()->bytes, scratch_size});
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
    for (const std::ptrdiff_t n : {1024, 4096})
      for (const float accepted : {0.02f, 1e-3f, 0.0f}) {
        const std::string name = "choose/" + basin::to_string(scheme) + "/" + (paths.size() == 1 ? paths.front().arch : "all") + "/" +
                                 std::to_string(n) + "x" + std::to_string(n) + "/accepted:" + basin::concat(accepted);
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { choose(state, scheme, n, n, accepted); })
            ->Unit(benchmark::kMillisecond)->Iterations(3);
      }
  benchmark::RunSpecifiedBenchmarks();
}
