#include <basin/io/gguf_writer.hpp>

#include <basin/io/gguf.hpp>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "io/io_seeds.hpp"
#include "support/catch.hpp"

using basin::ErrorCode;
using basin::GgufFile;
using basin::GgufWriter;
using basin::Status;
using basin::test::Bytes;
using basin::test::ByteWriter;
using basin::test::contains_text;

namespace {
Bytes written(const GgufWriter& writer) {
  Bytes bytes;
  REQUIRE(writer.write_to([&](std::span<const std::byte> next) {
    bytes.insert(bytes.end(), next.begin(), next.end());
    return Status(basin::Done{});
  }));
  return bytes;
}
Bytes copy_of(const Bytes& bytes) {
  const auto file = GgufFile::parse(bytes, "m.gguf");
  REQUIRE(file.has_value());
  GgufWriter writer;
  REQUIRE(writer.copy_metadata(file->metadata()));
  for (const auto& tensor : file->tensors()) REQUIRE(writer.add(tensor.name, tensor.type, tensor.shape, tensor.data));
  return written(writer);
}
Bytes padded(Bytes bytes, std::size_t multiple) {
  bytes.resize((bytes.size() + multiple - 1) / multiple * multiple);
  return bytes;
}
Bytes random_bytes(std::size_t size, basin::SplitMix64& rng) {
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(rng.below(256));
  return bytes;
}
}  // namespace

TEST_CASE("GgufWriter writes these bytes", "[io][golden]") {
  const std::uint32_t alignment = GENERATE(8u, 32u, 8192u);
  const Bytes want = padded(basin::test::small_gguf(alignment), alignment);
  const auto source = GgufFile::parse(want, "m.gguf");
  REQUIRE(source.has_value());
  GgufWriter writer;
  REQUIRE(writer.set("general.alignment", alignment));
  REQUIRE(writer.set("u8", std::uint8_t{200}));
  REQUIRE(writer.set("i8", std::int8_t{-5}));
  REQUIRE(writer.set("u16", std::uint16_t{60000}));
  REQUIRE(writer.set("i16", std::int16_t{-300}));
  REQUIRE(writer.set("i32", -70000));
  REQUIRE(writer.set("f32", 1.25f));
  REQUIRE(writer.set("bool", true));
  REQUIRE(writer.set("name", "tiny"));
  REQUIRE(writer.set_array("tokens", std::vector<std::string>{"a", "", "bcd"}));
  REQUIRE(writer.set_array("types", std::array{-1, 7}));
  REQUIRE(writer.set_array("scores", std::vector<float>{0.5f, -0.25f}));
  REQUIRE(writer.set_array("none", std::vector<std::string_view>{}));
  REQUIRE(writer.set("u64", ~std::uint64_t{0}));
  REQUIRE(writer.set("i64", std::int64_t{-1} << 40));
  REQUIRE(writer.set("f64", 0.1));
  const auto bytes_of = [&](std::string_view name) { return source->find(name)->data; };
  REQUIRE(writer.add("plain", 0, {2, 3}, bytes_of("plain")));
  REQUIRE(writer.add("q4", 2, {32}, Bytes(bytes_of("q4").begin(), bytes_of("q4").end())));
  REQUIRE(writer.add("q8", 8, {2, 32}, [&](const basin::ByteSink& sink) {
    const Status first = sink(bytes_of("q8").first(5));
    return first ? sink(bytes_of("q8").subspan(5)) : first;
  }));
  CHECK(writer.num_tensors() == 3);
  CHECK(writer.contains_key("f64"));
  CHECK_FALSE(writer.contains_key("f65"));
  CHECK(written(writer) == want);
  const basin::test::TempFolder folder;
  REQUIRE(writer.write(folder / "m.gguf"));
  CHECK(basin::test::read_file(folder / "m.gguf") == want);
  CHECK(folder.num_files() == 1);
}

TEST_CASE("A copy of a GGUF file has its bytes", "[io][property]") {
  const std::uint32_t alignment = GENERATE(1u, 8u, 32u, 4096u);
  const Bytes bytes = padded(basin::test::small_gguf(alignment), alignment);
  CHECK(copy_of(bytes) == bytes);
  CHECK(copy_of(basin::test::small_gguf(alignment)) == bytes);  // the fill after the last tensor is added
}

