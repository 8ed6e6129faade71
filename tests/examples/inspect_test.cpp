#include "llama/inspection_json.hpp"
#include "llama/model_report.hpp"

#include <basin/core/half.hpp>
#include <basin/io/aqlm.hpp>
#include <basin/io/level_checkpoint.hpp>
#include <basin/pipeline/store.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "io/io_support.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace llama;
namespace fs = std::filesystem;
using basin::test::contains_text;

namespace {
const auto silent = [](double, const std::string&) {};

basin::AdditiveLayer random_layer(const basin::Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in) {
  basin::test::Rng rng(4);
  basin::AdditiveLayer layer{scheme, n_out, n_in, {}, {}, {}};
  const basin::Index num_codewords = scheme.codebook_size();
  for (std::ptrdiff_t i = 0; i < layer.num_out_groups() * layer.num_in_groups() * scheme.num_codebooks; ++i)
    layer.codes.push_back(static_cast<std::uint16_t>(rng.below(num_codewords)));
  for (std::ptrdiff_t i = 0; i < scheme.num_codebooks * scheme.codebook_size() * scheme.codeword_size(); ++i)
    layer.codebooks.push_back(basin::float_to_half(float(rng.normal())));
  for (std::ptrdiff_t i = 0; i < layer.num_out_groups(); ++i) layer.scales.push_back(basin::float_to_half(0.5f + 0.25f * float(i % 3)));
  return layer;
}
void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}
std::string read_text(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
/// Layers as basin writes them.
void write_layers(const fs::path& folder, const std::vector<std::pair<std::string, basin::AdditiveLayer>>& layers) {
  fs::create_directories(folder);
  basin::SafetensorsWriter writer;
  for (const auto& [name, layer] : layers) REQUIRE(basin::add_aqlm_layer(writer, name, layer));
  REQUIRE(writer.write(folder / "model.safetensors"));
  REQUIRE(basin::write_aqlm_config(folder / "config.json", nlohmann::json::object(), {layers.at(0).second.scheme, {}}));
}
void write_report(const fs::path& folder, const std::string& layer, double after_init, double error) {
  const nlohmann::json report = {{"relative_error_after_init", after_init},
                                 {"relative_error", error},
                                 {"loss_trace", {after_init, error}},
                                 {"seconds", {{"init", 1}, {"update", 2}, {"search", 3}, {"total", 7}}}};
  write_text(folder / "reports" / (layer + ".json"), report.dump());
}
constexpr basin::Scheme scheme{.num_codebooks = 2, .bits_per_code = 3, .in_group_size = 8, .out_group_size = 1};
}  // namespace

TEST_CASE("Statistics of additive layers are those of the decoded weights", "[examples][reference]") {
  const auto [s, n_in] = GENERATE(std::pair(scheme, 20), std::pair(basin::Scheme{1, 5, 4, 2}, 12), std::pair(basin::Scheme{3, 2, 8, 1}, 24));
  const basin::AdditiveLayer layer = random_layer(s, 6, n_in);
  const LayerStatistics got = layer_statistics(layer);
  const basin::Matrix<double> want = basin::load<double>(layer).decode().leftCols(n_in);  // less the padding
  const double mean = want.mean(), variance = (want.array() - mean).square().mean();
  CHECK(got.weights.mean == Approx(mean).margin(1e-6));
  CHECK(got.weights.deviation == Approx(std::sqrt(variance)).epsilon(1e-5));
  CHECK(got.weights.excess_kurtosis == Approx((want.array() - mean).pow(4).mean() / (variance * variance) - 3).epsilon(1e-4));
  CHECK(got.weights.lowest == Approx(want.minCoeff()).epsilon(1e-6));
  CHECK(got.weights.highest == Approx(want.maxCoeff()).epsilon(1e-6));
  double within = 0;
  for (const double density : got.weights.density) within += density * 2 * WeightStatistics::reach / WeightStatistics::num_bins;
  CHECK(within == Approx(1));
  CHECK(got.bits_per_weight.total() == basin::bits_per_weight(s, 6, n_in).total());
  CHECK(got.rho == basin::representational_ratio(s, 6, n_in));
  CHECK(got.usage.size() == static_cast<std::size_t>(s.num_codebooks));
  CHECK(got.lowest_scale == 0.5);
}

