#include <basin/io/safetensors.hpp>

#include <array>
#include <limits>

#include "io/io_seeds.hpp"
#include "support/catch.hpp"

using basin::ErrorCode;
using basin::SafetensorsFile;
using basin::SafetensorsModel;
using basin::SafetensorsType;
using basin::SafetensorsWriter;
using basin::test::Bytes;
using basin::test::contains_text;
using basin::test::safetensors_bytes;

namespace {
basin::Error error_of(const Bytes& bytes) {
  const auto file = SafetensorsFile::parse(bytes, "f");
  REQUIRE_FALSE(file.has_value());
  CHECK_THAT(file.error().message, contains_text("f: "));
  return file.error();
}
// Of a file whose header is `header` and that has `size` bytes of data.
basin::Error error_of(std::string_view header, std::size_t size) {
  return error_of(safetensors_bytes(header, Bytes(size)));
}
Bytes floats(std::initializer_list<float> values) {
  basin::test::ByteWriter out;
  for (const float value : values) out.put(value);
  return out.bytes();
}
}  // namespace

TEST_CASE("SafetensorsFile finds tensors, values and metadata", "[io][reference]") {
  const Bytes bytes = basin::test::small_safetensors();
  const auto file = SafetensorsFile::parse(bytes, "f");
  REQUIRE(file.has_value());
  REQUIRE(file->tensors().size() == 4);
  const auto* const a = file->find("a.weight");
  REQUIRE(a != nullptr);
  CHECK(a->type == SafetensorsType::f32);
  CHECK(a->shape == std::vector<std::int64_t>{2, 1});
  CHECK(*basin::read_floats(*a) == std::vector<float>{1.5f, -2.0f});
  CHECK(*basin::read_floats(*file->find("b")) == std::vector<float>{0.5f, -3.0f});
  CHECK(file->find("b")->offset == bytes.size() - 5);
  CHECK(file->find("c")->num_elements() == 1);
  CHECK(file->find("empty")->data.empty());
  CHECK(file->find("missing") == nullptr);
  CHECK(file->metadata("format") == "pt");
  CHECK_FALSE(file->metadata("other").has_value());
}

TEST_CASE("read_floats decodes every float type", "[io][reference]") {
  basin::test::ByteWriter data;
  data.put(0.1).put(-1e300).put<std::uint16_t>(0x3fc0).put<std::uint16_t>(0xc2f7);
  const Bytes bytes = safetensors_bytes(R"({"d":{"dtype":"F64","shape":[2],"data_offsets":[0,16]},)"
                                        R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[16,20]}})",
                                        data.bytes());
  const auto file = SafetensorsFile::parse(bytes, "f");
  REQUIRE(file.has_value());
  CHECK(*basin::read_floats(*file->find("d")) ==
        std::vector<float>{0.1f, -std::numeric_limits<float>::infinity()});
  CHECK(*basin::read_floats(*file->find("b")) == std::vector<float>{1.5f, -123.5f});
}

TEST_CASE("read_floats refuses other types and sizes", "[io][bad-input]") {
  const Bytes bytes = basin::test::small_safetensors();
  const auto file = SafetensorsFile::parse(bytes, "f");
  REQUIRE(file.has_value());
  const auto integers = basin::read_floats(*file->find("c"));
  REQUIRE_FALSE(integers.has_value());
  CHECK(integers.error().code == ErrorCode::unsupported);
  CHECK_THAT(integers.error().message, contains_text("f: tensor \"c\": values of type I8"));
  std::array<float, 3> wrong{};
  const auto read = basin::read_floats(*file->find("b"), wrong);
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().code == ErrorCode::shape_mismatch);
}

TEST_CASE("Every safetensors type has the size and name of the format", "[io][golden]") {
  const std::pair<std::string_view, std::size_t> all[] = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"U16", 2}, {"I16", 2}, {"F16", 2},
      {"BF16", 2}, {"U32", 4}, {"I32", 4}, {"F32", 4},     {"U64", 8},     {"I64", 8}, {"F64", 8}, {"C64", 8}};
  for (const auto& [name, size] : all) {
    const auto type = basin::parse_safetensors_type(name);
    REQUIRE(type.has_value());
    CHECK(basin::to_string(*type) == name);
    CHECK(basin::element_size(*type) == size);
  }
  CHECK(basin::to_string(SafetensorsType::f32) == "F32");
  CHECK(basin::to_string(SafetensorsType::c64) == "C64");
  CHECK_FALSE(basin::parse_safetensors_type("F4").has_value());
}