TEST_CASE("Random GGUF files are copied bit for bit", "[io][property]") {
  basin::SplitMix64 rng(GENERATE(range(0u, 20u)));
  constexpr std::uint32_t scalar_types[] = {0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12};
  constexpr std::size_t scalar_sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 8, 8};
  const auto num_keys = static_cast<std::int64_t>(rng.below(12));
  const auto num_tensors = static_cast<std::int64_t>(rng.below(6));
  ByteWriter out;
  out.text("GGUF").put<std::uint32_t>(3).put(num_tensors).put(num_keys);
  for (std::int64_t i = 0; i < num_keys; ++i) {
    out.string("key " + std::to_string(rng.below(1000)) + std::to_string(i));
    const bool is_array = rng.below(2) == 0;
    const std::uint64_t count = is_array ? rng.below(5) : 1;
    const bool is_string = rng.below(3) == 0;
    const auto kind = static_cast<std::size_t>(rng.below(11));
    if (is_array) out.put<std::uint32_t>(9);
    out.put<std::uint32_t>(is_string ? 8 : scalar_types[kind]);
    if (is_array) out.put(count);
    for (std::uint64_t k = 0; k < count; ++k) {
      if (is_string) out.string(std::string(static_cast<std::size_t>(rng.below(9)), '\xff'));  // not UTF-8: tokens may be any bytes
      else for (const std::byte byte : random_bytes(scalar_sizes[kind], rng)) out.put(static_cast<char>(byte));
    }
  }
  std::vector<Bytes> data;
  std::uint64_t offset = 0;
  for (std::int64_t i = 0; i < num_tensors; ++i) {
    const auto& info = basin::gguf_type_table[static_cast<std::size_t>(rng.below(basin::gguf_type_table.size()))];
    const auto rank = static_cast<std::uint32_t>(1 + rng.below(4));
    out.string("t" + std::to_string(i)).put(rank);
    std::size_t size = static_cast<std::size_t>(info.block_bytes);
    for (std::uint32_t d = 0; d < rank; ++d) {
      const std::uint64_t extent = 1 + rng.below(3);
      size *= static_cast<std::size_t>(extent);
      out.put(static_cast<std::int64_t>(d == 0 ? extent * static_cast<std::uint64_t>(info.block_size) : extent));
    }
    out.put(info.id).put(offset);
    data.push_back(padded(random_bytes(size, rng), 32));  // the fill is zero
    offset += data.back().size();
  }
  Bytes bytes = out.pad_to(32).bytes();
  for (const Bytes& each : data) bytes.insert(bytes.end(), each.begin(), each.end());
  CHECK(copy_of(bytes) == bytes);
}

TEST_CASE("A file of version 2 is copied as version 3", "[io][property]") {
  Bytes bytes = padded(basin::test::small_gguf(), 32);
  const Bytes want = bytes;
  bytes[4] = std::byte{2};
  CHECK(copy_of(bytes) == want);
}

TEST_CASE("A key that is set again keeps its place", "[io][property]") {
  GgufWriter writer, want;
  REQUIRE(writer.set("a", 1u));
  REQUIRE(writer.set("general.alignment", 64u));
  REQUIRE(writer.set("b", "x"));
  REQUIRE(writer.set_array("a", std::array<std::int8_t, 1>{-3}));
  REQUIRE(writer.set("general.alignment", 16u));
  REQUIRE(want.set_array("a", std::array<std::int8_t, 1>{-3}));
  REQUIRE(want.set("general.alignment", 16u));
  REQUIRE(want.set("b", "x"));
  CHECK(written(writer) == written(want));
  CHECK(written(writer).size() % 64 != 0);
}

TEST_CASE("A written file without tensors, keys or dimensions reads back", "[io][property]") {
  GgufWriter writer;
  CHECK(GgufFile::parse(written(writer), "empty").has_value());
  REQUIRE(writer.add("scalar", 0, {}, Bytes(4)));
  const Bytes bytes = written(writer);
  const auto file = GgufFile::parse(bytes, "one");
  REQUIRE(file.has_value());
  CHECK(file->find("scalar")->shape.empty());
  CHECK(file->find("scalar")->data.size() == 4);
}

TEST_CASE("A written file cut anywhere is an error, and with any byte changed is read safely", "[io][bad-input]") {
  const Bytes whole = basin::test::small_q2_k_gguf();
  REQUIRE(GgufFile::parse(whole, "w.gguf").has_value());
  basin::test::for_each_truncation(whole, [](std::span<const std::byte> bytes) {
    CAPTURE(bytes.size());
    REQUIRE_FALSE(GgufFile::parse(bytes, "w.gguf").has_value());
  });
  int accepted = 0;
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (const unsigned flip : {0x01u, 0x80u, 0xffu}) {
      Bytes changed = whole;
      changed[at] ^= static_cast<std::byte>(flip);
      const basin::test::ExactBytes exact(changed);
      const auto file = GgufFile::parse(exact.bytes(), "w.gguf");
      if (!file) continue;
      ++accepted;
      for (const auto& tensor : file->tensors()) static_cast<void>(file->dequantize(tensor));
    }
  CHECK(accepted >= 3 * 8 * 84);  // the tensor's own bytes are all valid
}

