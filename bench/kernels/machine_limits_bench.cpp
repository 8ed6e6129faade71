// What the machine can do at best, one thread: reads and stores by size, multiply-adds in fp32.
//   read/fp32/native/<KiB>    store/fp32/native/<KiB>    multiply_add/fp32/native
#include <xsimd/xsimd.hpp>

#include <cstddef>
#include <cstdint>

#include "support/bench.hpp"

namespace {
namespace bench = basin::bench;

void read(benchmark::State& state, std::size_t size) {
  bench::Buffer<std::uint8_t> bytes(size);
  const std::size_t passes = ((std::size_t{1} << 20) + size - 1) / size;
  volatile std::uint64_t sink = 0;
  bench::CallTimes times;
  for (auto _ : state)
    times.measure([&] {
      for (std::size_t pass = 0; pass < passes; ++pass) {
        sink = bench::read_all<0>(bytes.data(), size);
        bench::clobber_memory();
      }
    });
  state.counters["gb_per_s"] = static_cast<double>(passes * size) / times.median();
}

void store(benchmark::State& state, std::size_t size) {
  double nanoseconds = 0;
  for (auto _ : state) nanoseconds = bench::store_limit<float>(size / sizeof(float));
  state.counters["gb_per_s"] = static_cast<double>(size) / nanoseconds;
}

void multiply_add(benchmark::State& state) {
  using Batch = xsimd::batch<float>;
  constexpr std::size_t chains = 12;
  constexpr std::size_t rounds = 10000;
  Batch sums[chains];
  for (std::size_t c = 0; c < chains; ++c) sums[c] = Batch(static_cast<float>(c));
  const bench::Buffer<float> factors = bench::uniform_floats(2, 1);
  const Batch a(factors[0]), b(factors[1]);
  bench::CallTimes times;
  float out[Batch::size];
  for (auto _ : state) {
    times.measure([&] {
      for (std::size_t i = 0; i < rounds; ++i)
        for (std::size_t c = 0; c < chains; ++c) sums[c] = xsimd::fma(sums[c], a, b);
      for (const Batch& sum : sums) {
        sum.store_unaligned(out);
        benchmark::DoNotOptimize(out);
      }
    });
  }
  state.counters["gmac_per_s"] = static_cast<double>(rounds * chains * Batch::size) / times.median();
}

void add_all() {
  for (const std::size_t kib : {std::size_t{16}, std::size_t{256}, std::size_t{4096}, std::size_t{16384}}) {
    bench::add(bench::text("read/fp32/native/", kib), [kib](benchmark::State& state) { read(state, kib << 10); });
    bench::add(bench::text("store/fp32/native/", kib), [kib](benchmark::State& state) { store(state, kib << 10); })->Iterations(3);
  }
  bench::add("read/fp32/native/beyond_caches", [](benchmark::State& state) { read(state, bench::beyond_caches()); });
  bench::add("multiply_add/fp32/native", multiply_add);
}
}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, add_all);
}
