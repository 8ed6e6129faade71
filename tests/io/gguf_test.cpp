#include <basin/io/gguf.hpp>

#include <algorithm>
#include <array>

#include "io/io_seeds.hpp"
#include "support/catch.hpp"

using basin::ErrorCode;
using basin::GgufFile;
using basin::test::Bytes;
using basin::test::ByteWriter;
using basin::test::contains_text;

namespace {
basin::Error error_of(const Bytes& bytes) {
  const auto file = GgufFile::parse(bytes, "m.gguf");
  REQUIRE_FALSE(file.has_value());
  CHECK_THAT(file.error().message, contains_text("m.gguf: "));
  return file.error();
}
ByteWriter header(std::int64_t num_tensors, std::int64_t num_keys, std::uint32_t version = 3) {
  return ByteWriter().text("GGUF").put(version).put(num_tensors).put(num_keys);
}
struct Info {
  std::string name = "t";
  std::vector<std::int64_t> ne = {8};
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
};
// A file of these tensors and `data_size` zero bytes of data.
Bytes with_tensors(const std::vector<Info>& infos, std::size_t data_size) {
  ByteWriter out = header(static_cast<std::int64_t>(infos.size()), 0);
  for (const Info& info : infos) {
    out.string(info.name).put(static_cast<std::uint32_t>(info.ne.size()));
    for (const std::int64_t n : info.ne) out.put(n);
    out.put(info.type).put(info.offset);
  }
  out.pad_to(32);
  Bytes bytes = out.bytes();
  bytes.resize(bytes.size() + data_size);
  return bytes;
}
Bytes with_key(const ByteWriter& key) {
  Bytes bytes = header(0, 1).bytes();
  bytes.insert(bytes.end(), key.bytes().begin(), key.bytes().end());
  return bytes;
}
}  // namespace

TEST_CASE("GgufFile lists and decodes tensors", "[io][reference]") {
  const std::uint32_t alignment = GENERATE(8u, 32u, 4096u);
  const Bytes bytes = basin::test::small_gguf(alignment);
  const auto file = GgufFile::parse(bytes, "m.gguf");
  REQUIRE(file.has_value());
  CHECK(file->version() == 3);
  REQUIRE(file->tensors().size() == 3);
  const auto* const plain = file->find("plain");
  REQUIRE(plain != nullptr);
  CHECK(plain->shape == std::vector<std::int64_t>{2, 3});  // ne is {3, 2}
  CHECK(plain->offset % alignment == 0);
  CHECK(plain->data.size() == 24);
  CHECK(*file->dequantize(*plain) == std::vector<float>{0, 1, 2, 3, 4, 5});
  const auto q4 = file->dequantize(*file->find("q4"));
  REQUIRE(q4.has_value());
  CHECK(q4->at(0) == -4.0f);
  CHECK(q4->at(31) == -4.0f);
  const auto q8 = file->dequantize(*file->find("q8"));
  REQUIRE(q8.has_value());
  CHECK(q8->at(0) == -16.0f);
  CHECK(q8->at(32) == 8.0f);
  CHECK(file->find("missing") == nullptr);
}

TEST_CASE("GgufFile opens from disk and keeps its bytes when moved", "[io][reference]") {
  const basin::test::TempFolder folder;
  basin::test::write_file(folder / "m.gguf", basin::test::small_gguf());
  auto opened = GgufFile::open(folder / "m.gguf");
  REQUIRE(opened.has_value());
  const GgufFile file = std::move(*opened);
  CHECK(*file.dequantize(*file.find("plain")) == std::vector<float>{0, 1, 2, 3, 4, 5});
  CHECK(*file.metadata().get_string("name") == "tiny");
  CHECK(GgufFile::open(folder / "none.gguf").error().code == ErrorCode::cannot_open);
}