TEST_CASE("A safetensors file cut anywhere is an error", "[io][bad-input]") {
  basin::test::for_each_truncation(basin::test::small_safetensors(), [](std::span<const std::byte> bytes) {
    const auto file = SafetensorsFile::parse(bytes, "f");
    CAPTURE(bytes.size());
    REQUIRE_FALSE(file.has_value());
  });
}

TEST_CASE("A damaged safetensors file never reads outside itself", "[io][bad-input]") {
  int accepted = 0;
  basin::test::for_each_mutant(basin::test::small_safetensors(), 20000, [&](std::span<const std::byte> bytes) {
    const auto file = SafetensorsFile::parse(bytes, "f");
    if (!file) return;
    ++accepted;
    for (const auto& tensor : file->tensors()) static_cast<void>(basin::read_floats(tensor));
  });
  CHECK(accepted > 100);  // mutants of the data part are valid files
}

TEST_CASE("SafetensorsFile says what is wrong with a header", "[io][bad-input]") {
  const auto one = [](std::string_view fields, std::size_t size = 8) {
    return error_of(basin::concat("{\"t\":{", fields, "}}"), size).message;
  };
  CHECK(error_of(Bytes(7)).code == ErrorCode::truncated);
  CHECK(error_of(basin::test::ByteWriter().put<std::uint64_t>(100'000'001).bytes()).code == ErrorCode::too_large);
  CHECK(error_of(basin::test::ByteWriter().put(~std::uint64_t{0}).bytes()).code == ErrorCode::too_large);
  CHECK(error_of(basin::test::ByteWriter().put<std::uint64_t>(100).text("{}").bytes()).code == ErrorCode::truncated);
  CHECK_THAT(error_of("", 0).message, contains_text("does not start with '{'"));
  CHECK_THAT(error_of(" {}", 0).message, contains_text("does not start with '{'"));
  CHECK_THAT(error_of("{} x", 0).message, contains_text("not valid JSON"));
  CHECK_THAT(error_of("{}", 3).message, contains_text("3 bytes belong to no tensor"));
  CHECK_THAT(one(R"("dtype":"F32","shape":[1],"data_offsets":[0,8])"), contains_text("\"t\": dtype x shape is 4 bytes"));
  CHECK_THAT(one(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])"), contains_text("run backwards"));
  CHECK_THAT(one(R"("dtype":"F32","shape":[4],"data_offsets":[0,16])"), contains_text("may be cut short"));
  CHECK_THAT(one(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])"), contains_text("after a hole"));
  CHECK_THAT(one(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8])"), contains_text("overflows"));
  CHECK_THAT(one(R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8])"), contains_text("overflows"));
  CHECK_THAT(one(R"("dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,8])"), contains_text("beyond 64 bits"));
  CHECK_THAT(one(R"("dtype":"F32","shape":[-1],"data_offsets":[0,8])"), contains_text("negative"));
  CHECK_THAT(one(R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])"), contains_text("fraction"));
  CHECK_THAT(one(R"("dtype":"F32","shape":[[2]],"data_offsets":[0,8])"), contains_text("unexpected an array"));
  CHECK_THAT(one(R"("dtype":"F32","shape":2,"data_offsets":[0,8])"), contains_text("unexpected a number"));
  CHECK_THAT(one(R"("dtype":"F32","shape":[2],"data_offsets":[0])"), contains_text("[begin, end]"));
  CHECK_THAT(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8,8])"), contains_text("[begin, end]"));
  CHECK_THAT(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,"8"])"), contains_text("unexpected a string"));
  CHECK_THAT(one(R"("dtype":"Q4","shape":[2],"data_offsets":[0,8])"), contains_text("dtype \"Q4\" is not supported"));
  CHECK_THAT(one(R"("dtype":3,"shape":[2],"data_offsets":[0,8])"), contains_text("unexpected a number"));
  CHECK_THAT(one(R"("dtype":null,"shape":[2],"data_offsets":[0,8])"), contains_text("unexpected null"));
  CHECK_THAT(one(R"("dtype":"F32","data_offsets":[0,8])"), contains_text("needs dtype, shape"));
  CHECK_THAT(one(R"("dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8])"), contains_text("occurs twice"));
  CHECK_THAT(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1)"), contains_text("unknown field \"x\""));
  CHECK_THAT(one(R"("dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,8],"data_offsets":[0,8])"),
             contains_text("more than 16"));
  constexpr std::string_view two =
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})";
  CHECK_THAT(error_of(two, 8).message, contains_text("the name \"a\" occurs twice"));
  constexpr std::string_view overlap =
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})";
  CHECK_THAT(error_of(overlap, 8).message, contains_text("\"b\": its data begins at 4, inside"));
  CHECK_THAT(error_of(R"({"__metadata__":{"a":1}})", 0).message, contains_text("unexpected a number"));
  CHECK_THAT(error_of(R"({"__metadata__":{"a":"1","a":"2"}})", 0).message, contains_text("twice"));
  CHECK_THAT(error_of(R"({"__metadata__":{},"__metadata__":{}})", 0).message, contains_text("twice"));
  CHECK_THAT(error_of(R"({"t":[]})", 0).message, contains_text("\"t\": unexpected an array"));
  std::string deep = "{\"t\":";
  for (int i = 0; i < 500000; ++i) deep += "{\"a\":";
  CHECK_THAT(error_of(deep, 0).message, contains_text("unknown field"));
}

