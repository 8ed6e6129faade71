#include "llama/original_hessians.hpp"

#include <filesystem>
#include <vector>

#include "examples/random_model.hpp"
#include "io/io_support.hpp"
#include "support/catch.hpp"

using namespace llama;

namespace {
const Config config{.hidden = 12, .ffn = 20, .blocks = 3, .heads = 2, .kv_heads = 1, .head_dim = 6, .vocab = 31, .context = 16,
                    .norm_epsilon = 1e-5f, .rope_base = 100.0f};
const std::vector<Token> text{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};

std::vector<BlockHessians> collect(const Model& model, const std::vector<Token>& tokens, Index num_blocks,
                                   const std::filesystem::path& folder = {}) {
  const Stages stages(model.config, 8, {});
  OriginalHessians hessians(model, stages, tokens, 8, num_blocks, folder);
  std::vector<BlockHessians> all;
  for (Index b = 0; b < num_blocks; ++b) all.push_back(hessians.next(model.blocks[static_cast<std::size_t>(b)], {}));
  return all;
}
}  // namespace

TEST_CASE("Hessians of the original model are Gram matrices of what its layers read", "[examples][reference]") {
  const Model model = build_model(config, RandomSource{});
  const auto hessians = collect(model, text, 2);
  const Stages stages(config, 8, {});
  Calibration calibration(model, stages, text, 8);
  for (std::size_t b = 0; b < 2; ++b)
    for (const Stage stage : all_stages) {
      calibration.advance(stage, model.blocks[b]);
      const auto& found = hessians[b][static_cast<std::size_t>(stage)];
      if (stage == Stage::finish) {
        CHECK(found.size() == 0);
        continue;
      }
      basin::Matrix<double> want = basin::Matrix<double>::Zero(found.rows(), found.cols());
      for (std::size_t w = 0; w < 2; ++w)
        want += calibration.input(w).cast<double>().transpose() * calibration.input(w).cast<double>() / 16;
      CHECK((found - want).norm() <= 1e-12 * want.norm());
    }
}

TEST_CASE("A folder keeps Hessians, bit for bit, for runs on the same model and text", "[examples][property]") {
  const basin::test::TempFolder folder;
  const Model model = build_model(config, RandomSource{});
  const auto computed = collect(model, text, 2, folder / "h");
  Model wrong = model;  // would make other Hessians, so these are read
  const Stages stages(config, 8, {});
  OriginalHessians kept(model, stages, text, 8, 2, folder / "h");
  for (std::size_t b = 0; b < 2; ++b) {
    for (Linear& linear : wrong.blocks[b].parts) linear = Linear(2 * linear.weight());
    CHECK(kept.next(wrong.blocks[b], {}) == computed[b]);
  }
  CHECK(collect(model, text, 3, folder / "h").at(1) == computed[1]);  // one block more: computed anew
  CHECK(std::filesystem::exists(folder / "h/block-2-activate.npy"));
}

TEST_CASE("Hessians of another model or text are not taken", "[examples][bad-input]") {
  using basin::test::contains_text;
  const basin::test::TempFolder folder;
  const Model model = build_model(config, RandomSource{});
  static_cast<void>(collect(model, text, 1, folder / "h"));
  std::vector<Token> other = text;
  other[3] = 2;
  CHECK_THROWS_WITH(collect(model, other, 1, folder / "h"), contains_text("another model, text"));
  Model changed = model;
  changed.config.rope_base *= 2;
  CHECK_THROWS_WITH(collect(changed, text, 1, folder / "h"), contains_text("another model, text"));
  changed = model;
  changed.blocks[1].ffn_norm(0) += 1;
  CHECK_THROWS_WITH(collect(changed, text, 1, folder / "h"), contains_text("another model, text"));
  changed = model;
  Matrix weight = changed.blocks[2].parts[down_proj].weight();
  weight(0, 0) += 1;
  changed.blocks[2].parts[down_proj] = Linear(weight);
  CHECK_THROWS_WITH(collect(changed, text, 1, folder / "h"), contains_text("name another directory"));
}
