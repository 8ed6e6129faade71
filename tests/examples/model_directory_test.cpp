#include "llama/aqlm_model.hpp"
#include "llama/load.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "examples/random_model.hpp"
#include "io/io_support.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace llama;
namespace fs = std::filesystem;

namespace {
Config tiny_config() {
  return {.hidden = 12, .ffn = 20, .blocks = 2, .heads = 2, .kv_heads = 1, .head_dim = 6, .vocab = 300,
          .context = 64, .norm_epsilon = 1e-5f, .rope_base = 100.0f};
}
constexpr basin::Scheme scheme{.num_codebooks = 2, .bits_per_code = 3, .in_group_size = 8, .out_group_size = 1};
basin::AdditiveLayer random_layer(Shape shape) {
  basin::test::Rng rng(4);
  basin::AdditiveLayer layer;
  layer.scheme = scheme;
  layer.n_out = shape.rows;
  layer.n_in = shape.cols;  // 12 and 20 are not multiples of 8
  for (Index i = 0; i < shape.rows * layer.num_in_groups() * 2; ++i)
    layer.codes.push_back(static_cast<std::uint16_t>(rng.below(8)));
  for (int i = 0; i < 2 * 8 * 8; ++i) layer.codebooks.push_back(basin::float_to_half(float(rng.normal())));
  for (Index i = 0; i < shape.rows; ++i) layer.scales.push_back(basin::float_to_half(float(rng.normal())));
  return layer;
}
basin::LevelLayer level_layer(Shape shape, std::vector<float> levels) {
  basin::LevelLayer layer{shape.rows, shape.cols, std::move(levels), {}, {}, {}};
  for (Index i = 0; i < shape.rows * shape.cols; ++i) layer.codes.push_back(static_cast<std::uint8_t>(i * 7 % 4));
  for (Index o = 0; o < shape.rows; ++o) layer.scales.push_back(basin::float_to_half(0.25f));
  return layer;
}
void replace_in_file(const fs::path& path, const std::string& from, const std::string& to) {
  std::ifstream in(path);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  std::ofstream(path) << text.replace(at, from.size(), to);
}
}  // namespace

TEST_CASE("A model directory gives back the model that was written", "[examples][property]") {
  const bool untied = GENERATE(false, true);
  const basin::test::TempFolder folder;
  const Model model = build_model(tiny_config(), RandomSource{.untied = untied});
  const QuantizedLayers layers{{part_name(0, q_proj), random_layer(part_shape(model.config, q_proj))},
                               {part_name(1, down_proj), random_layer(part_shape(model.config, down_proj))}};
  write_aqlm_model(folder.path(), model, tiny_vocabulary(), scheme, layers);

  const AqlmModel source(folder.path());
  const Model read = build_model(source.config(), source);
  CHECK(read.config.hidden == 12);
  CHECK(read.config.context == 64);
  CHECK(read.config.rope_base == 100.0f);
  CHECK(read.config.norm_epsilon == 1e-5f);
  CHECK(read.output.has_value() == untied);
  CHECK(read.final_norm == model.final_norm);
  CHECK((read.embedding.weight() - model.embedding.weight()).cwiseAbs().maxCoeff() < 0x1p-9);  // fp16
  for (std::size_t b = 0; b < 2; ++b) {
    CHECK(read.blocks[b].attention_norm == model.blocks[b].attention_norm);
    CHECK(read.blocks[b].ffn_norm == model.blocks[b].ffn_norm);
    for (std::size_t p = 0; p < num_parts; ++p) {
      const auto layer = layers.find(part_name(Index(b), Part(p)));
      const Matrix& want = model.blocks[b].parts[p].weight();
      CHECK(read.blocks[b].parts[p].weight() == (layer == layers.end() ? want : decode(std::get<basin::AdditiveLayer>(layer->second))));
    }
  }
  const Vocabulary want = tiny_vocabulary();
  const Tokenizer tokenizer = source.tokenizer();
  CHECK(tokenizer.vocabulary().tokens == want.tokens);
  CHECK(tokenizer.vocabulary().special == want.special);
  CHECK(tokenizer.vocabulary().merges == want.merges);
  CHECK(tokenizer.vocabulary().split_digits);
  CHECK(tokenizer.vocabulary().bos == -1);
  CHECK(tokenizer.vocabulary().eos == 258);
}

