#include <basin/io/aqlm.hpp>

#include <cmath>

#include "io/io_seeds.hpp"
#include "support/catch.hpp"

using basin::AdditiveLayer;
using basin::AqlmConfig;
using basin::ErrorCode;
using basin::float_to_half;
using basin::SafetensorsFile;
using basin::SafetensorsType;
using basin::SafetensorsWriter;
using basin::Scheme;
using basin::test::Bytes;
using basin::test::contains_text;

namespace {
const AqlmConfig small_config{Scheme{.num_codebooks = 1, .bits_per_code = 4, .in_group_size = 4}, {}};

AdditiveLayer random_layer(const Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in, basin::SplitMix64& rng) {
  AdditiveLayer layer{scheme, n_out, n_in, {}, {}, {}};
  const auto k = static_cast<std::uint64_t>(scheme.codebook_size());
  layer.codes.resize(static_cast<std::size_t>(layer.num_out_groups() * layer.num_in_groups() * scheme.num_codebooks));
  for (std::size_t i = 0; i < layer.codes.size(); ++i)
    layer.codes[i] = static_cast<std::uint16_t>(i == 0 ? 0 : i == 1 ? k - 1 : rng.below(k));
  const auto entries = static_cast<std::size_t>(scheme.num_codebooks * scheme.codebook_size() * scheme.codeword_size());
  for (std::size_t i = 0; i < entries; ++i) layer.codebooks.push_back(float_to_half(static_cast<float>(rng.normal())));
  for (std::ptrdiff_t o = 0; o < layer.num_out_groups(); ++o)
    layer.scales.push_back(float_to_half(static_cast<float>(rng.uniform() + 0.5)));
  return layer;
}

void check_same(const AdditiveLayer& a, const AdditiveLayer& b) {
  CHECK(a.scheme == b.scheme);
  CHECK(a.n_out == b.n_out);
  CHECK(a.n_in == b.n_in);
  CHECK(a.codes == b.codes);
  CHECK(a.codebooks == b.codebooks);
  CHECK(a.scales == b.scales);
}

// A file of one layer "p" whose codes are these bytes.
Bytes with_codes(SafetensorsType type, const Bytes& codes, std::int64_t count, int bits) {
  const std::size_t k = std::size_t{1} << bits;
  std::string header = "{\"p.scales\":{\"dtype\":\"F16\",\"shape\":[1,1,1,1],\"data_offsets\":[0,2]},";
  header += basin::concat("\"p.codebooks\":{\"dtype\":\"F16\",\"shape\":[1,", k, ",1,1],\"data_offsets\":[2,", 2 + 2 * k,
                          "]},\"p.codes\":{\"dtype\":\"", basin::to_string(type), "\",\"shape\":[1,", count,
                          ",1],\"data_offsets\":[", 2 + 2 * k, ",", 2 + 2 * k + codes.size(), "]}}");
  Bytes data(2 + 2 * k);
  data.insert(data.end(), codes.begin(), codes.end());
  return basin::test::safetensors_bytes(header, data);
}
template <class Int>
basin::Expected<AdditiveLayer> read_stored(SafetensorsType type, int bits, std::initializer_list<Int> stored) {
  basin::test::ByteWriter codes;
  for (const Int value : stored) codes.put(value);
  const Bytes bytes = with_codes(type, codes.bytes(), static_cast<std::int64_t>(stored.size()), bits);
  const auto file = SafetensorsFile::parse(bytes, "m");
  REQUIRE(file.has_value());
  return basin::read_aqlm_layer(*file, "p", AqlmConfig{Scheme{1, bits, 1, 1}, {}});
}
using Codes = std::vector<std::uint16_t>;
}  // namespace

TEST_CASE("signed code overflow: AQLM codes are two's complement of their own width", "[io][golden][pitfall]") {
  CHECK(read_stored<std::int8_t>(SafetensorsType::i8, 8, {0x00, 0x7f, -128, -1})->codes == Codes{0, 127, 128, 255});
  CHECK(read_stored<std::int16_t>(SafetensorsType::i16, 12, {-1, -2048, 2047})->codes == Codes{4095, 2048, 2047});
  CHECK(read_stored<std::int16_t>(SafetensorsType::i16, 16, {-1, -32768})->codes == Codes{65535, 32768});
  CHECK(read_stored<std::int32_t>(SafetensorsType::i32, 8, {-1, 200})->codes == Codes{255, 200});
  CHECK(read_stored<std::int64_t>(SafetensorsType::i64, 1, {-1, 0, 1})->codes == Codes{1, 0, 1});
}

