#include <basin/io/aqlm_config.hpp>

#include "io/io_seeds.hpp"
#include "support/catch.hpp"

using basin::AqlmConfig;
using basin::ErrorCode;
using basin::Scheme;
using basin::test::contains_text;

namespace {
std::string problem(std::string_view text) {
  const auto document = basin::parse_json(text, "config.json");
  REQUIRE(document.has_value());
  const auto config = basin::parse_aqlm_config(*document, "config.json");
  return config ? "no error" : config.error().message;
}
std::string with_fields(std::string_view fields) {
  return basin::concat(R"({"quantization_config":{"quant_method":"aqlm",)", fields, "}}");
}
}  // namespace

TEST_CASE("An AQLM config reads, writes and keeps the base model's keys", "[io][property]") {
  const basin::test::TempFolder folder;
  const AqlmConfig config{Scheme{3, 12, 8, 2}, {"lm_head.weight", "model.norm.weight"}};
  nlohmann::json base = {{"hidden_size", 64}, {"architectures", {"LlamaForCausalLM"}}, {"quantization_config", 3}};
  REQUIRE(basin::write_aqlm_config(folder / "config.json", base, config));
  const auto read = basin::read_aqlm_config(folder / "config.json");
  REQUIRE(read.has_value());
  CHECK(read->scheme == config.scheme);
  CHECK(read->linear_weights_not_to_quantize == config.linear_weights_not_to_quantize);
  CHECK_FALSE(read->is_quantized("lm_head"));
  CHECK(read->is_quantized("model.layers.0.mlp.up_proj"));
  const auto document = basin::read_json(folder / "config.json");
  REQUIRE(document.has_value());
  CHECK(document->at("hidden_size") == 64);
  CHECK(document->at("architectures").at(0) == "LlamaForCausalLM");
  CHECK(document->at("torch_dtype") == "float16");
  CHECK(document->at("quantization_config").at("quant_method") == "aqlm");
  CHECK(document->at("quantization_config").at("nbits_per_codebook") == 12);
  base["torch_dtype"] = "bfloat16";
  REQUIRE(basin::add_aqlm_config(base, config));
  CHECK(base.at("torch_dtype") == "bfloat16");
}

TEST_CASE("A config that was made in memory reads like one from a file", "[io][property]") {
  nlohmann::json document = nlohmann::json::object();
  const AqlmConfig config{Scheme{2, 8, 8, 1}, {"lm_head.weight"}};
  REQUIRE(basin::add_aqlm_config(document, config));
  const auto read = basin::parse_aqlm_config(document, "config.json");
  REQUIRE(read.has_value());
  CHECK(read->scheme == config.scheme);
  document["quantization_config"]["in_group_size"] = -8;
  CHECK_FALSE(basin::parse_aqlm_config(document, "config.json").has_value());
  document["quantization_config"]["in_group_size"] = ~std::uint64_t{0};
  CHECK_FALSE(basin::parse_aqlm_config(document, "config.json").has_value());
}

TEST_CASE("parse_aqlm_config says what is wrong", "[io][bad-input]") {
  CHECK(problem(basin::test::small_aqlm_config) == "no error");
  CHECK_THAT(problem("{}"), contains_text("config.json: quantization_config is missing"));
  CHECK_THAT(problem("[1]"), contains_text("is missing"));
  CHECK_THAT(problem(R"({"quantization_config":null})"), contains_text("is not an object"));
  CHECK_THAT(problem(R"({"quantization_config":{}})"), contains_text("\"quant_method\" must be text"));
  CHECK_THAT(problem(R"({"quantization_config":{"quant_method":1}})"), contains_text("\"quant_method\" must be text"));
  CHECK_THAT(problem(R"({"quantization_config":{"quant_method":"gptq"}})"), contains_text("is \"gptq\"; only \"aqlm\""));
  CHECK_THAT(problem(with_fields("\"x\":1")), contains_text("\"num_codebooks\" must be a positive whole number"));
  const auto scheme = [](std::string_view m, std::string_view b, std::string_view g, std::string_view g_out,
                         std::string_view rest = "") {
    return problem(with_fields(basin::concat("\"num_codebooks\":", m, ",\"nbits_per_codebook\":", b, ",\"in_group_size\":", g,
                                             ",\"out_group_size\":", g_out, rest)));
  };
  CHECK(scheme("1", "16", "8", "1") == "no error");
  CHECK(scheme("1", "16", "8", "1", ",\"linear_weights_not_to_quantize\":null") == "no error");
  for (const std::string_view bad : {"0", "-1", "1.5", "\"8\"", "null", "99999999999", "[8]"}) {
    CHECK_THAT(scheme("1", bad, "8", "1"), contains_text("\"nbits_per_codebook\" must be"));
    CHECK_THAT(scheme("1", "8", "8", bad), contains_text("\"out_group_size\" must be"));
  }
  CHECK_THAT(scheme("9", "8", "8", "1"), contains_text("basin holds"));
  CHECK_THAT(scheme("1", "17", "8", "1"), contains_text("basin holds"));
  CHECK_THAT(scheme("1", "8", "2147483647", "1"), contains_text("basin holds"));
  CHECK_THAT(scheme("1", "8", "4096", "2"), contains_text("basin holds"));
  CHECK_THAT(scheme("1", "8", "8", "1", ",\"linear_weights_not_to_quantize\":{}"), contains_text("must be a list"));
  CHECK_THAT(scheme("1", "8", "8", "1", ",\"linear_weights_not_to_quantize\":[1]"), contains_text("must hold only text"));
}

TEST_CASE("write_aqlm_config wants an object and a folder", "[io][bad-input]") {
  const basin::test::TempFolder folder;
  const AqlmConfig config;
  CHECK(basin::write_aqlm_config(folder / "c", nlohmann::json::array(), config).error().code == ErrorCode::bad_value);
  CHECK(basin::write_aqlm_config(folder / "none/c", nlohmann::json::object(), config).error().code == ErrorCode::cannot_write);
  CHECK(basin::read_aqlm_config(folder / "none.json").error().code == ErrorCode::cannot_open);
}