TEST_CASE("Metadata converts integers that fit", "[io][reference]") {
  const Bytes bytes = basin::test::small_gguf();
  const auto file = GgufFile::parse(bytes, "m.gguf");
  REQUIRE(file.has_value());
  const basin::GgufMetadata& m = file->metadata();
  CHECK(m.size() == 16);
  CHECK(m.keys().front() == "bool");
  CHECK(*m.get_u32("u8") == 200);
  CHECK(*m.get_i64("i8") == -5);
  CHECK(*m.get_u32("u16") == 60000);
  CHECK(*m.get_i64("i16") == -300);
  CHECK(*m.get_i64("i32") == -70000);
  CHECK(*m.get_u32("general.alignment") == 32);
  CHECK(*m.get_u64("u64") == ~std::uint64_t{0});
  CHECK(*m.get_i64("i64") == std::int64_t{-1} << 40);
  CHECK(*m.get_f32("f32") == 1.25f);
  CHECK(*m.get_f32("f64") == 0.1f);
  CHECK(*m.get_bool("bool"));
  CHECK(*m.get_string("name") == "tiny");
  CHECK(*m.get_strings("tokens") == std::vector<std::string>{"a", "", "bcd"});
  CHECK(*m.get_integers("types") == std::vector<std::int64_t>{-1, 7});
  CHECK(*m.get_floats("scores") == std::vector<float>{0.5f, -0.25f});
  CHECK(m.get_strings("none")->empty());
}

TEST_CASE("Metadata says why a lookup fails", "[io][bad-input]") {
  const Bytes bytes = basin::test::small_gguf();
  const auto file = GgufFile::parse(bytes, "m.gguf");
  REQUIRE(file.has_value());
  const basin::GgufMetadata& m = file->metadata();
  CHECK(m.get_u32("zzz").error().code == ErrorCode::not_found);
  CHECK_THAT(m.get_u32("zzz").error().message, contains_text("m.gguf: no metadata key \"zzz\""));
  CHECK_THAT(m.get_u32("name").error().message, contains_text("key \"name\" is string, not an integer"));
  CHECK_THAT(m.get_u32("i8").error().message, contains_text("-5, out of range"));
  CHECK_THAT(m.get_u64("i8").error().message, contains_text("out of range"));
  CHECK_THAT(m.get_i64("u64").error().message, contains_text("18446744073709551615, out of range"));
  CHECK_THAT(m.get_u32("types").error().message, contains_text("an array of i32"));
  CHECK_FALSE(m.get_u32("bool").has_value());
  CHECK_FALSE(m.get_u32("f32").has_value());
  CHECK_FALSE(m.get_f32("u8").has_value());
  CHECK_FALSE(m.get_f32("scores").has_value());
  CHECK_FALSE(m.get_bool("u8").has_value());
  CHECK_FALSE(m.get_string("tokens").has_value());
  CHECK_FALSE(m.get_strings("name").has_value());
  CHECK_FALSE(m.get_strings("types").has_value());
  CHECK_FALSE(m.get_integers("tokens").has_value());
  CHECK_FALSE(m.get_integers("scores").has_value());
  CHECK_FALSE(m.get_integers("u8").has_value());
  CHECK_FALSE(m.get_floats("types").has_value());
  CHECK_FALSE(m.get_floats("f32").has_value());
}

TEST_CASE("A GGUF file cut anywhere is an error", "[io][bad-input]") {
  basin::test::for_each_truncation(basin::test::small_gguf(), [](std::span<const std::byte> bytes) {
    CAPTURE(bytes.size());
    REQUIRE_FALSE(GgufFile::parse(bytes, "m.gguf").has_value());
  });
}

TEST_CASE("A damaged GGUF file never reads outside itself", "[io][bad-input]") {
  int accepted = 0;
  basin::test::for_each_mutant(basin::test::small_gguf(8), 20000, [&](std::span<const std::byte> bytes) {
    const auto file = GgufFile::parse(bytes, "m.gguf");
    if (!file) return;
    ++accepted;
    for (const auto& tensor : file->tensors()) static_cast<void>(file->dequantize(tensor));
    for (const std::string& key : file->metadata().keys()) {
      static_cast<void>(file->metadata().get_strings(key));
      static_cast<void>(file->metadata().get_string(key));
      static_cast<void>(file->metadata().get_integers(key));
      static_cast<void>(file->metadata().get_floats(key));
    }
  });
  CHECK(accepted > 100);
}

