#pragma once

#include "html_page.hpp"
#include "number_text.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace support {
namespace detail {
/// A bar cut into (title, length); `whole` is the length of the longest bar beside it.
inline std::string parts_bar(const std::vector<std::pair<std::string, double>>& parts, double whole) {
  std::string bar = "<div class=\"parts\">";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!(parts[i].second > 0)) continue;
    bar.append("<span class=\"").append(HtmlPage::series_class(i)).append("\" style=\"width:").append(fixed_number(100 * parts[i].second / whole, 2));
    bar.append("%\" title=\"").append(escape_html(parts[i].first)).append("\"></span>");
  }
  return bar + "</div>";
}
}  // namespace detail

/// A row of a parts_table: a whole and what it is made of.
struct Parts {
  std::string name;
  std::vector<double> values;
};

/// Numbers and bars that show how wholes split into the same parts, all bars to one scale.
inline std::string parts_table(const std::vector<std::string>& names, const std::string& unit, const std::vector<Parts>& rows, int digits) {
  std::vector<std::string> head{""};
  head.insert(head.end(), names.begin(), names.end());
  head.insert(head.end(), {"total", unit});
  HtmlTable table(head);
  double longest = 0;
  const auto total = [](const Parts& row) {
    double sum = 0;
    for (const double value : row.values) sum += value;
    return sum;
  };
  for (const Parts& row : rows) longest = std::max(longest, total(row));
  Legend legend;
  for (std::size_t i = 0; i < names.size(); ++i) legend.add(names[i], i);
  for (const Parts& row : rows) {
    std::vector<std::string> cells{row.name};
    std::vector<std::pair<std::string, double>> parts;
    for (std::size_t i = 0; i < names.size(); ++i) {
      cells.push_back(fixed_number(row.values[i], digits));
      parts.emplace_back(names[i] + ": " + cells.back() + " " + unit, row.values[i]);
    }
    cells.push_back(fixed_number(total(row), digits));
    table.add(cells, detail::parts_bar(parts, longest));
  }
  return legend.html() + "<div class=\"split\">" + table.html() + "</div>";
}

}  // namespace support
