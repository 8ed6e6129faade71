#include <basin/io/atomic_file.hpp>

#include <optional>
#include <utility>

#include "io/io_support.hpp"
#include "support/catch.hpp"

using basin::AtomicFile;
using basin::test::contains_text;
using basin::test::read_file;
using basin::test::to_bytes;

TEST_CASE("AtomicFile appears on commit and replaces the old file", "[io][reference]") {
  const basin::test::TempFolder folder;
  basin::test::write_file(folder / "f", "old");
  auto file = AtomicFile::create(folder / "f");
  REQUIRE(file.has_value());
  REQUIRE(file->write("new "));
  REQUIRE(file->write(std::span<const std::byte>()));
  AtomicFile moved = std::move(*file);
  REQUIRE(moved.write("text"));
  CHECK(moved.size() == 8);
  CHECK(read_file(folder / "f") == to_bytes("old"));
  REQUIRE(moved.commit());
  CHECK(read_file(folder / "f") == to_bytes("new text"));
  CHECK(folder.num_files() == 1);
  CHECK_FALSE(moved.commit().has_value());
  CHECK_FALSE(moved.write("more").has_value());
}

TEST_CASE("AtomicFile without commit leaves the folder as it was", "[io][property]") {
  const basin::test::TempFolder folder;
  basin::test::write_file(folder / "f", "old");
  {
    auto file = AtomicFile::create(folder / "f");
    REQUIRE(file.has_value());
    REQUIRE(file->write("new"));
  }
  CHECK(read_file(folder / "f") == to_bytes("old"));
  CHECK(folder.num_files() == 1);
}

TEST_CASE("Two AtomicFiles of one path do not share a temporary", "[io][property]") {
  const basin::test::TempFolder folder;
  auto first = AtomicFile::create(folder / "f");
  auto second = AtomicFile::create(folder / "f");
  REQUIRE((first.has_value() && second.has_value()));
  REQUIRE(first->write("first"));
  REQUIRE(second->write("second"));
  REQUIRE(first->commit());
  CHECK(read_file(folder / "f") == to_bytes("first"));
  REQUIRE(second->commit());
  CHECK(read_file(folder / "f") == to_bytes("second"));
  CHECK(folder.num_files() == 1);
}

TEST_CASE("AtomicFile says which path it cannot write and why", "[io][bad-input]") {
  const basin::test::TempFolder folder;
  const auto nowhere = AtomicFile::create(folder / "missing/f");
  REQUIRE_FALSE(nowhere.has_value());
  CHECK(nowhere.error().code == basin::ErrorCode::cannot_write);
  CHECK_THAT(nowhere.error().message, contains_text("missing/f") && contains_text("No such file"));

  std::filesystem::create_directories(folder / "taken/by_a_folder");
  auto file = AtomicFile::create(folder / "taken");
  REQUIRE(file.has_value());
  REQUIRE(file->write("x"));
  CHECK_FALSE(file->commit().has_value());
  CHECK(folder.num_files() == 1);
}

#if defined(__unix__)
TEST_CASE("A disk that fills up leaves the old file and no temporary", "[io][bad-input]") {
  const basin::test::TempFolder folder;
  basin::test::write_file(folder / "f", "old");
  const auto size = GENERATE(std::size_t{100}, std::size_t{5000}, std::size_t{300000});  // fails in the flush, or in the write
  const basin::test::Bytes bytes(size, std::byte{1});
  std::optional<basin::Error> error;
  {
    const basin::test::FileSizeLimit limit(64);
    auto file = AtomicFile::create(folder / "f");
    if (!file) error = file.error();
    else if (const auto wrote = file->write(bytes); !wrote) error = wrote.error();
    else if (const auto done = file->commit(); !done) error = done.error();
  }
  REQUIRE(error.has_value());
  CHECK(error->code == basin::ErrorCode::cannot_write);
  CHECK_THAT(error->message, contains_text((folder / "f").string()) && contains_text("too large"));
  CHECK(read_file(folder / "f") == to_bytes("old"));
  CHECK(folder.num_files() == 1);
}
#endif

TEST_CASE("A device is not replaced by a file", "[io][bad-input]") {
  const auto file = basin::AtomicFile::create("/dev/full");
  REQUIRE(!file);
  CHECK(file.error().code == basin::ErrorCode::cannot_write);
  CHECK(file.error().message.find("/dev/full") != std::string::npos);
  CHECK(!std::filesystem::is_regular_file("/dev/full"));
}