TEST_CASE("A model of scalar levels runs as its directory says", "[examples][reference]") {
  using basin::test::contains_text;
  const RunFormat format{.rotation_seed = GENERATE(std::optional<std::uint64_t>(), std::optional<std::uint64_t>(5)),
                         .activation_bits = GENERATE(16, 8, 4), .kv_bits = 16};
  const basin::test::TempFolder folder;
  const Model model = build_model(tiny_config(), RandomSource{});
  const Shape shape = part_shape(model.config, q_proj);
  const basin::LevelLayer layer = level_layer(shape, {-1.5f, -0.5f, 0.5f, 1.5f});
  write_aqlm_model(folder.path(), model, tiny_vocabulary(), format, {{part_name(0, q_proj), layer}});
  const AqlmModel source(folder.path());
  const Model read = build_model(source.config(), source);

  basin::test::Rng rng(6);
  Matrix x(3, shape.cols), y;
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = float(rng.normal());
  read.blocks[0].parts[q_proj].apply(x, y, {});
  Matrix seen = x;
  if (format.rotation_seed) basin::HadamardTransform(shape.cols, {.sign_seed = format.rotation_seed}).apply(seen);
  if (format.activation_bits < 16)
    for (Index t = 0; t < seen.rows(); ++t) {
      const float most = format.activation_bits == 4 ? 7.0f : 127.0f, clip = format.activation_bits == 4 ? 0.9f : 1.0f;
      const float step = clip * seen.row(t).cwiseAbs().maxCoeff() / most;
      for (Index i = 0; i < seen.cols(); ++i)
        seen(t, i) = step * std::clamp(std::nearbyint(seen(t, i) / step), -most - 1, most);
    }
  const Matrix want = seen * basin::load<float>(layer).decode().transpose();
  CHECK((y - want).cwiseAbs().maxCoeff() < 1e-5f * want.cwiseAbs().maxCoeff());

  AqlmModel chosen(folder.path());
  chosen.choose_bits(16, 4);
  CHECK(chosen.config().kv_bits == 4);
  replace_in_file(folder.path() / "config.json", "\"kv_bits\": 16", "\"kv_bits\": 5");
  CHECK_THROWS_WITH(AqlmModel(folder.path()), contains_text("\"kv_bits\" is 5"));
}

TEST_CASE("Scalar levels are multiplied as integers where that is asked for and can be", "[examples][property]") {
  const auto [levels, packable] = GENERATE(std::pair(std::vector<float>{-1.5f, -0.5f, 0.5f, 1.5f}, true),
                                           std::pair(std::vector<float>{-1.51f, -0.45f, 0.45f, 1.51f}, false));
  const int bits = GENERATE(16, 8, 4);
  const Product product = GENERATE(Product::dense, Product::dequantize, Product::exact, Product::int16, Product::int8);
  CAPTURE(levels, bits, static_cast<int>(product));
  const basin::test::TempFolder folder;
  const Model model = build_model(tiny_config(), RandomSource{});
  const std::string name = part_name(1, down_proj);
  const basin::LevelLayer layer = level_layer(part_shape(model.config, down_proj), levels);
  write_aqlm_model(folder.path(), model, tiny_vocabulary(), RunFormat{.rotation_seed = 5}, {{name, layer}});

  const std::string path = folder.path().string();
  const bool integers = packable && product == Product::int8;
  const Model got = load_model(path, {.product = product, .activation_bits = bits}).model;
  const Model want = load_model(path, {.activation_bits = integers ? std::min(bits, 8) : bits}).model;
  CHECK(keeps_codes(got) == integers);
  CHECK_FALSE(keeps_codes(want));
  basin::test::Rng rng(6);
  const Matrix x = basin::test::normal_matrix<float>(3, 20, rng);
  Matrix y, dense;
  got.blocks[1].parts[down_proj].apply(x, y, {});
  want.blocks[1].parts[down_proj].apply(x, dense, {});
  CHECK((y - dense).cwiseAbs().maxCoeff() <= (integers ? 1e-5f * dense.cwiseAbs().maxCoeff() : 0));
}

