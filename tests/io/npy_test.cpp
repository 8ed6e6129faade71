#include <basin/io/npy.hpp>

#include <limits>

#include "io/io_seeds.hpp"
#include "support/catch.hpp"

using basin::parse_npy;
using basin::test::Bytes;
using basin::test::contains_text;
using basin::test::npy_bytes;

namespace {
std::string problem(std::string_view dict, std::size_t size = 24) {
  const auto array = parse_npy<float>(npy_bytes(dict, Bytes(size)), "a.npy");
  return array ? "no error" : array.error().message;
}
template <class Stored>
std::vector<double> values_of(std::string_view descr, std::initializer_list<Stored> stored) {
  basin::test::ByteWriter data;
  for (const Stored value : stored) data.put(value);
  const auto dict = basin::concat("{'descr': '", descr, "', 'fortran_order': False, 'shape': (", stored.size(), ",), }\n");
  const auto array = parse_npy<double>(npy_bytes(dict, data.bytes()), "a.npy");
  REQUIRE(array.has_value());
  return array->data;
}
}  // namespace

TEST_CASE("parse_npy reads all header versions", "[io][reference]") {
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}, std::uint8_t{3}}) {
    const auto array = parse_npy<float>(basin::test::small_npy(version), "a.npy");
    REQUIRE(array.has_value());
    CHECK(array->shape == std::vector<std::int64_t>{2, 3});
    CHECK(array->data == std::vector<float>{0, 1, 2, 3, 4, 5});
  }
}

TEST_CASE("parse_npy turns Fortran order into rows", "[io][reference]") {
  const auto array = parse_npy<double>(basin::test::small_npy(1, true), "a.npy");
  REQUIRE(array.has_value());
  CHECK(array->shape == std::vector<std::int64_t>{2, 3});
  CHECK(array->data == std::vector<double>{0, 2, 4, 1, 3, 5});
  // [2, 3, 4] against the definition: element (i, j, k) is stored at i + 2 (j + 3 k).
  basin::test::ByteWriter data;
  for (int i = 0; i < 24; ++i) data.put(static_cast<std::uint8_t>(i));
  const auto cube = parse_npy<float>(
      npy_bytes("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }", data.bytes()), "a.npy");
  REQUIRE(cube.has_value());
  std::size_t at = 0;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 4; ++k) CHECK(cube->data[at++] == static_cast<float>(i + 2 * (j + 3 * k)));
}

TEST_CASE("parse_npy converts every number type", "[io][reference]") {
  CHECK(values_of<float>("<f4", {0.5f, -3e38f}) == std::vector<double>{0.5, double{-3e38f}});
  CHECK(values_of<double>("<f8", {0.1, -1e300}) == std::vector<double>{0.1, -1e300});
  CHECK(values_of<std::uint16_t>("<f2", {0x3800, 0xfbff}) == std::vector<double>{0.5, -65504});
  CHECK(values_of<std::int8_t>("|i1", {-128, 127}) == std::vector<double>{-128, 127});
  CHECK(values_of<std::uint8_t>("|u1", {0, 255}) == std::vector<double>{0, 255});
  CHECK(values_of<std::uint8_t>("|b1", {0, 1}) == std::vector<double>{0, 1});
  CHECK(values_of<std::int16_t>("<i2", {-32768}) == std::vector<double>{-32768});
  CHECK(values_of<std::uint16_t>("<u2", {65535}) == std::vector<double>{65535});
  CHECK(values_of<std::int32_t>("<i4", {-2147483647}) == std::vector<double>{-2147483647});
  CHECK(values_of<std::uint32_t>("<u4", {4294967295u}) == std::vector<double>{4294967295.0});
  CHECK(values_of<std::int64_t>("<i8", {-(1ll << 53)}) == std::vector<double>{-9007199254740992.0});
  CHECK(values_of<std::uint64_t>("<u8", {1ull << 53}) == std::vector<double>{9007199254740992.0});
}