TEST_CASE("SafetensorsWriter writes these bytes", "[io][golden]") {
  const basin::test::TempFolder folder;
  SafetensorsWriter writer;
  const Bytes halves = basin::test::ByteWriter().put<std::uint16_t>(0x3c00).bytes();
  const Bytes wide = floats({1.0f, 2.0f});
  REQUIRE(writer.add("h\"1", SafetensorsType::f16, {1}, halves));
  REQUIRE(writer.add("w", SafetensorsType::f32, {1, 2}, wide));
  REQUIRE(writer.set_metadata("k", "v"));
  REQUIRE(writer.write(folder / "f"));
  std::string header = R"({"__metadata__":{"k":"v"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
                       R"("h\"1":{"dtype":"F16","shape":[1],"data_offsets":[8,10]}})";
  while (header.size() % 8 != 0) header += ' ';
  Bytes data = wide;
  data.insert(data.end(), halves.begin(), halves.end());
  CHECK(basin::test::read_file(folder / "f") == safetensors_bytes(header, data));
}

TEST_CASE("What SafetensorsWriter writes reads back, and writes the same again", "[io][property]") {
  const basin::test::TempFolder folder;
  basin::SplitMix64 rng(GENERATE(range(0u, 10u)));
  SafetensorsWriter writer;
  std::vector<Bytes> kept;
  const auto count = static_cast<std::size_t>(rng.below(12));
  for (std::size_t i = 0; i < count; ++i) {
    const auto type = static_cast<SafetensorsType>(rng.below(16));
    std::vector<std::int64_t> shape;
    std::size_t size = basin::element_size(type);
    for (std::uint64_t rank = rng.below(4); rank > 0; --rank) {
      shape.push_back(static_cast<std::int64_t>(rng.below(4)));
      size *= static_cast<std::size_t>(shape.back());
    }
    Bytes data(size);
    for (std::byte& byte : data) byte = static_cast<std::byte>(rng.below(256));
    kept.push_back(data);
    REQUIRE(writer.add("tensor \xc3\xa9/" + std::to_string(i), type, shape, std::move(data)));
  }
  REQUIRE(writer.write(folder / "a"));
  const auto file = SafetensorsFile::open(folder / "a");
  REQUIRE(file.has_value());
  CHECK(file->tensors().size() == count);
  SafetensorsWriter again;
  for (const auto& tensor : file->tensors()) {
    CHECK((tensor.data.empty() || tensor.offset % basin::element_size(tensor.type) == 0));
    REQUIRE(again.add(tensor.name, tensor.type, tensor.shape, tensor.data));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto* const tensor = file->find("tensor \xc3\xa9/" + std::to_string(i));
    REQUIRE(tensor != nullptr);
    CHECK(Bytes(tensor->data.begin(), tensor->data.end()) == kept[i]);
  }
  REQUIRE(again.write(folder / "b"));
  CHECK(basin::test::read_file(folder / "b") == basin::test::read_file(folder / "a"));
}

