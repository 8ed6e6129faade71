#include "llama/gguf_model.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "io/io_support.hpp"
#include "support/catch.hpp"

using namespace llama;

namespace {
/// A model of one block that is small enough to write byte by byte. Element i of tensor number t
/// is t + i / 1000.
struct TinyGguf {
  std::map<std::string, std::string> texts{{"general.architecture", "llama"},
                                           {"tokenizer.ggml.model", "gpt2"},
                                           {"tokenizer.ggml.pre", "smollm"}};
  std::map<std::string, std::uint32_t> sizes{
      {"llama.embedding_length", 8}, {"llama.feed_forward_length", 3}, {"llama.block_count", 1},
      {"llama.attention.head_count", 2}, {"llama.attention.head_count_kv", 1}, {"llama.context_length", 16},
      {"tokenizer.ggml.eos_token_id", 2}};
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> tensors{  // innermost extent first
      {"token_embd.weight", {8, 3}}, {"output_norm.weight", {8}}, {"blk.0.attn_norm.weight", {8}},
      {"blk.0.ffn_norm.weight", {8}}, {"blk.0.attn_q.weight", {8, 8}}, {"blk.0.attn_k.weight", {8, 4}},
      {"blk.0.attn_v.weight", {8, 4}}, {"blk.0.attn_output.weight", {8, 8}}, {"blk.0.ffn_gate.weight", {8, 3}},
      {"blk.0.ffn_up.weight", {8, 3}}, {"blk.0.ffn_down.weight", {3, 8}}};

  void write(const std::filesystem::path& path) const {
    basin::test::ByteWriter out, data;
    out.text("GGUF").put<std::uint32_t>(3).put(std::int64_t(tensors.size()));
    out.put(std::int64_t(texts.size() + sizes.size() + 4));
    for (const auto& [key, value] : texts) out.string(key).put<std::uint32_t>(8).string(value);
    for (const auto& [key, value] : sizes) out.string(key).put<std::uint32_t>(4).put(value);
    out.string("llama.attention.layer_norm_rms_epsilon").put<std::uint32_t>(6).put(1e-5f);
    const auto array = [&](const char* key, std::uint32_t type, std::uint64_t count) -> basin::test::ByteWriter& {
      return out.string(key).put<std::uint32_t>(9).put(type).put(count);
    };
    array("tokenizer.ggml.tokens", 8, 3).string("a").string("b").string("<|end|>");
    array("tokenizer.ggml.token_type", 5, 3).put<std::int32_t>(1).put<std::int32_t>(1).put<std::int32_t>(3);
    array("tokenizer.ggml.merges", 8, 0);
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      const auto& [name, extents] = tensors[t];
      out.string(name).put(std::uint32_t(extents.size()));
      std::int64_t count = 1;
      for (const std::int64_t extent : extents) {
        out.put(extent);
        count *= extent;
      }
      data.pad_to(32);
      out.put<std::uint32_t>(0).put(std::uint64_t(data.bytes().size()));
      for (std::int64_t i = 0; i < count; ++i) data.put(float(t) + float(i) / 1000);
    }
    out.pad_to(32);
    basin::test::Bytes bytes = out.bytes();
    bytes.insert(bytes.end(), data.bytes().begin(), data.bytes().end());
    basin::test::write_file(path, bytes);
  }
};

void load(const TinyGguf& file) {
  const basin::test::TempFolder folder;
  file.write(folder / "m.gguf");
  const GgufModel source((folder / "m.gguf").string());
  build_model(source.config(), source);
  static_cast<void>(source.tokenizer());
}
}  // namespace

TEST_CASE("A GGUF model is read under its original names and row order", "[examples][reference]") {
  const basin::test::TempFolder folder;
  TinyGguf{}.write(folder / "m.gguf");
  const GgufModel source((folder / "m.gguf").string());
  const Model model = build_model(source.config(), source);
  CHECK(model.config.hidden == 8);
  CHECK(model.config.head_dim == 4);
  CHECK(model.config.vocab == 3);
  CHECK_FALSE(model.output);
  const auto& parts = model.blocks.at(0).parts;
  CHECK(parts[v_proj].weight()(3, 7) == 6 + 31.0f / 1000);
  CHECK(parts[down_proj].weight()(7, 2) == 10 + 23.0f / 1000);
  // Row 2 j + s of a GGUF head is row s * 2 + j of the original, for heads of 4.
  const Index original_row[] = {0, 2, 1, 3};
  for (Index row = 0; row < 8; ++row) {
    const Index q_row = row / 4 * 4 + original_row[row % 4];
    CHECK(parts[q_proj].weight()(q_row, 5) == 4 + float(8 * row + 5) / 1000);
    if (row < 4) CHECK(parts[k_proj].weight()(q_row, 5) == 5 + float(8 * row + 5) / 1000);
  }
  const Tokenizer tokenizer = source.tokenizer();
  CHECK(tokenizer.vocabulary().tokens == std::vector<std::string>{"a", "b", "<|end|>"});
  CHECK(tokenizer.vocabulary().special == std::vector<bool>{false, false, true});
  CHECK(tokenizer.vocabulary().eos == 2);
  CHECK(tokenizer.encode("abc") == std::vector<Token>{0, 1});  // "c" has no token
}

TEST_CASE("A GGUF model that does not fit together is refused by name", "[examples][bad-input]") {
  using basin::test::contains_text;
  TinyGguf file;
  CHECK_NOTHROW(load(file));
  SECTION("another architecture") {
    file.texts["general.architecture"] = "mamba";
    CHECK_THROWS_WITH(load(file), contains_text("mamba"));
  }
  SECTION("missing metadata") {
    file.sizes.erase("llama.block_count");
    CHECK_THROWS_WITH(load(file), contains_text("llama.block_count"));
  }
  SECTION("absurd sizes") {
    file.sizes["llama.feed_forward_length"] = 1u << 31;
    CHECK_THROWS_WITH(load(file), contains_text("2^24"));
  }
  SECTION("no heads") {
    file.sizes["llama.attention.head_count"] = 0;
    CHECK_THROWS_WITH(load(file), contains_text("every size"));
  }
  SECTION("a wrong shape") {
    file.sizes["llama.feed_forward_length"] = 1u << 24;  // refused before anything is allocated
    CHECK_THROWS_WITH(load(file), contains_text("blk.0.ffn_up.weight") && contains_text("[3, 8]") &&
                                      contains_text("[16777216, 8]"));
  }
  SECTION("a missing tensor") {
    file.tensors.pop_back();
    CHECK_THROWS_WITH(load(file), contains_text("blk.0.ffn_down.weight"));
  }
  SECTION("more tokens than embeddings") {
    file.tensors[0].second = {8, 2};
    CHECK_THROWS_WITH(load(file), contains_text("3 tokens for an embedding of 2"));
  }
  SECTION("another tokenizer") {
    file.texts["tokenizer.ggml.pre"] = "qwen2";
    CHECK_THROWS_WITH(load(file), contains_text("qwen2"));
  }
  SECTION("partial rotary embedding") {
    file.sizes["llama.rope.dimension_count"] = 2;
    CHECK_THROWS_WITH(load(file), contains_text("rotary"));
  }
}
