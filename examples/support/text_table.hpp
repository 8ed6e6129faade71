#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace support {
/// Prints rows on stdout, the first as the head: first column to the left, others to the right.
inline void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      const std::string blanks(widths[c] - rows[r][c].size(), ' ');
      line += (c == 0 ? "  " + rows[r][c] + blanks : "   " + blanks + rows[r][c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::printf("%s\n", line.c_str());
    if (r > 0) continue;
    for (std::size_t c = 0; c < widths.size(); ++c) std::printf("%s%s", c == 0 ? "  " : "   ", std::string(widths[c], '-').c_str());
    std::printf("\n");
  }
}

/// Rows less the columns in which nothing stands below the head.
inline std::vector<std::vector<std::string>> without_empty_columns(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> kept(rows.size());
  for (std::size_t c = 0; !rows.empty() && c < rows[0].size(); ++c) {
    if (std::all_of(rows.begin() + 1, rows.end(), [&](const auto& row) { return row[c].empty(); })) continue;
    for (std::size_t r = 0; r < rows.size(); ++r) kept[r].push_back(rows[r][c]);
  }
  return kept;
}

}  // namespace support