TEST_CASE("Use of codes tells even from uneven", "[examples][reference]") {
  const CodeUsage even({5, 5, 5, 5});
  CHECK(even.entropy == Approx(2));
  CHECK(even.unused == 0);
  CHECK(even.bins[4] == Approx(1));  // once to twice as often as even use
  const CodeUsage uneven({8, 0, 4, 4});
  CHECK(uneven.entropy == Approx(1.5));
  CHECK(uneven.unused == 1);
  CHECK(uneven.bins[0] == Approx(0.25));
  CHECK(uneven.bins[4] == Approx(0.5));
  CHECK(uneven.bins[5] == Approx(0.25));
  const CodeUsage single({7, 0});
  CHECK(single.entropy == 0);
}

TEST_CASE("Layers are found whatever their names, in the order of their numbers", "[examples][property]") {
  const basin::test::TempFolder folder;
  write_layers(folder.path(), {{"decoder.h.10.fc", random_layer(scheme, 4, 16)}, {"decoder.h.2.fc", random_layer(scheme, 4, 20)}, {"head", random_layer(scheme, 2, 8)}});
  const InspectedModel model = inspect_model(folder.path(), silent);
  REQUIRE(model.layers.size() == 3);
  CHECK(model.layers[0].name == "decoder.h.2.fc");
  CHECK(model.layers[0].statistics.n_in == 20);
  CHECK(model.layers[0].place.block == 2);
  CHECK(model.layers[1].place.block == 10);
  CHECK(model.layers[1].place.kind == "fc");
  CHECK(model.layers[2].place.kind == "head");
  CHECK_FALSE(model.has_reports());
  const std::vector<InspectedModel> models{model};
  CHECK_THAT(ModelReport(models).page().text(), contains_text("No reports of a quantization"));
  CHECK(summary_rows(models, std::nullopt)[0].back() == "unused codewords");  // no errors, no seconds
}

TEST_CASE("A directory of another program with bfloat16, wide codes and groups of rows is read", "[examples][property]") {
  const basin::test::TempFolder folder;
  const basin::Scheme wide{1, 16, 4, 2};
  std::vector<std::byte> codes, codebooks, scales;
  const auto put = [](std::vector<std::byte>& to, std::uint16_t bits) {
    to.push_back(static_cast<std::byte>(bits & 255));
    to.push_back(static_cast<std::byte>(bits >> 8));
  };
  for (const int code : {0, 1, 65535, 32768, 1, 1}) put(codes, static_cast<std::uint16_t>(code));
  for (int i = 0; i < 65536 * 8; ++i) put(codebooks, static_cast<std::uint16_t>(i % 2 == 0 ? 0x3f80 : 0xbf80));  // 1, -1
  for (int i = 0; i < 2; ++i) put(scales, 0x4000);                                                               // 2
  basin::SafetensorsWriter writer;
  REQUIRE(writer.add("blocks.0.w.codes", basin::SafetensorsType::i16, {2, 3, 1}, std::move(codes)));
  REQUIRE(writer.add("blocks.0.w.codebooks", basin::SafetensorsType::bf16, {1, 65536, 2, 4}, std::move(codebooks)));
  REQUIRE(writer.add("blocks.0.w.scales", basin::SafetensorsType::bf16, {2, 1, 1, 1}, std::move(scales)));
  REQUIRE(writer.add("norm.weight", basin::SafetensorsType::bf16, {1}, std::vector<std::byte>(2)));
  REQUIRE(writer.write(folder.path() / "model.safetensors"));
  REQUIRE(basin::write_aqlm_config(folder.path() / "config.json", nlohmann::json{{"model_type", "opt"}}, {wide, {}}));

  const InspectedModel model = inspect_model(folder.path(), silent);
  REQUIRE(model.layers.size() == 1);
  const LayerStatistics& s = model.layers[0].statistics;
  CHECK(s.n_out == 4);
  CHECK(s.n_in == 12);
  CHECK(s.weights.deviation == Approx(2));
  CHECK(s.usage[0].unused == 65536 - 4);
  CHECK(s.usage[0].entropy == Approx(0.5 * 1 + 3 * std::log2(6.0) / 6));
  CHECK(s.rho == Approx(6.0 / 65536));
}

