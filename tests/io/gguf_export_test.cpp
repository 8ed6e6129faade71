#include <basin/io/gguf_export.hpp>

#include <string>
#include <vector>

#include "io/io_seeds.hpp"
#include "support/catch.hpp"

using basin::ErrorCode;
using basin::GgufExport;
using basin::GgufFile;
using basin::GgufType;
using basin::GgufWriter;
using basin::test::Bytes;
using basin::test::contains_text;
using basin::test::TempFolder;

namespace {
// "wide" [3, 512], "narrow" [2, 96], "odd" [2, 50] and "norm" [4000] of F32, and keys, one of which is wrong.
void write_source(const std::filesystem::path& path) {
  basin::SplitMix64 rng(1);
  GgufWriter writer;
  REQUIRE(writer.set("general.architecture", "any"));
  REQUIRE(writer.set("general.file_type", 1u));
  REQUIRE(writer.set_array("tokens", std::vector<std::string>{"a", "b"}));
  const auto add = [&](std::string name, std::vector<std::int64_t> shape) {
    basin::test::ByteWriter data;
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    for (std::int64_t i = 0; i < count; ++i) data.put(static_cast<float>(rng.normal()));
    REQUIRE(writer.add(std::move(name), 0, std::move(shape), Bytes(data.bytes())));
  };
  add("wide", {3, 512});
  add("narrow", {2, 96});
  add("odd", {2, 50});
  add("norm", {4000});
  REQUIRE(writer.write(path));
}

struct Matrix {
  std::vector<std::uint8_t> codes;
  std::vector<float> scales;
  std::vector<float> values;
};
Matrix levels(std::size_t rows, std::size_t n_in) {
  basin::SplitMix64 rng(n_in);
  Matrix m;
  for (std::size_t r = 0; r < rows; ++r) m.scales.push_back(basin::round_no_zero_scale(static_cast<float>(rng.normal())));
  for (std::size_t i = 0; i < rows * n_in; ++i) {
    m.codes.push_back(static_cast<std::uint8_t>(rng.below(4)));
    m.values.push_back(m.scales[i / n_in] * (static_cast<float>(m.codes[i]) - 1.5f));
  }
  return m;
}
}  // namespace

TEST_CASE("An export without changes is a copy", "[io][property]") {
  const TempFolder folder;
  write_source(folder / "a");
  const auto source = GgufFile::open(folder / "a");
  REQUIRE(source.has_value());
  REQUIRE(GgufExport(*source).write(folder / "b"));
  CHECK(basin::test::read_file(folder / "b") == basin::test::read_file(folder / "a"));
}

TEST_CASE("Levels become Q2_K where rows allow it, and what the caller says elsewhere", "[io][reference]") {
  const TempFolder folder;
  write_source(folder / "a");
  const auto source = GgufFile::open(folder / "a");
  REQUIRE(source.has_value());
  const auto otherwise = GENERATE(GgufType::q4_0, GgufType::q8_0, GgufType::f16, GgufType::f32);
  const bool as_function = GENERATE(false, true);
  const Matrix wide = levels(3, 512), narrow = levels(2, 96);
  GgufExport out(*source);
  if (as_function) {
    REQUIRE(out.set_levels("wide", [&] { return basin::Expected(GgufExport::Levels{wide.codes, wide.scales}); }, otherwise));
    REQUIRE(out.set_levels("narrow", [&] { return basin::Expected(GgufExport::Levels{narrow.codes, narrow.scales}); }, otherwise));
  } else {
    REQUIRE(out.set_levels("wide", wide.codes, wide.scales));
    REQUIRE(out.set_levels("narrow", narrow.codes, narrow.scales, otherwise));
  }
  CHECK(*out.type_of("wide") == 10);
  CHECK(*out.type_of("narrow") == static_cast<std::uint32_t>(otherwise));
  CHECK(*out.type_of("norm") == 0);
  REQUIRE(out.write(folder / "b"));

  const auto file = GgufFile::open(folder / "b");
  REQUIRE(file.has_value());
  CHECK(file->find("wide")->type == 10);
  CHECK(*file->dequantize(*file->find("wide")) == wide.values);
  CHECK(file->find("narrow")->shape == std::vector<std::int64_t>{2, 96});
  std::vector<float> want = narrow.values;
  if (otherwise == GgufType::f16)
    for (float& value : want) value = basin::round_to_half(value);
  CHECK(*file->dequantize(*file->find("narrow")) == want);
  for (const char* const kept : {"odd", "norm"})
    CHECK(*file->dequantize(*file->find(kept)) == *source->dequantize(*source->find(kept)));
  CHECK(*file->metadata().get_strings("tokens") == std::vector<std::string>{"a", "b"});
  CHECK(*file->metadata().get_u32("general.file_type") == 10);
  CHECK(*file->metadata().get_u32("general.quantization_version") == 2);
}

