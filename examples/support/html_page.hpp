#pragma once

#include "output_file.hpp"

#include <basin/core/error.hpp>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace support {
/// Text as it stands between tags and in attributes.
inline std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

/// Rows of text, the first column to the left and the others to the right; wider than the page it scrolls.
class HtmlTable {
 public:
  explicit HtmlTable(const std::vector<std::string>& columns) : head_(row_of(columns, "th")) {}

  void add(const std::vector<std::string>& cells) { rows_ += row_of(cells, "td"); }
  /// The last cell is HTML.
  void add(const std::vector<std::string>& cells, const std::string& last) {
    std::string row = row_of(cells, "td");
    row.insert(row.size() - std::string_view("</tr>\n").size(), "<td>" + last + "</td>");
    rows_ += row;
  }
  [[nodiscard]] std::string html() const {
    return "<div class=\"wide\" tabindex=\"0\"><table>\n<thead>" + head_ + "</thead>\n<tbody>\n" + rows_ + "</tbody>\n</table></div>\n";
  }

 private:
  static std::string row_of(const std::vector<std::string>& cells, const std::string& tag) {
    std::string row = "<tr>";
    for (const std::string& cell : cells) row.append("<").append(tag).append(">").append(escape_html(cell)).append("</").append(tag).append(">");
    return row + "</tr>\n";
  }
  std::string head_, rows_;
};

/// One file without network or scripts, light and dark, narrow and wide. Series of charts and legends have the
/// colours of the classes s0 to s7.
class HtmlPage {
 public:
  static constexpr std::size_t num_colors = 8;
  static std::string series_class(std::size_t series) { return basin::concat("s", series % num_colors); }

  explicit HtmlPage(std::string_view title) : title_(escape_html(title)) {}

  /// @param id    of lower-case letters and underscores, once per page
  /// @param body  HTML
  void add_section(std::string_view id, std::string_view heading, std::string_view body) {
    body_.append("<section id=\"").append(id).append("\">\n<h2>").append(escape_html(heading)).append("</h2>\n");
    body_.append(body).append("\n</section>\n");
  }
  [[nodiscard]] std::string text() const {
    return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" + title_ + "</title>\n"
           "<link rel=\"icon\" href=\"data:,\">\n<style>\n" + std::string(style) + "</style>\n</head>\n<body>\n<h1>" + title_ + "</h1>\n" +
           body_ + "</body>\n</html>\n";
  }
  /// Whole or not at all.
  void write(const std::filesystem::path& path) const {
    basin::AtomicFile file = create_output(path);
    check(file.write(text()));
    check(file.commit());
  }

 private:
  static constexpr std::string_view style = R"css(:root {
  color-scheme: light dark;
  --ground: #fff; --ink: #1f2328; --muted: #59636e; --line: #d1d9e0; --faint: #f3f5f7;
  --c0: #0969da; --c1: #bc4c00; --c2: #1a7f37; --c3: #8250df; --c4: #bf3989; --c5: #9a6700; --c6: #0f7b8a; --c7: #57606a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0d1117; --ink: #e6edf3; --muted: #9198a1; --line: #3d444d; --faint: #161b22;
    --c0: #58a6ff; --c1: #f0883e; --c2: #3fb950; --c3: #bc8cff; --c4: #f778ba; --c5: #d9a520; --c6: #39c5cf; --c7: #9ea7b3;
  }
}
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p, .legend { max-width: 48rem; } p { margin: .5rem 0; } .note, figcaption, .legend { color: var(--muted); font-size: .875rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .875rem; margin: .5rem 0; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { vertical-align: bottom; } th:first-child, td:first-child { text-align: left; padding-left: 0; }
tbody tr:hover { background: var(--faint); }
.wide { overflow-x: auto; } .tall { max-height: 32rem; overflow: auto; } .tall th { position: sticky; top: 0; background: var(--ground); }
.tall .wide { overflow: visible; }
summary { cursor: pointer; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: 1rem 1.5rem; }
.panels.large { grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); }
figure { margin: 0; } figcaption { font-weight: 600; color: var(--ink); }
svg { display: block; width: 100%; height: auto; } svg.spark { width: 6rem; height: 1.5rem; }
svg text { font: 11px system-ui, sans-serif; fill: var(--muted); font-variant-numeric: tabular-nums; }
.grid { stroke: var(--line); stroke-width: 1; opacity: .6; } .frame { stroke: var(--muted); stroke-width: 1; fill: none; }
.guide { stroke: var(--muted); stroke-width: 1.5; stroke-dasharray: 2 3; fill: none; }
.s0 { --c: var(--c0); } .s1 { --c: var(--c1); } .s2 { --c: var(--c2); } .s3 { --c: var(--c3); }
.s4 { --c: var(--c4); } .s5 { --c: var(--c5); } .s6 { --c: var(--c6); } .s7 { --c: var(--c7); }
.mark { fill: var(--c); stroke: var(--ground); stroke-width: .75; } circle.mark { opacity: .85; } .mark:hover { stroke: var(--ink); }
.curve { stroke: var(--c); stroke-width: 2; fill: none; stroke-linejoin: round; }
.dashed { stroke-dasharray: 5 3; stroke-width: 1.5; opacity: .8; } .thin { stroke-width: 1; opacity: .2; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .5rem 0; }
.swatch { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; background: var(--c); margin-right: .4rem; vertical-align: -1px; }
.swatch.line { height: 0; width: 1.4rem; border-radius: 0; background: none; border-top: 2px solid var(--c, var(--muted)); vertical-align: 4px; }
.swatch.line.broken { border-top-style: dashed; } .swatch.line.dotted { border-top-style: dotted; } .swatch.line.faint { border-top-width: 1px; opacity: .5; }
.parts { display: flex; width: 100%; min-width: 10rem; height: 1rem; } .parts span { background: var(--c); border-right: 1px solid var(--ground); }
.split td:last-child, .split th:last-child { width: 100%; text-align: left; } .split table { width: 100%; max-width: 60rem; }
)css";

  std::string title_, body_;
};

/// What a colour or a kind of line stands for.
class Legend {
 public:
  void add(std::string_view name, std::size_t series) { entry("swatch " + HtmlPage::series_class(series), name); }
  void add_line(std::string_view name, std::string_view look) { entry("swatch line " + std::string(look), name); }
  [[nodiscard]] std::string html() const { return "<div class=\"legend\">" + entries_ + "</div>\n"; }

 private:
  void entry(const std::string& look, std::string_view name) {
    entries_.append("<span><span class=\"").append(look).append("\"></span>").append(escape_html(name)).append("</span>");
  }
  std::string entries_;
};

}  // namespace support