TEST_CASE("GgufWriter refuses tensors that could not be read back", "[io][bad-input]") {
  GgufWriter writer;
  const Bytes four(4);
  REQUIRE(writer.add("a", 0, {1}, four));
  const auto problem = [&](std::string name, std::uint32_t type, std::vector<std::int64_t> shape) {
    const auto added = writer.add(std::move(name), type, std::move(shape), four);
    return added ? std::string("no error") : added.error().message;
  };
  CHECK_THAT(problem("a", 0, {1}), contains_text("cannot add tensor \"a\": the name is already taken"));
  CHECK(problem(std::string(63, 'n'), 0, {1}) == "no error");
  CHECK_THAT(problem(std::string(64, 'n'), 0, {1}), contains_text("a name of 64 bytes; ggml loads at most 63"));
  CHECK_THAT(problem("b", 999, {1}), contains_text("\"b\": the size of type 999 is unknown"));
  CHECK_THAT(problem("b", 0, {2, 3}), contains_text("[2, 3] of F32 is 24 bytes, but 4 were given"));
  CHECK_THAT(problem("b", 0, {1, 1, 1, 1, 1}), contains_text("5 dimensions"));
  CHECK_THAT(problem("b", 0, {0, 1}), contains_text("dimension 1 is 0"));
  CHECK_THAT(problem("b", 0, {-1}), contains_text("dimension 0 is -1"));
  CHECK_THAT(problem("b", 10, {2, 255}), contains_text("rows of 255 elements are not whole Q2_K blocks of 256"));
  CHECK_THAT(problem("b", 0, {INT64_MAX, 2}), contains_text("overflows"));
  CHECK_THAT(problem("b", 0, {INT64_MAX / 2}), contains_text("overflows"));
  CHECK(writer.num_tensors() == 2);
  const auto none = [](const basin::ByteSink&) { return Status(basin::Done{}); };
  REQUIRE(writer.add("big", 24, {std::int64_t{1} << 61}, none));
  CHECK_THAT(writer.add("more", 24, {std::int64_t{1} << 61}, none).error().message, contains_text("overflows"));
}

TEST_CASE("GgufWriter refuses metadata that could not be read back", "[io][bad-input]") {
  GgufWriter writer;
  CHECK(writer.set(std::string(65535, 'k'), 1).has_value());
  CHECK(writer.set(std::string(65536, 'k'), 1).error().code == ErrorCode::too_large);
  for (const std::uint32_t alignment : {0u, 3u, 48u})
    CHECK_THAT(writer.set("general.alignment", alignment).error().message, contains_text("a power of two, as u32"));
  CHECK_FALSE(writer.set("general.alignment", std::uint64_t{32}).has_value());
  CHECK_FALSE(writer.set("general.alignment", 32).has_value());  // i32
  CHECK_FALSE(writer.set("general.alignment", "32").has_value());
  CHECK_FALSE(writer.set_array("general.alignment", std::array{32u}).has_value());
  CHECK_FALSE(writer.contains_key("general.alignment"));
}

TEST_CASE("A source that gives another number of bytes leaves the old file", "[io][bad-input]") {
  const basin::test::TempFolder folder;
  basin::test::write_file(folder / "f", "old");
  const auto problem = [&](basin::ByteSource source) {
    GgufWriter writer;
    REQUIRE(writer.add("t", 1, {3, 2}, std::move(source)));
    const auto wrote = writer.write(folder / "f");
    CHECK(basin::test::read_file(folder / "f") == basin::test::to_bytes("old"));
    CHECK(folder.num_files() == 1);
    REQUIRE_FALSE(wrote.has_value());
    return wrote.error().message;
  };
  const Bytes data(13);
  const auto give = [&](std::size_t size) {
    return [&, size](const basin::ByteSink& sink) { return sink(std::span(data).first(size)); };
  };
  CHECK_THAT(problem(give(11)), contains_text("\"t\": [3, 2] of F16 is 12 bytes, but its source gave 11"));
  CHECK_THAT(problem(give(0)), contains_text("gave 0"));
  CHECK_THAT(problem(give(13)), contains_text("gave more"));
  CHECK_THAT(problem([&](const basin::ByteSink& sink) {
               static_cast<void>(sink(std::span(data).first(12)));
               static_cast<void>(sink(std::span(data).first(1)));
               return Status(basin::Done{});  // the sink's error is not passed on
             }),
             contains_text("gave more"));
  CHECK(problem([](const basin::ByteSink&) { return Status(basin::Error{ErrorCode::not_found, "no weights"}); }) ==
        "no weights");
}

#if defined(__unix__)
TEST_CASE("A disk that fills up under GgufWriter leaves the old file and no temporary", "[io][bad-input]") {
  const basin::test::TempFolder folder;
  basin::test::write_file(folder / "f", "old");
  GgufWriter writer;
  const auto size = GENERATE(std::int64_t{50}, std::int64_t{5000}, std::int64_t{300000});
  REQUIRE(writer.add("t", 24, {size}, Bytes(static_cast<std::size_t>(size))));
  std::optional<basin::Error> error;
  {
    const basin::test::FileSizeLimit limit(64);
    if (const Status wrote = writer.write(folder / "f"); !wrote) error = wrote.error();
  }
  REQUIRE(error.has_value());
  CHECK(error->code == ErrorCode::cannot_write);
  CHECK_THAT(error->message, contains_text((folder / "f").string()));
  CHECK(basin::test::read_file(folder / "f") == basin::test::to_bytes("old"));
  CHECK(folder.num_files() == 1);
  CHECK(writer.write(folder / "none/f").error().code == ErrorCode::cannot_write);
}
#endif