TEST_CASE("Floats are encoded anew, given or the source's own", "[io][reference]") {
  const TempFolder folder;
  write_source(folder / "a");
  const auto source = GgufFile::open(folder / "a");
  REQUIRE(source.has_value());
  GgufExport out(*source);
  const Matrix narrow = levels(2, 96);
  REQUIRE(out.set_floats("narrow", GgufType::f16, narrow.values));
  REQUIRE(out.convert("wide", GgufType::q8_0));
  REQUIRE(out.set_floats("odd", GgufType::f32, [] { return basin::Expected(std::vector<float>(100, 0.1f)); }));
  REQUIRE(out.write(folder / "b"));
  const auto file = GgufFile::open(folder / "b");
  REQUIRE(file.has_value());
  Bytes bytes(3 * 512 / 32 * 34);
  REQUIRE(basin::gguf_encode(GgufType::q8_0, *source->dequantize(*source->find("wide")), bytes));
  CHECK(Bytes(file->find("wide")->data.begin(), file->find("wide")->data.end()) == bytes);
  bytes.resize(2 * 96 * 2);
  REQUIRE(basin::gguf_encode(GgufType::f16, narrow.values, bytes));
  CHECK(Bytes(file->find("narrow")->data.begin(), file->find("narrow")->data.end()) == bytes);
  CHECK(*file->dequantize(*file->find("odd")) == std::vector<float>(100, 0.1f));
  CHECK(*file->metadata().get_u32("general.file_type") == 7);
}

TEST_CASE("general.file_type is that of most weights", "[io][property]") {
  const TempFolder folder;
  write_source(folder / "a");
  const auto source = GgufFile::open(folder / "a");
  REQUIRE(source.has_value());
  const Matrix narrow = levels(2, 96);
  GgufExport out(*source);
  REQUIRE(out.set_levels("narrow", narrow.codes, narrow.scales, GgufType::q8_0));
  REQUIRE(out.write(folder / "b"));
  auto file = GgufFile::open(folder / "b");
  REQUIRE(file.has_value());
  CHECK(*file->metadata().get_u32("general.file_type") == 0);  // 1636 of 1828 weights are still F32
  CHECK(*file->metadata().get_u32("general.quantization_version") == 2);

  GgufExport plain(*source);
  REQUIRE(plain.convert("wide", GgufType::f16));
  auto writer = plain.prepare();
  REQUIRE(writer.has_value());
  REQUIRE(writer->set("general.name", "renamed"));
  REQUIRE(writer->write(folder / "b"));
  file = GgufFile::open(folder / "b");
  REQUIRE(file.has_value());
  CHECK(*file->metadata().get_u32("general.file_type") == 1);
  CHECK(*file->metadata().get_string("general.name") == "renamed");
  CHECK_FALSE(file->metadata().contains("general.quantization_version"));  // no blocks
  CHECK_FALSE(basin::gguf_file_type(12).has_value());                     // Q4_K: small, or medium
}

TEST_CASE("An export may replace its own source", "[io][property]") {
  const TempFolder folder;
  write_source(folder / "a");
  const auto source = GgufFile::open(folder / "a");
  REQUIRE(source.has_value());
  const Matrix wide = levels(3, 512);
  const auto norm = source->dequantize(*source->find("norm"));
  GgufExport out(*source);
  REQUIRE(out.set_levels("wide", wide.codes, wide.scales));
  REQUIRE(out.write(folder / "a"));
  const auto file = GgufFile::open(folder / "a");
  REQUIRE(file.has_value());
  CHECK(*file->dequantize(*file->find("wide")) == wide.values);
  CHECK(*file->dequantize(*file->find("norm")) == *norm);
}

