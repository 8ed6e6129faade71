#include "llama/gguf_output.hpp"

#include <basin/io/gguf_writer.hpp>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "examples/random_model.hpp"
#include "io/io_support.hpp"
#include "llama/forward.hpp"
#include "llama/fused_model.hpp"
#include "support/catch.hpp"

using namespace llama;

namespace {
const Config config{.hidden = 32, .ffn = 256, .blocks = 2, .heads = 4, .kv_heads = 2, .head_dim = 8, .vocab = 31, .context = 16,
                    .norm_epsilon = 1e-5f, .rope_base = 100.0f};

template <class Values>
std::vector<std::byte> bytes_of(const Values& values) {
  const auto bytes = std::as_bytes(std::span(values.data(), static_cast<std::size_t>(values.size())));
  return {bytes.begin(), bytes.end()};
}

/// The model as a file in fp32, without a tokenizer.
void write_source(const Model& model, const std::filesystem::path& path) {
  basin::GgufWriter writer;
  const auto set = [&](const char* key, Index value) { REQUIRE(writer.set(key, static_cast<std::uint32_t>(value)).has_value()); };
  REQUIRE(writer.set("general.architecture", "llama").has_value());
  set("llama.embedding_length", config.hidden);
  set("llama.feed_forward_length", config.ffn);
  set("llama.block_count", config.blocks);
  set("llama.attention.head_count", config.heads);
  set("llama.attention.head_count_kv", config.kv_heads);
  set("llama.context_length", config.context);
  REQUIRE(writer.set("llama.attention.layer_norm_rms_epsilon", config.norm_epsilon).has_value());
  REQUIRE(writer.set("llama.rope.freq_base", config.rope_base).has_value());
  const auto add = [&](const std::string& name, const Matrix& weight) {
    Matrix rows(weight.rows(), weight.cols());
    for (Index row = 0; row < weight.rows(); ++row)
      rows.row(is_interleaved(name) ? interleaved_row(row, config.head_dim) : row) = weight.row(row);
    REQUIRE(writer.add(gguf_name(name), 0, {rows.rows(), rows.cols()}, bytes_of(rows)).has_value());
  };
  const auto add_vector = [&](const std::string& name, const Vector& v) {
    REQUIRE(writer.add(gguf_name(name), 0, {v.size()}, bytes_of(v)).has_value());
  };
  add("model.embed_tokens", model.embedding.weight());
  if (model.output) add("lm_head", model.output->weight());
  add_vector("model.norm", model.final_norm);
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    const Index block = static_cast<Index>(b);
    add_vector(block_prefix(block) + "input_layernorm", model.blocks[b].attention_norm);
    add_vector(block_prefix(block) + "post_attention_layernorm", model.blocks[b].ffn_norm);
    for (std::size_t p = 0; p < num_parts; ++p) add(part_name(block, Part(p)), model.blocks[b].parts[p].weight());
  }
  REQUIRE(writer.write(path).has_value());
}

Matrix run(const Model& model) {
  const std::vector<Token> tokens{3, 1, 4, 1, 5, 9, 2, 6};
  const Stages stages(model.config, Index(tokens.size()), {});
  std::vector<KvCache> caches(model.blocks.size(), KvCache(model.config, Index(tokens.size())));
  return logits(model, stages, forward(model, stages, tokens, caches));
}

/// Signs and sizes of a weight as mirror no-zero levels; the layer replaces the part.
basin::LevelLayer quantize(Linear& part) {
  const Matrix& weight = part.weight();
  basin::LevelLayer layer{weight.rows(), weight.cols(), {-1.5f, -0.5f, 0.5f, 1.5f}, {}, {}, {}};
  Matrix decoded(weight.rows(), weight.cols());
  for (Index o = 0; o < weight.rows(); ++o) {
    const float scale = basin::round_to_half(std::sqrt(weight.row(o).squaredNorm() / float(weight.cols())));
    layer.scales.push_back(basin::float_to_half(scale));
    for (Index i = 0; i < weight.cols(); ++i) {
      const int code = weight(o, i) < 0 ? (weight(o, i) < -scale ? 0 : 1) : (weight(o, i) < scale ? 2 : 3);
      layer.codes.push_back(static_cast<std::uint8_t>(code));
      decoded(o, i) = scale * (float(code) - 1.5f);
    }
  }
  part = Linear(decoded);
  return layer;
}
}  // namespace

TEST_CASE("A quantized model in a GGUF file makes the logits of the engine's", "[examples][property]") {
  const bool untied = GENERATE(false, true), rotated = GENERATE(false, true);
  CAPTURE(untied, rotated);
  const basin::test::TempFolder folder;
  RandomSource random;
  random.untied = untied;
  const Model original = build_model(config, random);
  write_source(original, folder / "source.gguf");
  const std::string source = (folder / "source.gguf").string();
  {
    const GgufModel read(source);
    CHECK(run(build_model(read.config(), read)) == run(original));
  }
  Model model = original;
  if (rotated) {
    CHECK(fuse_residual_rotation(model, 7).description().starts_with("residual stream: Hadamard of order 32"));
    CHECK((run(model) - run(original)).norm() <= 1e-4f * run(original).norm());
  }
  QuantizedLayers layers;
  for (const Part part : {q_proj, k_proj, down_proj}) layers[part_name(1, part)] = quantize(model.blocks[1].parts[part]);

  GgufOutput output(source, basin::GgufType::f16);
  output.write(model, layers, rotated, folder / "out.gguf");
  const auto opened = basin::GgufFile::open(folder / "out.gguf");
  REQUIRE(opened);
  const basin::GgufFile& file = *opened;
  CHECK(file.find("blk.1.ffn_down.weight")->type == 10);  // Q2_K: 256 divides its inputs
  CHECK(file.find("blk.1.attn_q.weight")->type == 1);
  CHECK(file.find("blk.0.attn_q.weight")->type == (rotated ? 1u : 0u));
  CHECK((file.find("output.weight") != nullptr) == (untied || rotated));
  const GgufModel written((folder / "out.gguf").string());
  const Matrix want = run(model);
  CHECK((run(build_model(written.config(), written)) - want).norm() <= 4e-3f * want.norm());  // the rest is in fp16
  CHECK((run(original) - want).norm() > 0.05f * want.norm());
}