TEST_CASE("GgufFile refuses headers that lie", "[io][bad-input]") {
  CHECK(error_of({}).code == ErrorCode::bad_magic);
  CHECK(error_of(basin::test::to_bytes("GGML....")).code == ErrorCode::bad_magic);
  CHECK(error_of(header(0, 0, 1).bytes()).code == ErrorCode::unsupported);
  CHECK(error_of(header(0, 0, 4).bytes()).code == ErrorCode::unsupported);
  CHECK(error_of(header(0, 0, 0x03000000).bytes()).code == ErrorCode::unsupported);  // big-endian
  CHECK(GgufFile::parse(header(0, 0, 2).bytes(), "v2").has_value());
  for (const std::int64_t count : {std::int64_t{-1}, std::int64_t{1}, INT64_MAX, INT64_MIN}) {
    CHECK_THAT(error_of(header(count, 0).bytes()).message, contains_text("more than the file has room for"));
    CHECK_THAT(error_of(header(0, count).bytes()).message, contains_text("more than the file has room for"));
  }
}

TEST_CASE("GgufFile refuses metadata that lies", "[io][bad-input]") {
  const auto problem = [](const ByteWriter& key) { return error_of(with_key(key)).message; };
  CHECK_THAT(problem(ByteWriter().put(~std::uint64_t{0}).text("12345")), contains_text("a metadata key of 1844"));
  CHECK_THAT(problem(ByteWriter().put<std::uint64_t>(65535).text("12345")), contains_text("ends inside metadata key 0"));
  CHECK_THAT(problem(ByteWriter().string("k").put<std::uint32_t>(13).put(0)), contains_text("value type 13 is unknown"));
  CHECK_THAT(problem(ByteWriter().string("k").put<std::uint32_t>(8).put(~std::uint64_t{0})), contains_text("\"k\": its value reaches past"));
  CHECK_THAT(problem(ByteWriter().string("k").put<std::uint32_t>(10).put(0)), contains_text("reaches past"));
  const auto array = [&](std::uint32_t type, std::uint64_t count) {
    return problem(ByteWriter().string("k").put<std::uint32_t>(9).put(type).put(count).put(std::uint64_t{1} << 62));
  };
  CHECK_THAT(array(9, 1), contains_text("an array of arrays"));
  CHECK_THAT(array(4, 3), contains_text("reaches past"));
  CHECK_THAT(array(4, std::uint64_t{1} << 62), contains_text("reaches past"));  // times 4 is 0
  CHECK_THAT(array(8, 1), contains_text("reaches past"));
  CHECK_THAT(array(8, ~std::uint64_t{0}), contains_text("reaches past"));
  CHECK_THAT(array(77, 1), contains_text("value type 77 is unknown"));
  ByteWriter twice = header(0, 2);
  for (int i = 0; i < 2; ++i) twice.string("k").put<std::uint32_t>(0).put<std::uint8_t>(1);
  CHECK_THAT(error_of(twice.bytes()).message, contains_text("\"k\": the key occurs twice"));
  for (const std::uint32_t alignment : {0u, 3u, 48u})
    CHECK_THAT(problem(ByteWriter().string("general.alignment").put<std::uint32_t>(4).put(alignment)),
               contains_text("not a power of two"));
  CHECK_THAT(problem(ByteWriter().string("general.alignment").put<std::uint32_t>(8).string("32")),
             contains_text("not an integer"));
}

