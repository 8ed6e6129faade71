#include "llama/window_store.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "examples/random_model.hpp"
#include "io/io_support.hpp"
#include "llama/calibration.hpp"
#include "support/catch.hpp"

using namespace llama;

namespace {
const Config config{.hidden = 12, .ffn = 20, .blocks = 2, .heads = 2, .kv_heads = 1, .head_dim = 6, .vocab = 31, .context = 16,
                    .norm_epsilon = 1e-5f, .rope_base = 100.0f};

std::vector<Token> tokens(std::size_t n) {
  std::vector<Token> all(n);
  for (std::size_t i = 0; i < n; ++i) all[i] = static_cast<Token>(i * 7 % 31);
  return all;
}
}  // namespace

TEST_CASE("Windows that wait in a file come back bit for bit", "[examples][property]") {
  const basin::test::TempFolder folder;
  const std::size_t resident = GENERATE(2u, 3u, 5u, 6u, 100u);
  const Model model = build_model(config, RandomSource{});
  const Stages stages(config, 16, {});
  const std::vector<Token> text = tokens(6 * 16);
  Calibration all(model, stages, text, 16), some(model, stages, text, 16, {resident, folder.path()});
  REQUIRE(some.num_windows() == 6);
  const auto check_same = [&](const Calibration& other) {
    for (const std::size_t w : {0u, 1u, 2u, 3u, 4u, 5u, 3u, 0u, 5u}) {
      CHECK(other.hidden(w) == all.hidden(w));
      CHECK(other.input(w) == all.input(w));
    }
  };
  for (const Block& block : model.blocks)
    for (const Stage stage : all_stages) {
      all.advance(stage, block);
      some.advance(stage, block, [&](std::size_t w) { CHECK(some.input(w) == all.input(w)); });
      check_same(some);
    }
  const Calibration copy(some, stages);
  check_same(copy);
  check_same(some);
  CHECK(folder.num_files() == 0);
}

TEST_CASE("A file that cannot be made is named, and less than two windows are refused", "[examples][bad-input]") {
  using basin::test::contains_text;
  const Model model = build_model(config, RandomSource{});
  const Stages stages(config, 16, {});
  const std::vector<Token> text = tokens(6 * 16);
  CHECK_THROWS_WITH(Calibration(model, stages, text, 16, {2, "/nonexistent"}), contains_text("/nonexistent"));
  CHECK_THROWS_WITH(Calibration(model, stages, text, 16, {1, "/tmp"}), contains_text("two windows"));
}