TEST_CASE("AQLM codes out of range are named", "[io][bad-input]") {
  const auto layer = read_stored<std::int16_t>(SafetensorsType::i16, 12, {0, 17, 5000});
  REQUIRE_FALSE(layer.has_value());
  CHECK(layer.error().code == ErrorCode::bad_value);
  CHECK_THAT(layer.error().message, contains_text("m: tensor \"p.codes\": element 2 is 5000"));
  CHECK_FALSE(read_stored<std::int16_t>(SafetensorsType::i16, 12, {-2049}).has_value());
  CHECK_FALSE(read_stored<std::int16_t>(SafetensorsType::i16, 12, {4096}).has_value());
  CHECK(read_stored<std::int16_t>(SafetensorsType::i16, 12, {4095}).has_value());
  CHECK_FALSE(read_stored<std::int64_t>(SafetensorsType::i64, 16, {INT64_MIN}).has_value());
  CHECK_FALSE(read_stored<std::int8_t>(SafetensorsType::i8, 4, {16}).has_value());
  CHECK(read_stored<std::uint8_t>(SafetensorsType::u8, 8, {1}).error().code == ErrorCode::unsupported);
}

TEST_CASE("read_aqlm_layer reads a checkpoint byte by byte", "[io][golden]") {
  const Bytes bytes = basin::test::small_aqlm();
  const auto file = SafetensorsFile::parse(bytes, "m");
  REQUIRE(file.has_value());
  const auto layer = basin::read_aqlm_layer(*file, "p", small_config);
  REQUIRE(layer.has_value());
  CHECK(layer->n_out == 2);
  CHECK(layer->n_in == 7);  // from the metadata; the tensors hold 8
  CHECK(layer->codes == Codes{0, 7, 8, 15});
  CHECK(layer->codebooks[63] == float_to_half(63.0f / 8));
  CHECK(layer->scales == Codes{float_to_half(1.0f), float_to_half(-2.0f)});
}

TEST_CASE("An AQLM layer written and read back is the same", "[io][property]") {
  const basin::test::TempFolder folder;
  basin::SplitMix64 rng(3);
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{1, 16, 8, 1}, Scheme{3, 1, 4, 1}, Scheme{1, 9, 3, 2},
                                 Scheme{8, 7, 32, 1}, Scheme{2, 12, 1, 4}, Scheme{1, 4, 16, 1});
  const std::ptrdiff_t n_in = GENERATE(1, 8, 33);
  CAPTURE(basin::to_string(scheme), n_in);
  const AdditiveLayer layer = random_layer(scheme, 4, n_in, rng);
  SafetensorsWriter writer;
  REQUIRE(basin::add_aqlm_layer(writer, "model.q_proj", layer));
  REQUIRE(writer.write(folder / "model.safetensors"));
  const auto model = basin::SafetensorsModel::open(folder.path());
  REQUIRE(model.has_value());
  CHECK(model->metadata("format") == "pt");
  CHECK(model->find("model.q_proj.codes")->type == (scheme.bits_per_code <= 8 ? SafetensorsType::i8 : SafetensorsType::i16));
  const auto read = basin::read_aqlm_layer(*model, "model.q_proj", AqlmConfig{scheme, {}});
  REQUIRE(read.has_value());
  check_same(*read, layer);
}

TEST_CASE("Codes are written as two's complement of their own width", "[io][golden]") {
  const basin::test::TempFolder folder;
  const auto stored = [&](int bits, const Codes& codes) {
    AdditiveLayer layer{Scheme{1, bits, 1, 1}, 1, static_cast<std::ptrdiff_t>(codes.size()), codes, {}, {0}};
    layer.codebooks.resize(std::size_t{1} << bits);
    SafetensorsWriter writer;
    REQUIRE(basin::add_aqlm_layer(writer, "p", layer));
    REQUIRE(writer.write(folder / "f"));
    const auto file = SafetensorsFile::open(folder / "f");
    REQUIRE(file.has_value());
    const auto data = file->find("p.codes")->data;
    return Bytes(data.begin(), data.end());
  };
  using basin::test::ByteWriter;
  CHECK(stored(1, {0, 1}) == ByteWriter().put<std::int8_t>(0).put<std::int8_t>(-1).bytes());
  CHECK(stored(4, {7, 8, 15}) == ByteWriter().put<std::int8_t>(7).put<std::int8_t>(-8).put<std::int8_t>(-1).bytes());
  CHECK(stored(8, {0, 127, 128, 255}) == Bytes{std::byte{0}, std::byte{0x7f}, std::byte{0x80}, std::byte{0xff}});
  CHECK(stored(12, {4095, 2048}) == ByteWriter().put<std::int16_t>(-1).put<std::int16_t>(-2048).bytes());
  CHECK(stored(16, {32767, 65535}) == ByteWriter().put<std::int16_t>(32767).put<std::int16_t>(-1).bytes());
}

