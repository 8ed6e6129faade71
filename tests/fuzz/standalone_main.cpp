// Runs a fuzz target without libFuzzer: on the files named, or on N mutants of its seeds. Or writes the seeds to a
// folder, for libFuzzer to start from.
//   target [-runs=N] [-seed=S] [-write_seeds=FOLDER] [file...]
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include "fuzz/seeds.hpp"
#include "io/io_support.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {
void run(const basin::test::Bytes& input) {
  const basin::test::ExactBytes exact(input);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(exact.bytes().data()), input.size());
}
}  // namespace

int main(int argc, char** argv) {
  std::uint64_t runs = 20000, seed = 1;
  bool ran_files = false;
  const auto seeds = fuzz_seeds();
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const auto option = [&](std::string_view name, std::uint64_t& value) {
      if (!argument.starts_with(name)) return false;
      std::from_chars(argument.data() + name.size(), argument.data() + argument.size(), value);
      return true;
    };
    if (option("-runs=", runs) || option("-seed=", seed)) continue;
    if (constexpr std::string_view name = "-write_seeds="; argument.starts_with(name)) {
      for (std::size_t s = 0; s < seeds.size(); ++s)
        basin::test::write_file(std::filesystem::path(argument.substr(name.size())) / ("seed-" + std::to_string(s)), seeds[s]);
      return 0;
    }
    run(basin::test::read_file(argument));
    ran_files = true;
  }
  if (ran_files) return 0;
  basin::SplitMix64 rng(seed);
  for (const auto& input : seeds) run(input);
  for (std::uint64_t i = 0; i < runs; ++i) {
    basin::test::Bytes mutant = basin::test::mutate(seeds[i % seeds.size()], rng);
    while (rng.below(2) == 0) mutant = basin::test::mutate(std::move(mutant), rng);
    run(mutant);
  }
  std::printf("%llu inputs\n", static_cast<unsigned long long>(runs + seeds.size()));
  return 0;
}
