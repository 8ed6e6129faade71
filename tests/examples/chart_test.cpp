#include "support/axis.hpp"
#include "support/html_page.hpp"
#include "support/parts_table.hpp"
#include "support/svg_chart.hpp"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using basin::test::contains_text;
using support::Axis;

namespace {
std::vector<std::string> names(const Axis& axis) {
  std::vector<std::string> all;
  for (const auto& [value, name] : axis.ticks()) all.push_back(name);
  return all;
}
using Names = std::vector<std::string>;
}  // namespace

TEST_CASE("Axes have a few round marks between their ends", "[examples][reference]") {
  CHECK(names(Axis::exact("", 0, 1)) == Names{"0", "0.2", "0.4", "0.6", "0.8", "1"});
  CHECK(names(Axis::exact("", -5, 5)) == Names{"-4", "-2", "0", "2", "4"});
  CHECK(names(Axis::whole("", 0, 1)) == Names{"0", "1"});
  CHECK(names(Axis::logarithmic("", 0.01, 1)) == Names{"0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"});
  CHECK(names(Axis::logarithmic("", 1e-5, 1)) == Names{"1e-05", "0.0001", "0.001", "0.01", "0.1", "1"});
  CHECK(names(Axis::logarithmic("", 0.03, 0.08)) == Names{"0.04", "0.06", "0.08"});
  CHECK(names(Axis::named("", {"a", "b"})) == Names{"a", "b"});
}

TEST_CASE("Axes place what they show between 0 and 1, whatever the range", "[examples][property]") {
  const auto [low, high] = GENERATE(std::pair(1.0, 2.0), std::pair(1e-300, 1e300), std::pair(7.0, 7.0), std::pair(100.0, std::nextafter(100.0, 200.0)),
                                    std::pair(1.0, 1.0 + 1e-9), std::pair(1e-12, 3e-12));
  CAPTURE(low, high);
  for (const Axis& axis : {Axis::linear("", low, high), Axis::exact("", low, high), Axis::logarithmic("", low, high), Axis::whole("", low, high)}) {
    CHECK(axis.place(low) >= 0);
    CHECK(axis.place(high) <= 1);
    CHECK(axis.place(low) <= axis.place(high));
    CHECK(axis.ticks().size() <= 16);
    for (const auto& [value, name] : axis.ticks()) CHECK((axis.place(value) >= 0 && axis.place(value) <= 1));
  }
}

TEST_CASE("Charts leave out what is not finite and spell what HTML would read", "[examples][property]") {
  support::SvgChart chart("a < b", Axis::linear("x & y", 0, 1), Axis::linear("y", 0, 1));
  chart.add_line({{0, 0}, {0.5, std::nan("")}, {1, 1}}, 0);
  chart.add_point({HUGE_VAL, 0.5}, 1, "gone");
  chart.add_point({0.5, 0.5}, 1, "\"<here>\"");
  const std::string svg = chart.svg();
  CHECK_THAT(svg, contains_text("a &lt; b") && contains_text("x &amp; y") && contains_text("&quot;&lt;here&gt;&quot;"));
  CHECK_THAT(svg, !contains_text("nan") && !contains_text("inf") && !contains_text("gone"));
}

TEST_CASE("Bars of parts are to one scale", "[examples][reference]") {
  const std::string table = support::parts_table({"codes", "scales"}, "bits", {{"a", {3, 1}}, {"b", {2, 0}}}, 1);
  CHECK_THAT(table, contains_text("width:75.00%") && contains_text("width:25.00%") && contains_text("width:50.00%"));
  CHECK_THAT(table, contains_text("title=\"codes: 3.0 bits\"") && !contains_text("width:0.00%"));
}
