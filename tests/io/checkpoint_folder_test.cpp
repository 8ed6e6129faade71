#include <basin/io/checkpoint_folder.hpp>  // first: proves the header stands alone

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "io/io_support.hpp"
#include "laws/storage_laws.hpp"
#include "support/catch.hpp"

using basin::CheckpointFolder;
using basin::test::contains_text;
namespace fs = std::filesystem;

static_assert(basin::CheckpointStorage<CheckpointFolder>);

namespace {
CheckpointFolder open(const fs::path& path) {
  auto folder = CheckpointFolder::open(path);
  REQUIRE(folder.has_value());
  return *std::move(folder);
}
std::vector<std::byte> bytes(int n) { return std::vector<std::byte>(static_cast<std::size_t>(n), std::byte{42}); }
}  // namespace

TEST_CASE("A folder of records keeps the laws of storage", "[io][property]") {
  const basin::test::TempFolder folder;
  basin::test::check_storage_laws(open(folder / "deep/checkpoint"));
  CHECK(folder.num_files() == 1);
}

TEST_CASE("Records outlive the process; the last one to go is the one that was named", "[io][property]") {
  const basin::test::TempFolder folder;
  {
    const CheckpointFolder records = open(folder / "c");
    REQUIRE(records.write("run", bytes(3)).has_value());
    REQUIRE(records.write("layer", bytes(4)).has_value());
  }
  CheckpointFolder again = open(folder / "c");
  CHECK(*again.read("layer") == bytes(4));
  CHECK(again.remove("run").has_value());
  CHECK(!fs::exists(folder / "c"));
  CHECK(open(folder / "c").read("run")->has_value() == false);
}

TEST_CASE("What a killed process was writing is removed, a host's own files are not", "[io][property]") {
  const basin::test::TempFolder folder;
  fs::create_directories(folder / "c");
  for (const char* name : {"a.ckpt.tmp-0", "a.ckpt.tmp-17", "a.ckpt.tmp-x", "notes.tmp-0", "a.ckpt.tmp-"}) std::ofstream(folder / "c" / name) << "x";
  CheckpointFolder records = open(folder / "c");
  CHECK(!fs::exists(folder / "c" / "a.ckpt.tmp-0"));
  CHECK(!fs::exists(folder / "c" / "a.ckpt.tmp-17"));
  CHECK(fs::exists(folder / "c" / "a.ckpt.tmp-x"));
  CHECK(fs::exists(folder / "c" / "notes.tmp-0"));
  CHECK(fs::exists(folder / "c" / "a.ckpt.tmp-"));
  REQUIRE(records.write("a", bytes(1)).has_value());
  CHECK(records.remove("a").has_value());
  CHECK(fs::exists(folder / "c" / "notes.tmp-0"));
  CHECK(!fs::exists(folder / "c" / "a.ckpt"));
}

TEST_CASE("A folder of records is one process's at a time", "[io][bad-input]") {
  const basin::test::TempFolder folder;
  {
    const CheckpointFolder first = open(folder / "c");
    const auto second = CheckpointFolder::open(folder / "c");
    REQUIRE(!second.has_value());
    CHECK(second.error().code == basin::ErrorCode::cannot_open);
    CHECK_THAT(second.error().message, contains_text("another process"));
  }
  CHECK(CheckpointFolder::open(folder / "c").has_value());

  std::ofstream(folder / "file") << "x";
  const auto blocked = CheckpointFolder::open(folder / "file");
  REQUIRE(!blocked.has_value());
  CHECK(blocked.error().code == basin::ErrorCode::cannot_write);
  CHECK_THAT(blocked.error().message, contains_text("cannot create the directory"));
}