TEST_CASE("BF16 codebooks are taken as fp16", "[io][reference]") {
  Bytes bytes = basin::test::small_aqlm();
  // Same length of text, so only the type of the scales changes: 1.0 and -2.0 become bf16 patterns.
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto at = text.find("\"F16\",\"shape\":[2,1,1,1]");
  REQUIRE(at != std::string::npos);
  text.replace(at, 5, "\"BF16\"");
  text[0] = static_cast<char>(text[0] + 1);
  basin::test::ByteWriter scales;
  scales.put<std::uint16_t>(0x3fc0).put<std::uint16_t>(0x7f00);  // 1.5 and 1.7e38
  text.replace(text.size() - 8, 2, std::string(reinterpret_cast<const char*>(scales.bytes().data()), 2));
  Bytes good = basin::test::to_bytes(text);
  const auto file = SafetensorsFile::parse(good, "m");
  REQUIRE(file.has_value());
  const auto layer = basin::read_aqlm_layer(*file, "p", small_config);
  REQUIRE(layer.has_value());
  CHECK(layer->scales[0] == float_to_half(1.5f));
  text.replace(text.size() - 8, 4, std::string(reinterpret_cast<const char*>(scales.bytes().data()), 4));
  Bytes large = basin::test::to_bytes(text);
  const auto overflowing = SafetensorsFile::parse(large, "m");
  REQUIRE(overflowing.has_value());
  CHECK_THAT(basin::read_aqlm_layer(*overflowing, "p", small_config).error().message,
             contains_text("\"p.scales\": element 1 is infinite"));
}

TEST_CASE("read_aqlm_layer says which tensor does not fit", "[io][bad-input]") {
  const Bytes bytes = basin::test::small_aqlm();
  const auto file = SafetensorsFile::parse(bytes, "m");
  REQUIRE(file.has_value());
  const auto problem = [&](Scheme scheme, std::string_view prefix = "p") {
    const auto layer = basin::read_aqlm_layer(*file, prefix, AqlmConfig{scheme, {}});
    return layer ? std::string("no error") : layer.error().message;
  };
  CHECK(problem({1, 4, 4, 1}) == "no error");
  CHECK_THAT(problem({1, 4, 4, 1}, "q"), contains_text("m: no tensor \"q.codes\""));
  CHECK_THAT(problem({2, 4, 4, 1}), contains_text("\"p.codes\": shape [2, 2, 1], expected [O, J, 2]"));
  CHECK_THAT(problem({1, 5, 4, 1}), contains_text("\"p.codebooks\": shape [1, 16, 1, 4], expected [1, 32, 1, 4]"));
  CHECK_THAT(problem({1, 4, 2, 2}), contains_text("\"p.codebooks\": shape"));
  CHECK_THAT(problem({1, 40, 4, 1}), contains_text("not valid"));
}

TEST_CASE("Scales must be one per output group", "[io][bad-input]") {
  std::string text;
  for (const std::byte byte : basin::test::small_aqlm()) text += static_cast<char>(byte);
  for (const std::string_view shape : {"[1,2,1,1]", "[2,1,1  ]"}) {
    const auto at = text.find("\"shape\":[", text.find("p.scales")) + 8;
    const Bytes bytes = basin::test::to_bytes(text.replace(at, shape.size(), shape));
    const auto file = SafetensorsFile::parse(bytes, "m");
    REQUIRE(file.has_value());
    CHECK_THAT(basin::read_aqlm_layer(*file, "p", small_config).error().message,
               contains_text("\"p.scales\": shape [") && contains_text("expected [2, 1, 1, 1]"));
  }
}

TEST_CASE("A true n_in that the groups do not hold is refused", "[io][bad-input]") {
  std::string text;
  for (const std::byte byte : basin::test::small_aqlm()) text += static_cast<char>(byte);
  const auto at = text.find("\"7\"") + 1;
  for (const char n_in : {'4', '9', 'x', '0', '5', '8'}) {
    text[at] = n_in;
    const Bytes bytes = basin::test::to_bytes(text);
    const auto file = SafetensorsFile::parse(bytes, "m");
    REQUIRE(file.has_value());
    CHECK(basin::read_aqlm_layer(*file, "p", small_config).has_value() == (n_in == '5' || n_in == '8'));
  }
}

