// Caches of four bits beside fp32, one head of 128 values and 4096 tokens.
//   kv4/<quantize | dequantize | scores | mix>/g<group>/<arch>/<tokens>
#include <basin/kernels/kv4.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "support/bench.hpp"
#include "support/kernel_paths.hpp"

namespace {
namespace bench = basin::bench;
using basin::kernels::KernelSet;
using basin::kernels::Kv4Cache;

constexpr std::ptrdiff_t tokens = 4096, size = 128;

/// Keys, a query and weights, quantized by one path, and what it makes of them.
struct Attention {
  explicit Attention(const KernelSet& kernels, std::ptrdiff_t group)
      : set(kernels), query_format{8, 1, group}, keys(bench::normal_floats(tokens * size, 3)), query(bench::normal_floats(size, 4)),
        weights(bench::normal_floats(tokens, 5)), codes(tokens * size / 2), zeros(tokens * size / static_cast<std::size_t>(group)),
        scales(zeros.size()), out(tokens * size), workspace(basin::kernels::activation_bytes(query_format, size, 1)),
        cache{{size, group, 0.95f}, codes.data(), scales.data(), zeros.data()} {
    quantize();
    set.activations.run(query_format, query.data(), size, size, 1, 0, 1, workspace.data());
  }
  void quantize() { set.kv4.quantize(cache, keys.data(), size, 0, tokens); }
  void dequantize() { set.kv4.dequantize(cache, 0, tokens, out.data(), size); }
  void scores() { set.kv4.scores(cache, basin::kernels::quantized_activations(query_format, size, 1, workspace.data()), 0, 0, tokens, out.data()); }
  void mix() { set.kv4.mix(cache, weights.data(), 0, tokens, out.data()); }

  const KernelSet& set;
  basin::kernels::ActivationFormat query_format;
  bench::Buffer<float> keys, query, weights;
  bench::Buffer<std::uint8_t> codes, zeros;
  bench::Buffer<float> scales, out;
  bench::Buffer<std::byte> workspace;
  Kv4Cache cache;
};

struct Operation {
  const char* name;
  void (Attention::*run)();
};
constexpr Operation operations[] = {
    {"quantize", &Attention::quantize}, {"dequantize", &Attention::dequantize}, {"scores", &Attention::scores}, {"mix", &Attention::mix}};

void kv4(benchmark::State& state, const KernelSet& set, std::ptrdiff_t group, const Operation& operation) {
  Attention attention(set, group), scalar(basin::kernels::available_kernels().front(), group);
  (attention.*operation.run)();
  (scalar.*operation.run)();
  if (std::memcmp(attention.out.data(), scalar.out.data(), scalar.out.size() * sizeof(float)) != 0 ||
      std::memcmp(attention.codes.data(), scalar.codes.data(), scalar.codes.size()) != 0)
    return bench::skip(state, "differs from the scalar reference");
  bench::CallTimes times;
  for (auto _ : state) times.measure([&] { (attention.*operation.run)(); });
  state.counters["values_per_ns"] = static_cast<double>(tokens * size) / times.median();
  if (operation.run == &Attention::scores || operation.run == &Attention::mix) {
    // The same products with keys in fp32.
    const basin::ConstMatrixMap<float> keys(attention.keys.data(), tokens, size);
    const Eigen::Map<const basin::Vector<float>> query(attention.query.data(), size), weights(attention.weights.data(), tokens);
    basin::Vector<float> want(operation.run == &Attention::scores ? tokens : size);
    const double fp32 = bench::median_call([&] {
      if (operation.run == &Attention::scores) want.noalias() = keys * query;
      else want.noalias() = keys.transpose() * weights;
    });
    state.counters["x_eigen_fp32"] = fp32 / times.median();
    const std::vector<double> reference(want.data(), want.data() + want.size());
    state.counters["relative_l2_error"] = bench::relative_l2_error(attention.out.data(), reference.data(), reference.size());
  }
}

void add_all() {
  for (const std::ptrdiff_t group : {128, 32})
    for (const Operation& operation : operations)
      for (const KernelSet& set : bench::kernel_paths())
        bench::add(bench::text("kv4/", operation.name, "/g", group, '/', set.arch, '/', tokens),
                   [&set, group, &operation](benchmark::State& state) { kv4(state, set, group, operation); });
}
}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, add_all);
}