TEST_CASE("A directory of scalar levels is read with the inputs that config.json tells", "[examples][property]") {
  const basin::test::TempFolder folder;
  basin::LevelLayer layer{3, 40, {-1.5f, -0.5f, 0.5f, 1.5f}, {}, {}, {}};
  for (int i = 0; i < 120; ++i) layer.codes.push_back(static_cast<std::uint8_t>(i % 4 == 3 ? 0 : i % 4));
  layer.scales.assign(3, basin::float_to_half(0.25f));
  basin::SafetensorsWriter writer;
  REQUIRE(basin::add_level_layer(writer, "model.layers.0.mlp.down_proj", layer));
  REQUIRE(writer.write(folder.path() / "model.safetensors"));
  write_text(folder.path() / "config.json", R"({"hidden_size": 3, "intermediate_size": 40})");

  const std::vector<InspectedModel> models{inspect_model(folder.path(), silent)};
  const LayerStatistics& s = models[0].layers.at(0).statistics;
  CHECK(s.n_in == 40);
  CHECK(s.usage[0].shares == std::vector<double>{0.5, 0.25, 0.25, 0});
  CHECK(s.usage[0].entropy == Approx(1.5));
  CHECK(s.bits_per_weight.total() == basin::load<float>(layer).stored_bits().total());
  CHECK_FALSE(s.rho);
  CHECK_THAT(ModelReport(models).page().text(), contains_text("Codes by level, set of 4"));
  write_text(folder.path() / "config.json", R"({"hidden_size": 3})");
  CHECK_THROWS_WITH(inspect_model(folder.path(), silent), contains_text("config.json") && contains_text("\"intermediate_size\" is missing"));
}

TEST_CASE("The page of a model is one file with all that is known", "[examples][property]") {
  const basin::test::TempFolder folder;
  for (const char* name : {"first", "second <b>"}) {
    write_layers(folder.path() / name, {{"model.layers.0.mlp.up_proj", random_layer(scheme, 4, 16)}, {"model.layers.1.mlp.up_proj", random_layer(scheme, 4, 16)}});
    for (const char* layer : {"model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj"})
      write_report(folder.path() / name, layer, 0.5, std::string(name) == "first" ? 0.2 : 0.1);
    write_text(folder.path() / name / "summary.json", R"({"calibration_seconds": 10})");
    write_text(folder.path() / name / "perplexity.json", R"({"perplexity": 12.5})");
  }
  std::vector<InspectedModel> models{inspect_model(folder.path() / "first", silent), inspect_model(folder.path() / "second <b>" / "", silent)};
  for (InspectedModel& model : models) model.perplexity = read_perplexity(folder.path() / model.name);
  CHECK(models[1].name == "second <b>");
  const std::string page = ModelReport(models, 11.0).page().text();
  for (const char* section : {"summary", "errors", "rho", "loss", "weights", "codes", "bits", "seconds", "layers"})
    CHECK_THAT(page, contains_text("<section id=\"" + std::string(section) + "\">"));
  CHECK_THAT(page, contains_text("second &lt;b&gt; over first: 50.0 % less"));
  CHECK_THAT(page, contains_text("prefers-color-scheme: dark"));
  for (const char* foreign : {"<b>", "http", "<script", "nan", "inf "}) CHECK_THAT(page, !contains_text(foreign));

  const nlohmann::json figures = to_json(models, 11.0);
  CHECK(figures.at("original_perplexity") == 11.0);
  CHECK(figures.at("models").at(1).at("mean_error") == 0.1);
  CHECK(figures.at("models").at(0).at("layers").at(1).at("report").at("seconds").at("total") == 7);
  CHECK(figures.at("models").at(0).at("perplexity") == 12.5);
  const auto rows = summary_rows(models, 11.0);
  CHECK(rows[1][0] == "original");
  CHECK(rows[2].back() == "24");  // 2 x 7 and 10 of calibration

  write_model_report(folder.path() / "first");
  const std::string own = read_text(folder.path() / "first" / "report.html");
  CHECK_THAT(own, contains_text("What the search gains over its start") && !contains_text("12.50"));
}