TEST_CASE("parse_npy accepts the spellings that NumPy has used", "[io][reference]") {
  const std::string_view dicts[] = {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }",
                                    "{\"shape\":(6,),\"fortran_order\":False,\"descr\":\"<f4\"}",
                                    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3,)}        \n",
                                    "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"};
  for (const std::string_view dict : dicts) CHECK(problem(dict) == "no error");
  CHECK(problem("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4) == "no error");
  CHECK(problem("{'descr': '<f4', 'fortran_order': True, 'shape': (0, 3), }", 0) == "no error");
}

TEST_CASE("parse_npy refuses what it does not fully understand", "[io][bad-input]") {
  const std::string_view bad_dicts[] = {
      "", "{", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False, 'shape': (6)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': [6]}", "{'descr': '<f4', 'fortran_order': 0, 'shape': (6,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (-6,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}", "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
      "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'x': 'y'}",
      "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} x", "{'descr': '<f4' 'fortran_order': False, 'shape': (6,)}",
      "{'descr': '<\\x66', 'fortran_order': False, 'shape': (6,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), , }"};
  for (const std::string_view dict : bad_dicts) {
    CAPTURE(dict);
    CHECK_THAT(problem(dict), contains_text("a.npy: the header is not a dict"));
  }
  for (const std::string_view descr : {">f4", "=f4", "|f4", "<c8", "<U1", "<f16", "<f", "", "<f1", "<i3", "<b4", "<f0"}) {
    CAPTURE(descr);
    CHECK_THAT(problem(basin::concat("{'descr': '", descr, "', 'fortran_order': False, 'shape': (1,)}"), 8),
               contains_text("dtype") || contains_text("bytes"));
  }
  CHECK_THAT(problem("{'descr': '<f4', 'fortran_order': False, 'shape': (7,)}"), contains_text("needs 28 bytes"));
  CHECK_THAT(problem("{'descr': '<f4', 'fortran_order': False, 'shape': (5,)}"), contains_text("4 bytes follow"));
  CHECK_THAT(problem("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 2)}"), contains_text("overflows"));
  CHECK_THAT(problem("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}"), contains_text("overflows"));
  std::string many = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (int i = 0; i < 33; ++i) many += "1, ";
  CHECK_THAT(problem(many + ")}"), contains_text("not a dict"));
  CHECK(parse_npy<float>(basin::test::small_npy(4), "a").error().code == basin::ErrorCode::unsupported);
  CHECK(parse_npy<float>(basin::test::to_bytes("\x93NUMPX..."), "a").error().code == basin::ErrorCode::bad_magic);
}

TEST_CASE("A .npy file cut anywhere is an error", "[io][bad-input]") {
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}})
    basin::test::for_each_truncation(basin::test::small_npy(version), [](std::span<const std::byte> bytes) {
      REQUIRE_FALSE(parse_npy<float>(bytes, "a.npy").has_value());
    });
}

TEST_CASE("A damaged .npy file never reads outside itself", "[io][bad-input]") {
  basin::test::for_each_mutant(basin::test::small_npy(1, true), 20000, [](std::span<const std::byte> bytes) {
    static_cast<void>(parse_npy<double>(bytes, "a.npy"));
  });
}

TEST_CASE("write_npy writes these bytes", "[io][golden]") {
  const basin::test::TempFolder folder;
  const float data[] = {1.0f, 2.0f};
  const std::int64_t shape[] = {1, 2};
  REQUIRE(basin::write_npy<float>(folder / "a.npy", shape, data));
  std::string dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
  dict.resize(128 - 10 - 1, ' ');
  CHECK(basin::test::read_file(folder / "a.npy") ==
        npy_bytes(dict + "\n", basin::test::ByteWriter().put(1.0f).put(2.0f).bytes()));
}

TEST_CASE("What write_npy writes reads back", "[io][property]") {
  const basin::test::TempFolder folder;
  const std::vector<std::int64_t> shape = GENERATE(std::vector<std::int64_t>{}, std::vector<std::int64_t>{0},
                                                   std::vector<std::int64_t>{5}, std::vector<std::int64_t>{3, 1, 4});
  std::size_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
  std::vector<double> data(count);
  for (std::size_t i = 0; i < count; ++i) data[i] = 0.1 * static_cast<double>(i) - 1;
  REQUIRE(basin::write_npy<double>(folder / "a.npy", shape, data));
  const auto array = basin::read_npy<double>(folder / "a.npy");
  REQUIRE(array.has_value());
  CHECK(array->shape == shape);
  CHECK(array->data == data);
  std::vector<std::int64_t> integers(count, -7);
  REQUIRE(basin::write_npy<std::int64_t>(folder / "b.npy", shape, integers));
  CHECK(basin::read_npy<double>(folder / "b.npy")->data == std::vector<double>(count, -7.0));
  std::vector<std::uint8_t> bytes(count, 200);
  REQUIRE(basin::write_npy<std::uint8_t>(folder / "c.npy", shape, bytes));
  CHECK(basin::read_npy<double>(folder / "c.npy")->data == std::vector<double>(count, 200.0));
}

TEST_CASE("write_npy refuses a shape that is not the data's", "[io][bad-input]") {
  const basin::test::TempFolder folder;
  const float data[] = {1.0f, 2.0f};
  for (const std::int64_t extent : {std::int64_t{1}, std::int64_t{-2}, INT64_MAX}) {
    const std::int64_t shape[] = {extent, 4};
    CHECK_FALSE(basin::write_npy<float>(folder / "a.npy", shape, data).has_value());
  }
  CHECK(folder.num_files() == 0);
  CHECK(basin::read_npy<float>(folder / "a.npy").error().code == basin::ErrorCode::cannot_open);
}
