#include <basin/io/level_checkpoint.hpp>

#include <basin/core/random.hpp>

#include <limits>

#include "io/io_seeds.hpp"
#include "support/catch.hpp"

using basin::ErrorCode;
using basin::LevelLayer;
using basin::SafetensorsFile;
using basin::SafetensorsType;
using basin::SafetensorsWriter;
using basin::test::Bytes;
using basin::test::contains_text;

namespace {
LevelLayer random_layer(std::size_t num_levels, bool with_zero_points, std::ptrdiff_t n_out, std::ptrdiff_t n_in) {
  basin::SplitMix64 random(3);
  LevelLayer layer{n_out, n_in, {}, {}, {}, {}};
  for (std::size_t i = 0; i < num_levels; ++i) layer.levels.push_back(static_cast<float>(i) - 1.5f);
  for (std::ptrdiff_t i = 0; i < n_out * n_in; ++i) layer.codes.push_back(static_cast<std::uint8_t>(random.below(num_levels)));
  for (std::ptrdiff_t o = 0; o < n_out; ++o) {
    layer.scales.push_back(basin::float_to_half(static_cast<float>(random.uniform())));
    if (with_zero_points) layer.zero_points.push_back(static_cast<std::uint8_t>(random.below(num_levels)));
  }
  return layer;
}
Bytes written(const SafetensorsWriter& writer) {
  const basin::test::TempFolder folder;
  const auto path = folder.path() / "layer.safetensors";
  REQUIRE(writer.write(path));
  return basin::test::read_file(path);
}
/// A file with these tensors of a layer "p".
struct Stored {
  SafetensorsWriter writer;
  void add(std::string part, SafetensorsType type, std::vector<std::int64_t> shape, Bytes bytes) {
    REQUIRE(writer.add("p" + part, type, std::move(shape), std::move(bytes)));
  }
  [[nodiscard]] basin::Error error(std::int64_t n_in) const {
    const Bytes bytes = written(writer);
    const auto file = SafetensorsFile::parse(bytes, "m");
    REQUIRE(file);
    const auto layer = basin::read_level_layer(*file, "p", n_in);
    REQUIRE(!layer);
    return layer.error();
  }
};
Bytes floats(std::initializer_list<float> values) {
  basin::test::ByteWriter out;
  for (const float value : values) out.put(value);
  return out.bytes();
}
Bytes raw(std::initializer_list<int> values) {
  Bytes out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}
}  // namespace

TEST_CASE("A layer of levels comes back from its tensors", "[io][reference]") {
  const std::size_t num_levels = GENERATE(2u, 3u, 4u, 5u, 16u, 256u);
  const bool with_zero_points = GENERATE(false, true);
  const std::ptrdiff_t n_in = GENERATE(1, 31, 32, 33);
  const LevelLayer layer = random_layer(num_levels, with_zero_points, 3, n_in);
  SafetensorsWriter writer;
  REQUIRE(basin::add_level_layer(writer, "p", layer));
  const Bytes bytes = written(writer);
  const auto file = SafetensorsFile::parse(bytes, "m");
  REQUIRE(file);
  CHECK(basin::has_level_layer(*file, "p"));
  CHECK(!basin::has_level_layer(*file, "q"));
  const auto loaded = basin::read_level_layer(*file, "p", n_in);
  REQUIRE(loaded);
  CHECK(loaded->n_out == 3);
  CHECK(loaded->n_in == n_in);
  CHECK(loaded->levels == layer.levels);
  CHECK(loaded->codes == layer.codes);
  CHECK(loaded->scales == layer.scales);
  CHECK(loaded->zero_points == layer.zero_points);
}

TEST_CASE("Two-bit codes are stored four to a byte, the first lowest", "[io][reference]") {
  LevelLayer layer = random_layer(4, false, 1, 5);
  layer.codes = {3, 0, 1, 2, 1};
  SafetensorsWriter writer;
  REQUIRE(basin::add_level_layer(writer, "p", layer));
  const Bytes bytes = written(writer);
  const auto file = SafetensorsFile::parse(bytes, "m");
  REQUIRE(file);
  const auto* const codes = file->find("p.level_codes");
  REQUIRE(codes != nullptr);
  CHECK(codes->shape == std::vector<std::int64_t>{1, 8});
  CHECK(std::to_integer<int>(codes->data[0]) == (3 | 0 << 2 | 1 << 4 | 2 << 6));
  CHECK(std::to_integer<int>(codes->data[1]) == 1);
}

