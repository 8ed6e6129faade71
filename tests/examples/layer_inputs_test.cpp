#include "llama/layer_inputs.hpp"  // first: proves the header stands alone

#include <cstdint>
#include <optional>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using basin::Index;
using Matrix = basin::Matrix<float>;

namespace {
/// Counts the jobs that it is given.
struct CountingExecutor {
  int jobs = 0;
  void operator()(Index n, basin::TaskRef task) {
    ++jobs;
    basin::SerialExecutor{}(n, task);
  }
};
constexpr std::uint64_t seed = 5;
const llama::RunFormat rotated{.rotation_seed = seed}, rounded{.activation_bits = 8}, both{.rotation_seed = seed, .activation_bits = 4};
}  // namespace

TEST_CASE("Inputs of every path are those of the path alone, in any order", "[examples][property]") {
  constexpr Index n_in = 200;
  basin::test::Rng rng(1);
  const Matrix x = basin::test::normal_matrix<float>(37, n_in, rng);
  std::vector<llama::InputPath> paths{llama::InputPath()};
  for (const llama::RunFormat& format : {rotated, rounded, both, {.rotation_seed = seed + 1, .activation_bits = 4}, llama::RunFormat{}})
    paths.emplace_back(n_in, format);
  llama::LayerInputs inputs(x, {});
  for (int i = 0; i < 60; ++i) {
    const llama::InputPath& path = paths[static_cast<std::size_t>(rng.below(static_cast<Index>(paths.size())))];
    llama::LayerInputs alone(x, {});
    if (path.rounds() && rng.below(2) == 0) {  // integers first, or only
      Matrix got, want;
      inputs.integers(path).decode(got, {});
      alone.integers(path).decode(want, {});
      CHECK(got == want);
    }
    CHECK(inputs.values(path) == alone.values(path));
    CHECK((inputs.values(path) == x) == !path.changes_inputs());
  }
}

TEST_CASE("Inputs are prepared once for all layers of equal paths", "[examples][property]") {
  constexpr Index n_in = 64;
  basin::test::Rng rng(2);
  const Matrix x = basin::test::normal_matrix<float>(5, n_in, rng);
  CountingExecutor executor;
  llama::LayerInputs inputs(x, executor);
  const auto jobs = [&](const auto& ask) {
    const int before = executor.jobs;
    ask();
    return executor.jobs - before;
  };
  const auto values = [&](const llama::RunFormat& format) { (void)inputs.values(llama::InputPath(n_in, format)); };
  const auto integers = [&](const llama::RunFormat& format) { (void)inputs.integers(llama::InputPath(n_in, format)); };
  CHECK(jobs([&] { values({}); }) == 0);
  CHECK(jobs([&] { integers(both); }) == 2);  // a rotation, integers
  CHECK(jobs([&] { integers(both); }) == 0);
  CHECK(jobs([&] { values({}); }) == 0);
  CHECK(jobs([&] { values(both); }) == 1);  // what they stand for
  CHECK(jobs([&] { values(both); }) == 0);
  CHECK(jobs([&] { values(rotated); }) == 1);
  CHECK(jobs([&] { values(both); }) == 3);
}

TEST_CASE("Paths are equal where they make the same of inputs", "[examples][property]") {
  const llama::InputPath path(64, both);
  CHECK(path == llama::InputPath(64, both));
  CHECK(path != llama::InputPath(32, both));
  CHECK(path != llama::InputPath(64, {.rotation_seed = seed + 1, .activation_bits = 4}));
  CHECK(path != llama::InputPath(64, {.activation_bits = 4}));
  CHECK(path != llama::InputPath(64, {.rotation_seed = seed, .activation_bits = 8}));
}
