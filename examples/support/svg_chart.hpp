#pragma once

#include "axis.hpp"
#include "html_page.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {
/// Marks between two axes, as inline SVG that takes its colours from an HtmlPage. What is not finite is left out.
class SvgChart {
 public:
  struct Size {
    double width = 290, height = 200;
  };
  enum class Line { solid, dashed, thin };
  using Point = std::pair<double, double>;

  SvgChart(std::string_view description, Axis x, Axis y) : SvgChart(description, std::move(x), std::move(y), Size{}) {}
  SvgChart(std::string_view description, Axis x, Axis y, Size size)
      : description_(escape_html(description)), x_(std::move(x)), y_(std::move(y)), size_(size) {}

  void add_line(const std::vector<Point>& points, std::size_t series, Line look = Line::solid) {
    std::string names = "curve " + HtmlPage::series_class(series);
    if (look != Line::solid) names += look == Line::dashed ? " dashed" : " thin";
    add_path(points, names);
  }
  /// A line that stands for no series: a reference to read others by.
  void add_guide(const std::vector<Point>& points) { add_path(points, "guide"); }
  /// @param title  shown where a pointer rests on it
  void add_point(Point at, std::size_t series, std::string_view title) {
    if (!std::isfinite(at.first) || !std::isfinite(at.second)) return;
    append(marks_, "<circle class=\"mark %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\">", HtmlPage::series_class(series).c_str(), x(at.first), y(at.second));
    marks_.append("<title>").append(escape_html(title)).append("</title></circle>\n");
  }
  /// From the bottom up to `value`.
  void add_bar(double from, double to, double value, std::size_t series, std::string_view title) {
    append(marks_, "<rect class=\"mark %s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">", HtmlPage::series_class(series).c_str(), x(from),
           y(value), x(to) - x(from), bottom() - y(value));
    marks_.append("<title>").append(escape_html(title)).append("</title></rect>\n");
  }

  [[nodiscard]] std::string svg() const {
    std::string out;
    append(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", size_.width, size_.height, description_.c_str());
    for (const auto& [value, name] : y_.ticks()) {
      append(out, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", left, right(), y(value), y(value));
      append(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left - 5, y(value) + 4, escape_html(name).c_str());
    }
    double free_from = 0;  // names that would touch the one before are left out
    for (const auto& [value, name] : x_.ticks()) {
      append(out, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", x(value), x(value), top, bottom());
      const double half = 3.4 * static_cast<double>(name.size());
      if (x(value) - half < free_from) continue;
      free_from = x(value) + half + 4;
      append(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", x(value), bottom() + 14, escape_html(name).c_str());
    }
    append(out, "<path class=\"frame\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", left, top, bottom(), right());
    append(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", (left + right()) / 2, size_.height - 4, escape_html(x_.label()).c_str());
    append(out, "<text transform=\"translate(11 %.1f) rotate(-90)\" text-anchor=\"middle\">%s</text>\n", (top + bottom()) / 2,
           escape_html(y_.label()).c_str());
    return out + marks_ + "</svg>\n";
  }
  /// With a title above.
  [[nodiscard]] std::string figure(std::string_view caption) const {
    return "<figure><figcaption>" + escape_html(caption) + "</figcaption>\n" + svg() + "</figure>\n";
  }

 private:
  static constexpr double left = 54, top = 8;
  [[nodiscard]] double right() const noexcept { return size_.width - 10; }
  [[nodiscard]] double bottom() const noexcept { return size_.height - 36; }
  [[nodiscard]] double x(double value) const { return left + x_.place(value) * (right() - left); }
  [[nodiscard]] double y(double value) const { return bottom() - y_.place(value) * (bottom() - top); }

  void add_path(const std::vector<Point>& points, const std::string& names) {
    std::string path;
    for (const auto& [at, value] : points)
      if (std::isfinite(at) && std::isfinite(value)) append(path, "%c%.1f %.1f", path.empty() ? 'M' : 'L', x(at), y(value));
    if (!path.empty()) marks_.append("<path class=\"").append(names).append("\" d=\"").append(path).append("\"/>\n");
  }
  template <class... Values>
  static void append(std::string& out, const char* format, Values... values) {
    const int size = std::snprintf(nullptr, 0, format, values...);
    std::string text(static_cast<std::size_t>(size) + 1, '\0');
    std::snprintf(text.data(), text.size(), format, values...);
    text.pop_back();
    out += text;
  }

  std::string description_, marks_;
  Axis x_, y_;
  Size size_;
};

/// A histogram of the size of a word, without axes.
inline std::string sparkline(const std::vector<double>& values) {
  double most = 0;
  for (const double value : values) most = std::max(most, value);
  std::string path;
  for (std::size_t i = 0; i < values.size() && most > 0; ++i) {
    char step[48];
    std::snprintf(step, sizeof step, "%c%zu %.3g", i == 0 ? 'M' : 'L', i, 20 - 19 * values[i] / most);
    path += step;
  }
  return "<svg class=\"spark\" viewBox=\"0 0 " + std::to_string(values.empty() ? 1 : values.size() - 1) +
         " 21\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path class=\"curve s0\" vector-effect=\"non-scaling-stroke\" d=\"" + path +
         "\"/></svg>";
}

}  // namespace support