TEST_CASE("A layer of more rows than the machine can count is refused", "[io][bad-input]") {
  const Scheme scheme{.num_codebooks = 1, .bits_per_code = 1, .in_group_size = 1, .out_group_size = 4096};
  constexpr std::int64_t num_out_groups = std::int64_t{1} << 19;  // 2^31 rows
  SafetensorsWriter writer;
  REQUIRE(writer.add("p.codes", SafetensorsType::i8, {num_out_groups, 1, 1}, Bytes(num_out_groups)));
  REQUIRE(writer.add("p.codebooks", SafetensorsType::f16, {1, 2, 4096, 1}, Bytes(4 * 4096)));
  REQUIRE(writer.add("p.scales", SafetensorsType::f16, {num_out_groups, 1, 1, 1}, Bytes(2 * num_out_groups)));
  const basin::test::TempFolder folder;
  REQUIRE(writer.write(folder / "model.safetensors"));
  const auto model = basin::SafetensorsModel::open(folder.path());
  REQUIRE(model.has_value());
  const auto layer = basin::read_aqlm_layer(*model, "p", AqlmConfig{scheme, {}});
  if constexpr (sizeof(std::ptrdiff_t) >= 8) {
    REQUIRE(layer.has_value());
    CHECK(layer->n_out == std::ptrdiff_t{4096} * num_out_groups);
  } else {
    REQUIRE(!layer.has_value());
    CHECK(layer.error().code == ErrorCode::too_large);
    CHECK_THAT(layer.error().message, contains_text("2147483648 by 1 weights"));
  }
}

TEST_CASE("NaN / Inf: fp16 that is not finite is refused on reading and writing", "[io][bad-input][pitfall]") {
  basin::SplitMix64 rng(1);
  const AdditiveLayer good = random_layer(Scheme{1, 2, 2, 1}, 2, 4, rng);
  const auto problem = [](const AdditiveLayer& layer) {
    SafetensorsWriter writer;
    const auto added = basin::add_aqlm_layer(writer, "p", layer);
    CHECK(writer.size() == (added ? 3u : 0u));
    return added ? std::string("no error") : added.error().message;
  };
  CHECK(problem(good) == "no error");
  for (const std::uint16_t bad : Codes{0x7c00, 0xfc00, 0x7e00, 0xffff}) {
    AdditiveLayer layer = good;
    layer.codebooks[3] = bad;
    CHECK_THAT(problem(layer), contains_text("layer \"p\": codebook entry 3 is infinite or NaN"));
    layer = good;
    layer.scales[1] = bad;
    CHECK_THAT(problem(layer), contains_text("scale 1 is infinite or NaN"));
  }
  AdditiveLayer layer = good;
  layer.codes[2] = 4;
  CHECK_THAT(problem(layer), contains_text("code 2 is 4, but codebooks have 4 codewords"));
  layer = good;
  layer.codes.pop_back();
  CHECK_THAT(problem(layer), contains_text("3 codes, expected 4"));
  layer = good;
  layer.scales.pop_back();
  CHECK_THAT(problem(layer), contains_text("1 scales, expected 2"));
  layer = good;
  layer.codebooks.pop_back();
  CHECK_THAT(problem(layer), contains_text("7 codebook entries, expected 8"));
  layer = good;
  layer.n_in = 0;
  CHECK_THAT(problem(layer), contains_text("n_in = 0"));
  layer = good;
  layer.scheme.out_group_size = 3;
  CHECK_THAT(problem(layer), contains_text("multiple of 3"));
  layer.scheme.bits_per_code = 17;
  CHECK_THAT(problem(layer), contains_text("not valid"));
}

TEST_CASE("A cut or damaged AQLM file never reads outside itself", "[io][bad-input]") {
  basin::test::for_each_truncation(basin::test::small_aqlm(), [](std::span<const std::byte> bytes) {
    REQUIRE_FALSE(SafetensorsFile::parse(bytes, "m").has_value());
  });
  basin::test::for_each_mutant(basin::test::small_aqlm(), 20000, [](std::span<const std::byte> bytes) {
    const auto file = SafetensorsFile::parse(bytes, "m");
    if (file) static_cast<void>(basin::read_aqlm_layer(*file, "p", small_config));
  });
}