TEST_CASE("A program's options go before what the directory says", "[examples][property]") {
  const basin::test::TempFolder folder;
  const Model model = build_model(tiny_config(), RandomSource{});
  const Shape shape = part_shape(model.config, q_proj);
  const basin::LevelLayer layer = level_layer(shape, {-1.5f, -0.5f, 0.5f, 1.5f});
  write_aqlm_model(folder.path(), model, tiny_vocabulary(), RunFormat{.activation_bits = 8, .kv_bits = 16}, {{part_name(0, q_proj), layer}});
  const std::string path = folder.path().string();
  basin::test::Rng rng(6);
  const Matrix x = basin::test::normal_matrix<float>(2, shape.cols, rng), weight = basin::load<float>(layer).decode();
  for (const int bits : {0, 4, 8, 16}) {
    const Model read = load_model(path, {.activation_bits = bits, .kv_bits = bits == 4 ? 4 : 0}).model;
    CHECK(read.config.kv_bits == (bits == 4 ? 4 : 16));
    Matrix got, want;
    read.blocks[0].parts[q_proj].apply(x, got, {});
    Linear(weight, InputPath(shape.cols, {.activation_bits = bits == 0 ? 8 : bits})).apply(x, want, {});
    CHECK(got == want);
  }
}

TEST_CASE("A model directory that does not fit together is refused by name", "[examples][bad-input]") {
  using basin::test::contains_text;
  const basin::test::TempFolder folder;
  const Model model = build_model(tiny_config(), RandomSource{});
  const QuantizedLayers layers{{part_name(0, q_proj), random_layer(part_shape(model.config, q_proj))}};
  write_aqlm_model(folder.path(), model, tiny_vocabulary(), scheme, layers);
  const auto load = [&] {
    const AqlmModel source(folder.path());
    build_model(source.config(), source);
    return source.tokenizer();
  };
  CHECK_NOTHROW(load());
  SECTION("another width") {
    replace_in_file(folder.path() / "config.json", "\"intermediate_size\": 20", "\"intermediate_size\": 24");
    CHECK_THROWS_WITH(load(), contains_text("up_proj") && contains_text("[20, 12]") && contains_text("[24, 12]"));
  }
  SECTION("a quantized layer of another width") {
    replace_in_file(folder.path() / "config.json", "\"num_attention_heads\": 2", "\"num_attention_heads\": 3");
    CHECK_THROWS_WITH(load(), contains_text("q_proj") && contains_text("[12, 12]") && contains_text("[18, 12]"));
  }
  SECTION("more blocks than there are") {
    replace_in_file(folder.path() / "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    CHECK_THROWS_WITH(load(), contains_text("model.layers.2"));
  }
  SECTION("a size of another type") {
    replace_in_file(folder.path() / "config.json", "\"hidden_size\": 12", "\"hidden_size\": \"12\"");
    CHECK_THROWS_WITH(load(), contains_text("hidden_size"));
  }
  SECTION("a missing size") {
    replace_in_file(folder.path() / "config.json", "\"hidden_size\"", "\"hidden\"");
    CHECK_THROWS_WITH(load(), contains_text("\"hidden_size\" is missing"));
  }
  SECTION("scaled rotary embedding") {
    replace_in_file(folder.path() / "config.json", "\"mlp_bias\": false", "\"rope_scaling\": {}");
    CHECK_THROWS_WITH(load(), contains_text("rope_scaling"));
  }
  SECTION("a broken tokenizer") {
    replace_in_file(folder.path() / "tokenizer.json", "\"vocab\"", "\"words\"");
    CHECK_THROWS_WITH(load(), contains_text("tokenizer.json"));
  }
  SECTION("a token id out of range") {
    replace_in_file(folder.path() / "tokenizer.json", "\"id\": 258", "\"id\": 999999999");
    CHECK_THROWS_WITH(load(), contains_text("999999999"));
  }
  SECTION("a token id that is no whole number") {
    const std::string id = GENERATE("-1", "1e+300", "true");
    replace_in_file(folder.path() / "tokenizer.json", "\"id\": 258", "\"id\": " + id);
    CHECK_THROWS_WITH(load(), contains_text("token id " + id));
  }
  SECTION("no config.json") {
    fs::remove(folder.path() / "config.json");
    CHECK_THROWS_WITH(load(), contains_text("config.json"));
  }
}
