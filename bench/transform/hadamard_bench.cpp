// One vector through a Hadamard transform in place, signs included, beside copies of as many floats.
//   hadamard/fp32/native/<n>    hadamard_rows/fp32/native/<rows>x<n>
#include <basin/transform/hadamard.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "support/bench.hpp"

namespace {
using basin::Index;
namespace bench = basin::bench;

/// Agrees with itself in double, and is undone.
bool is_right(const basin::HadamardTransform& transform, Index n) {
  const bench::Buffer<float> x = bench::normal_floats(static_cast<std::size_t>(n), 1);
  basin::Matrix<float> once = basin::ConstMatrixMap<float>(x.data(), 1, n), back;
  basin::Matrix<double> exact = once.cast<double>();
  transform.apply(once);
  transform.apply(exact);
  back = once;
  transform.invert(back);
  const basin::ConstMatrixMap<float> start(x.data(), 1, n);
  return (once.cast<double>() - exact).norm() <= 1e-5 * exact.norm() && (back - start).norm() <= 1e-5f * start.norm();
}

/// Nanoseconds of a copy of n floats from and to memory that the second-level cache holds but the first does not.
double copy_time(Index n) {
  constexpr Index bytes = Index{384} << 10;
  const Index copies = std::max<Index>(2, bytes / (8 * n));
  bench::Buffer<float> from(static_cast<std::size_t>(copies * n)), to(static_cast<std::size_t>(copies * n));
  const double all = bench::median_call([&] {
    for (Index c = 0; c < copies; ++c) {
      std::memcpy(to.data() + c * n, from.data() + c * n, static_cast<std::size_t>(n) * sizeof(float));
      bench::clobber_memory();
    }
  });
  return all / static_cast<double>(copies);
}

void one_vector(benchmark::State& state, Index n) {
  const basin::HadamardTransform transform(n, {.sign_seed = 1});
  if (!is_right(transform, n)) return bench::skip(state, "differs from the transform in double");
  bench::Buffer<float> x = bench::normal_floats(static_cast<std::size_t>(n), 2);
  const double copy = copy_time(n);
  constexpr int calls = 16;
  bench::CallTimes times;
  for (auto _ : state)
    times.measure([&] {
      for (int call = 0; call < calls; ++call) {
        transform.apply(x.data());
        bench::clobber_memory();
      }
    });
  state.counters["copies"] = times.median() / calls / copy;
  state.counters["floats_per_ns"] = static_cast<double>(n) * calls / times.median();
}

void many_rows(benchmark::State& state, Index rows, Index n) {
  const basin::HadamardTransform transform(n, {.sign_seed = 1});
  if (!is_right(transform, n)) return bench::skip(state, "differs from the transform in double");
  const bench::Buffer<float> values = bench::uniform_floats(static_cast<std::size_t>(rows * n), 3);
  basin::Matrix<float> weight = basin::ConstMatrixMap<float>(values.data(), rows, n);
  bench::CallTimes times;
  for (auto _ : state) times.measure([&] { transform.apply(weight); });
  state.counters["floats_per_ns"] = static_cast<double>(rows * n) / times.median();
}

void add_all() {
  for (const Index n : {128, 576, 1536, 4096, 11008, 14336, 16384})
    bench::add(bench::text("hadamard/fp32/native/", n), [n](benchmark::State& state) { one_vector(state, n); });
  for (const Index n : {4096, 14336})
    bench::add(bench::text("hadamard_rows/fp32/native/1024x", n), [n](benchmark::State& state) { many_rows(state, 1024, n); })
        ->Unit(benchmark::kMillisecond);
}
}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, add_all);
}
