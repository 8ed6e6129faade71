#include <basin/io/mapped_file.hpp>

#include <utility>

#include "io/io_support.hpp"
#include "support/catch.hpp"

using basin::MappedFile;
using basin::test::contains_text;

TEST_CASE("MappedFile holds exactly the file's bytes", "[io][reference]") {
  const basin::test::TempFolder folder;
  const std::string text = GENERATE(std::string(), std::string("x"), std::string(10000, 'q'));
  basin::test::write_file(folder / "f", text);
  auto file = MappedFile::open(folder / "f");
  REQUIRE(file.has_value());
  const basin::test::Bytes bytes(file->bytes().begin(), file->bytes().end());
  CHECK(bytes == basin::test::to_bytes(text));
}

TEST_CASE("Bytes of a MappedFile stay where they are when it moves", "[io][property]") {
  const basin::test::TempFolder folder;
  basin::test::write_file(folder / "f", "abc");
  auto file = MappedFile::open(folder / "f");
  REQUIRE(file.has_value());
  const auto bytes = file->bytes();
  MappedFile moved = std::move(*file);
  MappedFile assigned;
  assigned = std::move(moved);
  CHECK(assigned.bytes().data() == bytes.data());
  CHECK(assigned.bytes()[2] == std::byte{'c'});
}

TEST_CASE("MappedFile names the path that it cannot open", "[io][bad-input]") {
  const basin::test::TempFolder folder;
  for (const auto& path : {folder / "missing.bin", folder.path()}) {
    const auto file = MappedFile::open(path);
    REQUIRE_FALSE(file.has_value());
    CHECK(file.error().code == basin::ErrorCode::cannot_open);
    CHECK_THAT(file.error().message, contains_text(path.string()));
  }
}
