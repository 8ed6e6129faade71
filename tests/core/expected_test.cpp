#include <basin/core/expected.hpp>

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "support/catch.hpp"

using basin::Error;
using basin::ErrorCode;
using basin::Expected;

TEST_CASE("Expected holds a value", "[core][reference]") {
  Expected<std::string> text(std::string("basin"));
  REQUIRE(text.has_value());
  REQUIRE(text);
  CHECK(*text == "basin");
  CHECK(text->size() == 5);
  *text += '!';
  CHECK(*std::as_const(text) == "basin!");
  CHECK(std::as_const(text)->size() == 6);
}

TEST_CASE("Expected holds an error with code, message and offset", "[core][reference]") {
  const Expected<int> failed(Error{ErrorCode::truncated, "a.npy: ends in its header", 7});
  REQUIRE_FALSE(failed.has_value());
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == ErrorCode::truncated);
  CHECK(failed.error().message == "a.npy: ends in its header");
  CHECK(failed.error().offset == 7);
}

TEST_CASE("Expected hands out values that only move", "[core][property]") {
  Expected<std::unique_ptr<int>> made(std::make_unique<int>(3));
  const std::unique_ptr<int> taken = *std::move(made);
  CHECK(*taken == 3);
}

TEST_CASE("Expected of an Error-like or bool value is not confused by its type", "[core][property]") {
  const Expected<bool> no(false);
  REQUIRE(no);
  CHECK_FALSE(*no);
}

TEST_CASE("Status is success without a value", "[core][reference]") {
  const basin::Status done{basin::Done{}};
  CHECK(done);
  const basin::Status full{Error{ErrorCode::cannot_write, "disk full"}};
  CHECK_FALSE(full);
  CHECK(full.error().offset == 0);
}

TEST_CASE("Every error code has a name of its own", "[core][reference]") {
  std::set<std::string_view> names;
  int codes = 0;
  for (int code = 0; to_string(static_cast<ErrorCode>(code)) != "unknown"; ++code, ++codes)
    names.insert(to_string(static_cast<ErrorCode>(code)));
  CHECK(codes == 1 + static_cast<int>(ErrorCode::shape_mismatch));
  CHECK(names.size() == static_cast<std::size_t>(codes));
}