TEST_CASE("Errors that are not finite leave no mark", "[examples][property]") {
  const basin::test::TempFolder folder;
  write_layers(folder.path(), {{"a.0.x", random_layer(scheme, 4, 16)}});
  write_text(folder.path() / "reports" / "a.0.x.json",
             R"({"relative_error_after_init": null, "relative_error": null, "loss_trace": [null, 0],
                 "seconds": {"init": 0, "update": 0, "search": 0, "total": 0}})");
  const std::vector<InspectedModel> models{inspect_model(folder.path(), silent)};
  const std::string page = ModelReport(models).page().text();
  CHECK_THAT(page.substr(page.find("id=\"loss\"") == std::string::npos ? 0 : page.find("id=\"loss\"")), !contains_text("nan\"") && !contains_text("Lnan"));
}

TEST_CASE("Directories that cannot be inspected are refused by name", "[examples][bad-input]") {
  const basin::test::TempFolder folder;
  const auto inspect = [&] { return inspect_model(folder.path(), silent); };
  CHECK_THROWS_WITH(inspect(), contains_text("config.json"));
  write_layers(folder.path(), {{"a.0.x", random_layer(scheme, 4, 16)}});
  CHECK_NOTHROW(inspect());
  SECTION("no tensors") {
    fs::remove(folder.path() / "model.safetensors");
    CHECK_THROWS_WITH(inspect(), contains_text("model.safetensors"));
  }
  SECTION("another method") {
    write_text(folder.path() / "config.json", R"({"quantization_config": {"quant_method": "gptq"}})");
    CHECK_THROWS_WITH(inspect(), contains_text("config.json") && contains_text("gptq"));
  }
  SECTION("a scheme of another model") {
    REQUIRE(basin::write_aqlm_config(folder.path() / "config.json", nlohmann::json::object(), {{2, 4, 8, 1}, {}}));
    CHECK_THROWS_WITH(inspect(), contains_text("a.0.x.codebooks") && contains_text("[2, 16, 1, 8]"));
  }
  SECTION("nothing quantized") {
    basin::SafetensorsWriter writer;
    REQUIRE(writer.add("a.weight", basin::SafetensorsType::f32, {1}, std::vector<std::byte>(4)));
    REQUIRE(writer.write(folder.path() / "model.safetensors"));
    CHECK_THROWS_WITH(inspect(), contains_text("no quantized layers"));
  }
  SECTION("a layer cut short") {
    basin::SafetensorsWriter writer;
    REQUIRE(writer.add("a.0.x.codes", basin::SafetensorsType::i8, {4, 2, 2}, std::vector<std::byte>(16)));
    REQUIRE(writer.write(folder.path() / "model.safetensors"));
    CHECK_THROWS_WITH(inspect(), contains_text("a.0.x.codebooks"));
  }
  SECTION("a report of another kind") {
    write_text(folder.path() / "reports" / "a.0.x.json", R"({"relative_error": "small"})");
    CHECK_THROWS_WITH(inspect(), contains_text("a.0.x.json") && contains_text("move it elsewhere"));
  }
  SECTION("a perplexity of another kind") {
    write_text(folder.path() / "perplexity.json", R"([12.5])");
    CHECK_NOTHROW(inspect());
    CHECK_THROWS_WITH(read_perplexity(folder.path()), contains_text("perplexity.json"));
  }
  SECTION("a summary that is no JSON") {
    write_text(folder.path() / "summary.json", "{");
    CHECK_THROWS_WITH(inspect(), contains_text("summary.json"));
  }
}