TEST_CASE("GgufFile refuses tensors that lie", "[io][bad-input]") {
  const auto problem = [](const std::vector<Info>& infos, std::size_t size = 64) {
    return error_of(with_tensors(infos, size)).message;
  };
  CHECK(GgufFile::parse(with_tensors({{}}, 32), "f").has_value());
  CHECK(GgufFile::parse(with_tensors({{.ne = {}}}, 4), "f").has_value());
  CHECK_THAT(problem({{.ne = {1, 1, 1, 1, 1}}}), contains_text("\"t\": 5 dimensions"));
  CHECK_THAT(problem({{.ne = {0}}}), contains_text("dimension 0 is 0"));
  CHECK_THAT(problem({{.ne = {4, -4}}}), contains_text("dimension 1 is -4"));
  CHECK_THAT(problem({{.ne = {INT64_MAX, 2}}}), contains_text("overflows"));
  CHECK_THAT(problem({{.ne = {INT64_MAX / 2}}}), contains_text("overflows"));  // times 4 bytes
  CHECK_THAT(problem({{.ne = {std::int64_t{1} << 40}}}), contains_text("may be cut short"));
  CHECK_THAT(problem({{.ne = {16, 2}, .type = 2}}), contains_text("rows of 16 elements are not whole Q4_0 blocks of 32"));
  CHECK_THAT(problem({{.ne = {}, .type = 8}}), contains_text("rows of 1 elements"));
  CHECK_THAT(problem({{.offset = 8}}), contains_text("not a multiple of 32"));
  CHECK_THAT(problem({{.offset = 64}}), contains_text("reach past the 64 bytes"));
  CHECK_THAT(problem({{.offset = ~std::uint64_t{0} - 31}}), contains_text("reach past"));
  CHECK_THAT(problem({{}, {}}), contains_text("\"t\": the name occurs twice"));
  CHECK_THAT(problem({{.ne = {9}}, {.name = "u", .offset = 32}}), contains_text("\"t\" and \"u\" overlap"));
  CHECK_THAT(problem({{}, {.name = "u"}}), contains_text("overlap"));
  CHECK_THAT(problem({{.name = std::string(70000, 'n')}}), contains_text("a tensor name of 70000"));
}

TEST_CASE("GgufFile lists types that it cannot decode", "[io][bad-input]") {
  const Bytes bytes = with_tensors({{.ne = {256}, .type = 12}, {.name = "u", .ne = {7}, .type = 999, .offset = 160}}, 160);
  const auto file = GgufFile::parse(bytes, "m.gguf");
  REQUIRE(file.has_value());
  CHECK(file->find("t")->data.size() == 144);
  CHECK(file->find("u")->data.empty());
  const auto known = file->dequantize(*file->find("t"));
  REQUIRE_FALSE(known.has_value());
  CHECK(known.error().code == ErrorCode::unsupported);
  CHECK_THAT(known.error().message, contains_text("m.gguf: tensor \"t\" is Q4_K") && contains_text("convert"));
  CHECK(file->dequantize(*file->find("u")).error().code == ErrorCode::unsupported);
}

TEST_CASE("dequantize refuses an output of another size", "[io][bad-input]") {
  const Bytes bytes = basin::test::small_gguf();
  const auto file = GgufFile::parse(bytes, "m.gguf");
  REQUIRE(file.has_value());
  std::array<float, 7> out{};
  const auto done = file->dequantize(*file->find("plain"), out);
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().code == ErrorCode::shape_mismatch);
  CHECK_THAT(done.error().message, contains_text("has 6 elements, the output 7"));
}

TEST_CASE("A tensor of an unknown type needs no bytes, not even padding", "[io][bad-input]") {
  basin::test::ByteWriter out;
  out.text("GGUF").put<std::uint32_t>(3).put<std::int64_t>(1).put<std::int64_t>(0);
  out.string("t").put<std::uint32_t>(0).put<std::uint32_t>(1000).put<std::uint64_t>(0);
  REQUIRE(out.bytes().size() % 32 != 0);  // data would begin past the end
  const auto file = basin::GgufFile::parse(out.bytes(), "m");
  REQUIRE(file.has_value());
  CHECK(file->tensors().at(0).data.data() == nullptr);
  CHECK_FALSE(file->dequantize(file->tensors()[0]).has_value());
}
