#include <basin/io/json_text.hpp>

#include "io/io_support.hpp"
#include "support/catch.hpp"

using basin::parse_json;
using basin::test::contains_text;

namespace {
std::string problem(std::string_view text) {
  const auto document = parse_json(text, "config.json");
  return document ? "no error" : document.error().message;
}
std::string repeat(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}
}  // namespace

TEST_CASE("parse_json gives the document", "[io][reference]") {
  const auto document = parse_json(R"({"a": [1, 2.5, null, true], "b": {"a": "x"}})", "config.json");
  REQUIRE(document.has_value());
  CHECK(document->size() == 2);
  CHECK(*document->find("a")->begin()->get_ptr<const nlohmann::json::number_unsigned_t*>() == 1);
  CHECK(parse_json(repeat("[", 32) + repeat("]", 32), "x").has_value());
}

TEST_CASE("parse_json refuses what would hurt or confuse", "[io][bad-input]") {
  CHECK_THAT(problem(R"({"a": 1, "a": 2})"), contains_text("config.json: the key \"a\" occurs twice"));
  CHECK_THAT(problem(repeat("[", 33) + repeat("]", 33)), contains_text("deeper than 32"));
  CHECK_THAT(problem(repeat("[", 1000000)), contains_text("deeper than 32"));
  CHECK_THAT(problem(repeat("{\"a\":", 1000000)), contains_text("deeper than 32"));
  for (const std::string_view bad : {"", "{", "{\"a\":}", "[1,]", "{} {}", "nan", "1e999999", "\"\xff\"", "\"\\ud800\""})
    CHECK_THAT(problem(bad), contains_text("not valid JSON"));
  CHECK_THAT(problem(std::string(basin::max_json_bytes + 1, ' ')), contains_text("the limit is"));
  const auto at = parse_json("{\"a\": ?}", "x");
  REQUIRE_FALSE(at.has_value());
  CHECK(at.error().offset == 7);
}

TEST_CASE("read_json names the file", "[io][bad-input]") {
  const basin::test::TempFolder folder;
  CHECK(basin::read_json(folder / "none.json").error().code == basin::ErrorCode::cannot_open);
  basin::test::write_file(folder / "bad.json", "{");
  CHECK_THAT(basin::read_json(folder / "bad.json").error().message, contains_text("bad.json: not valid JSON"));
  basin::test::write_file(folder / "good.json", "{\"n\": 3}");
  CHECK(basin::read_json(folder / "good.json").has_value());
}
