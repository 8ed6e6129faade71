#pragma once

#include <basin/core/error.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace support {
/// 75 -> "1:15", 3675 -> "1:01:15".
inline std::string clock_text(double seconds) {
  const long s = static_cast<long>(seconds + 0.5);
  char text[32];
  if (s < 3600) std::snprintf(text, sizeof text, "%ld:%02ld", s / 60, s % 60);
  else std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  return text;
}

/// Seconds since it was made.
class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// One line on stderr that follows a long computation: "label 42 % | note | 0:31, 0:43 left", or
/// "label | note | 0:31" where nobody knows how much is left.
/// On a terminal it is rewritten in place; elsewhere (a log) a line appears every ten seconds.
class ProgressLine {
 public:
  explicit ProgressLine(std::string label) : label_(std::move(label)) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() {
    if (terminal_ && shown_) std::fputc('\n', stderr);
  }

  void show(std::string_view note) {
    const double now = watch_.seconds();
    if (now < next_) return;
    print(basin::concat(label_, " | ", note, " | ", clock_text(now)), now);
  }
  void update(double fraction, std::string_view note = {}) {
    const double now = watch_.seconds();
    if (now < next_ && fraction < 1) return;
    char percent[16];
    std::snprintf(percent, sizeof percent, "%3.0f %%", 100 * fraction);
    std::string line = label_ + ' ' + percent;
    if (!note.empty()) line.append(" | ").append(note);
    line += " | " + clock_text(now);
    if (fraction > 0 && fraction < 1)
      line += ", " + clock_text(now * (1 - fraction) / fraction) + " left";
    print(line, now);
  }
  [[nodiscard]] double seconds() const { return watch_.seconds(); }

 private:
  void print(const std::string& line, double now) {
    next_ = now + (terminal_ ? 0.1 : 10.0);
    std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", line.c_str());
    std::fflush(stderr);
    shown_ = true;
  }

  std::string label_;
  Stopwatch watch_;
  bool terminal_ = isatty(STDERR_FILENO) != 0;
  bool shown_ = false;
  double next_ = 0;
};

}  // namespace support
