#pragma once

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>
#include <string>
#include <utility>

#include "support/baselines.hpp"
#include "support/buffer.hpp"
#include "support/data.hpp"
#include "support/openblas.hpp"
#include "support/read_limit.hpp"
#include "support/shapes.hpp"
#include "support/timing.hpp"

/// What the benchmark programs share.
namespace basin::bench {
/// Ends a benchmark that must not be timed.
inline void skip(benchmark::State& state, const std::string& why) {
  state.SkipWithError(why.c_str());
}

/// The parts one after the other, as a stream would write them.
template <class... Parts>
[[nodiscard]] std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// Adds a benchmark under a name made at run time; returns Google Benchmark's handle for options.
template <class Function>
auto* add(const std::string& name, Function&& function) {
  return benchmark::RegisterBenchmark(name.c_str(), std::forward<Function>(function))->Unit(benchmark::kMicrosecond);
}

/// The main() of a program: `add_all` registers its benchmarks.
template <class AddAll>
int run(int argc, char** argv, AddAll&& add_all) {
  try {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    const std::string core = openblas_core();
    benchmark::AddCustomContext("openblas_core", core.empty() ? "not found" : core);
    const char* chosen = std::getenv("OPENBLAS_CORETYPE");
    benchmark::AddCustomContext("OPENBLAS_CORETYPE", chosen == nullptr ? "not set" : chosen);
#if defined(__clang__)
    benchmark::AddCustomContext("compiler", "clang " __clang_version__);
#elif defined(__GNUC__)
    benchmark::AddCustomContext("compiler", "g++ " __VERSION__);
#endif
    add_all();
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 2;
  }
}

}  // namespace basin::bench