TEST_CASE("GgufExport names the tensor, its shape and the way out", "[io][bad-input]") {
  const TempFolder folder;
  write_source(folder / "a");
  const auto source = GgufFile::open(folder / "a");
  REQUIRE(source.has_value());
  GgufExport out(*source);
  const auto problem = [&](const char* name, std::optional<GgufType> otherwise = {}) {
    const auto set = out.set_levels(name, std::span<const std::uint8_t>(), {}, otherwise);
    return set ? std::string("no error") : set.error().message;
  };
  CHECK_THAT(problem("none"), contains_text("cannot export tensor \"none\": the source has none of that name"));
  CHECK_THAT(problem("narrow"), contains_text("\"narrow\" [2, 96]: rows of 96 weights are not whole Q2_K blocks of 256; "
                                              "name a type for such tensors: Q4_0, Q8_0 or F16"));
  CHECK_THAT(problem("odd"), contains_text("\"odd\" [2, 50]") && contains_text("name a type for such tensors: F16"));
  CHECK_THAT(problem("odd", GgufType::q8_0), contains_text("\"odd\" [2, 50]") && contains_text("neither of 256 nor of 32; choose F16"));
  CHECK_THAT(problem("narrow", GgufType::q2_k), contains_text("in place of Q2_K"));
  CHECK_THAT(problem("narrow", GgufType::bf16), contains_text("in place of Q2_K"));
  CHECK_THAT(out.convert("narrow", GgufType::q4_0).error().message, contains_text("\"narrow\" [2, 96]: floats are encoded as F32, F16 or Q8_0 only"));
  CHECK_THAT(out.convert("odd", GgufType::q8_0).error().message,
             contains_text("rows of 50 elements are not whole Q8_0 blocks of 32; choose F16"));
  CHECK(out.convert("none", GgufType::f16).error().code == ErrorCode::not_found);
  CHECK(out.type_of("none").error().code == ErrorCode::not_found);
  REQUIRE(out.write(folder / "b"));  // nothing was changed
  CHECK(basin::test::read_file(folder / "b") == basin::test::read_file(folder / "a"));
}

TEST_CASE("A change that cannot be made leaves the old file", "[io][bad-input]") {
  const TempFolder folder;
  write_source(folder / "a");
  basin::test::write_file(folder / "b", "old");
  const auto source = GgufFile::open(folder / "a");
  REQUIRE(source.has_value());
  const auto problem = [&](auto change) {
    GgufExport out(*source);
    change(out);
    const auto wrote = out.write(folder / "b");
    CHECK(basin::test::read_file(folder / "b") == basin::test::to_bytes("old"));
    CHECK(folder.num_files() == 2);
    return wrote ? std::string("no error") : wrote.error().message;
  };
  const auto levels_problem = [&](const Matrix& m, const char* name = "wide") {
    return problem([&](GgufExport& out) { REQUIRE(out.set_levels(name, m.codes, m.scales, GgufType::f16)); });
  };
  Matrix m = levels(3, 512);
  m.codes.back() = 7;
  CHECK_THAT(levels_problem(m), contains_text("\"wide\" [3, 512]: code 7 at row 2, column 511"));
  m.codes.pop_back();
  CHECK_THAT(levels_problem(m), contains_text("\"wide\" [3, 512]: 1535 codes were given"));
  m = levels(3, 512);
  m.scales[1] = 0.1f;
  CHECK_THAT(levels_problem(m), contains_text("of row 1 is no fp16 number"));
  m.scales.pop_back();
  CHECK_THAT(levels_problem(m), contains_text("do not match 2 scales"));
  m = levels(2, 96);
  m.scales[0] = NAN;
  CHECK_THAT(levels_problem(m, "narrow"), contains_text("\"narrow\" [2, 96]: half of scale nan of row 0"));
  m.scales = {65504, 131008};
  m.codes.assign(2 * 96, 3);
  CHECK_THAT(levels_problem(m, "narrow"), contains_text("row 0: a value from 0 to 0 is not finite or too large for F16"));

  std::vector<float> values(200, 1.0f);
  const auto floats_problem = [&] {
    return problem([&](GgufExport& out) { REQUIRE(out.set_floats("narrow", GgufType::q8_0, values)); });
  };
  CHECK_THAT(floats_problem(), contains_text("\"narrow\" [2, 96]: 200 values were given"));
  values.assign(192, 1.0f);
  values[96 + 40] = NAN;
  CHECK_THAT(floats_problem(), contains_text("\"narrow\" [2, 96]: row 1: a value from 32 to 63 is not finite"));
  const basin::Error gone{ErrorCode::not_found, "the weights are gone"};
  CHECK(problem([&](GgufExport& out) {
          REQUIRE(out.set_floats("norm", GgufType::f16, [&] { return basin::Expected<std::vector<float>>(gone); }));
        }) == gone.message);
  CHECK(problem([&](GgufExport& out) {
          REQUIRE(out.set_levels("wide", [&] { return basin::Expected<GgufExport::Levels>(gone); }));
        }) == gone.message);
}

TEST_CASE("A source that GgufWriter cannot copy is named", "[io][bad-input]") {
  basin::test::ByteWriter bytes;
  bytes.text("GGUF").put<std::uint32_t>(3).put<std::int64_t>(1).put<std::int64_t>(0);
  bytes.string("new").put<std::uint32_t>(1).put<std::int64_t>(7).put<std::uint32_t>(999).put<std::uint64_t>(0).pad_to(32);
  const auto source = GgufFile::parse(bytes.bytes(), "m.gguf");
  REQUIRE(source.has_value());
  CHECK_THAT(GgufExport(*source).prepare().error().message, contains_text("\"new\": the size of type 999 is unknown"));
}
