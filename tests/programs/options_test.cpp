#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "io/io_support.hpp"
#include "support/catch.hpp"
#include "support/process.hpp"

namespace {
using Names = std::set<std::string>;

[[nodiscard]] Names matches(const std::string& text, const std::regex& pattern) {
  Names found;
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) found.insert((*at)[1]);
  return found;
}
[[nodiscard]] Names missing(const Names& of, const Names& in) {
  Names result;
  std::ranges::set_difference(of, in, std::inserter(result, result.end()));
  return result;
}
}  // namespace

TEST_CASE("The pages of the programs have their options, and no others", "[programs][property]") {
  const basin::test::TempFolder folder;
  Names options, described;
  for (const char* program : {"quantize_model", "quantize_layer", "perplexity", "generate", "inspect"}) {
    const auto help = basin::test::Process({std::string(BASIN_TEST_BIN_DIR "/") + program, "--help"}, folder / "log").wait();
    REQUIRE(help.status == 0);
    const Names own = matches(help.output, std::regex("\n +(?:-h,)?(--[a-z][a-z-]*)"));
    CHECK(own.size() > 4);
    options.insert(own.begin(), own.end());
  }
  for (const char* page : {"quantize_model", "llama", "inspect"}) {
    std::ifstream in(std::string(BASIN_TEST_SOURCE_DIR "/docs/examples/") + page + ".md");
    const Names own = matches({std::istreambuf_iterator<char>(in), {}}, std::regex("[ `|](--[a-z][a-z-]*)"));
    CHECK(own.size() > 3);
    described.insert(own.begin(), own.end());
  }
  CHECK(missing(options, described) == Names{});
  CHECK(missing(described, options) == Names{});
}