TEST_CASE("read_level_layer names what is wrong with a stored layer", "[io][bad-input]") {
  const auto good_levels = floats({-1, 0, 1});
  SECTION("a missing tensor") {
    Stored stored;
    stored.add(".levels", SafetensorsType::f32, {3}, good_levels);
    CHECK(stored.error(4).code == ErrorCode::not_found);
    CHECK_THAT(stored.error(4).message, contains_text("p.level_codes"));
  }
  SECTION("levels that do not ascend") {
    Stored stored;
    stored.add(".levels", SafetensorsType::f32, {3}, floats({-1, 1, 1}));
    stored.add(".level_codes", SafetensorsType::u8, {1, 8}, Bytes(8));
    CHECK(stored.error(4).code == ErrorCode::bad_value);
    CHECK_THAT(stored.error(4).message, contains_text("level 2"));
  }
  SECTION("a level that is no number") {
    Stored stored;
    stored.add(".levels", SafetensorsType::f32, {2}, floats({std::numeric_limits<float>::quiet_NaN(), 1}));
    stored.add(".level_codes", SafetensorsType::u8, {1, 8}, Bytes(8));
    CHECK(stored.error(4).code == ErrorCode::bad_value);
  }
  SECTION("rows of another width") {
    Stored stored;
    stored.add(".levels", SafetensorsType::f32, {3}, good_levels);
    stored.add(".level_codes", SafetensorsType::u8, {1, 8}, Bytes(8));
    stored.add(".scales", SafetensorsType::f16, {1}, Bytes(2));
    CHECK(stored.error(33).code == ErrorCode::shape_mismatch);
    CHECK(stored.error(0).code == ErrorCode::shape_mismatch);
  }
  SECTION("codes, scales and zero points out of range") {
    const int code = GENERATE(0, 3), scale = GENERATE(0, 0x7c), zero_point = GENERATE(0, 3);
    if (code == 0 && scale == 0 && zero_point == 0) return;
    Stored stored;
    stored.add(".levels", SafetensorsType::f32, {3}, good_levels);
    stored.add(".level_codes", SafetensorsType::u8, {1, 8}, raw({code << 4, 0, 0, 0, 0, 0, 0, 0}));
    stored.add(".scales", SafetensorsType::f16, {1}, raw({0, scale}));
    stored.add(".zero_points", SafetensorsType::u8, {1}, raw({zero_point}));
    CHECK(stored.error(4).code == ErrorCode::bad_value);
  }
  SECTION("a type that is not expected") {
    Stored stored;
    stored.add(".levels", SafetensorsType::i32, {3}, Bytes(12));
    stored.add(".level_codes", SafetensorsType::u8, {1, 8}, Bytes(8));
    CHECK(stored.error(4).code == ErrorCode::unsupported);
  }
}

TEST_CASE("add_level_layer refuses what it could not read back", "[io][bad-input]") {
  const auto refused = [](const LevelLayer& layer, ErrorCode code) {
    SafetensorsWriter writer;
    const auto added = basin::add_level_layer(writer, "p", layer);
    REQUIRE(!added);
    CHECK(added.error().code == code);
    CHECK_THAT(added.error().message, contains_text("\"p\""));
  };
  const LevelLayer good = random_layer(4, true, 2, 5);
  LevelLayer bad = good;
  bad.codes.pop_back();
  refused(bad, ErrorCode::shape_mismatch);
  bad = good;
  bad.zero_points.pop_back();
  refused(bad, ErrorCode::shape_mismatch);
  bad = good;
  bad.codes[7] = 4;
  refused(bad, ErrorCode::bad_value);
  bad = good;
  bad.zero_points[1] = 4;
  refused(bad, ErrorCode::bad_value);
  bad = good;
  bad.scales[0] = 0x7e00;
  refused(bad, ErrorCode::bad_value);
  bad = good;
  bad.levels[3] = bad.levels[2];
  refused(bad, ErrorCode::bad_value);
  bad = good;
  bad.levels.resize(1);
  refused(bad, ErrorCode::bad_value);
}

TEST_CASE("A width whose bits overflow is refused before anything is allocated", "[io][bad-input]") {
  const Bytes bytes = basin::test::small_level_checkpoint();
  const auto file = SafetensorsFile::parse(bytes, "m");
  REQUIRE(file);
  REQUIRE(basin::read_level_layer(*file, "p", 5));
  // Two bits each: 2^63 + 5 codes would have the row of 5.
  for (const std::int64_t n_in : {(std::int64_t{1} << 62) + 5, std::numeric_limits<std::int64_t>::max()}) {
    const auto layer = basin::read_level_layer(*file, "p", n_in);
    REQUIRE(!layer);
    CHECK(layer.error().code == ErrorCode::shape_mismatch);
  }
}