TEST_CASE("SafetensorsWriter refuses tensors that it could not read back", "[io][bad-input]") {
  SafetensorsWriter writer;
  const Bytes four(4);
  REQUIRE(writer.add("a", SafetensorsType::f32, {}, four));
  const auto problem = [&](std::string name, std::vector<std::int64_t> shape) {
    const auto added = writer.add(std::move(name), SafetensorsType::f32, std::move(shape), four);
    return added ? std::string("no error") : added.error().message;
  };
  CHECK_THAT(problem("a", {1}), contains_text("already taken"));
  CHECK_THAT(problem("__metadata__", {1}), contains_text("reserved"));
  CHECK_THAT(problem("\xff", {1}), contains_text("UTF-8"));
  CHECK_THAT(problem("b", {2}), contains_text("8 bytes, but 4 were given"));
  CHECK_THAT(problem("b", {-1}), contains_text("-1"));
  CHECK_THAT(problem("b", {INT64_MAX, INT64_MAX}), contains_text("overflows"));
  CHECK_FALSE(writer.set_metadata("k", "\xff").has_value());
  CHECK(writer.size() == 1);
  const basin::test::TempFolder folder;
  CHECK(writer.write(folder / "none/f").error().code == ErrorCode::cannot_write);
}

TEST_CASE("SafetensorsModel opens a file, a folder or an index", "[io][reference]") {
  const basin::test::TempFolder folder;
  const auto write = [&](const std::string& file, const std::string& name, float value) {
    SafetensorsWriter writer;
    REQUIRE(writer.add(name, SafetensorsType::f32, {1}, floats({value})));
    REQUIRE(writer.set_metadata("from", file));
    REQUIRE(writer.write(folder / file));
  };
  write("model.safetensors", "one", 1.0f);
  for (const auto& path : {folder.path(), folder / "model.safetensors"}) {
    const auto model = SafetensorsModel::open(path);
    REQUIRE(model.has_value());
    REQUIRE(model->find("one") != nullptr);
    CHECK(*basin::read_floats(*model->find("one")) == std::vector<float>{1.0f});
  }
  write("s1.safetensors", "a", 2.0f);
  write("s2.safetensors", "b", 3.0f);
  basin::test::write_file(folder / "model.safetensors.index.json",
                          R"({"metadata":{},"weight_map":{"a":"s1.safetensors","b":"s2.safetensors"}})");
  auto opened = SafetensorsModel::open(folder.path());  // the index wins
  REQUIRE(opened.has_value());
  const SafetensorsModel model = std::move(*opened);
  CHECK(model.tensors().size() == 2);
  CHECK(model.files().size() == 2);
  CHECK(model.find("one") == nullptr);
  CHECK(*basin::read_floats(*model.find("b")) == std::vector<float>{3.0f});
  CHECK(model.metadata("from") == "s1.safetensors");
}

TEST_CASE("SafetensorsModel refuses an index that lies", "[io][bad-input]") {
  const basin::test::TempFolder folder;
  basin::test::write_file(folder / "s.safetensors", basin::test::small_safetensors());
  std::filesystem::create_directories(folder / "sub");
  const auto problem = [&](std::string_view text) {
    basin::test::write_file(folder / "sub/model.safetensors.index.json", text);
    const auto model = SafetensorsModel::open(folder / "sub");
    return model ? std::string("no error") : model.error().message;
  };
  CHECK_THAT(problem("[]"), contains_text("no object \"weight_map\""));
  CHECK_THAT(problem(R"({"weight_map":[]})"), contains_text("no object \"weight_map\""));
  CHECK_THAT(problem(R"({"weight_map":{"a":1}})"), contains_text("tensor \"a\": the shard must be"));
  for (const std::string_view shard : {"../s.safetensors", "/etc/passwd", "..", ".", "", "a\\\\b", "a\\u0000b"})
    CHECK_THAT(problem(basin::concat(R"({"weight_map":{"a":")", shard, "\"}}")), contains_text("the shard must be"));
  CHECK_THAT(problem(R"({"weight_map":{"a":"none.safetensors"}})"), contains_text("none.safetensors: cannot open"));
  basin::test::write_file(folder / "sub/s.safetensors", basin::test::small_safetensors());
  CHECK_THAT(problem(R"({"weight_map":{"zzz":"s.safetensors"}})"), contains_text("tensor \"zzz\" is not in"));
  CHECK_THAT(problem(R"({"weight_map":{"b":"s.safetensors"}})"), contains_text("no error"));
  CHECK(SafetensorsModel::open(folder / "nothing").error().code == ErrorCode::cannot_open);
}
