#pragma once

#include <basin/core/error.hpp>

#include <cstdlib>
#include <string>
#include <string_view>

#include "io/io_support.hpp"

#if defined(__unix__) && defined(BASIN_TEST_SOURCE_DIR)
#include <sys/wait.h>

namespace basin::test {
struct ScriptResult {
  int status = -1;
  std::string log;
  /// No interpreter, or a package that the script needs is not installed.
  [[nodiscard]] bool skipped() const noexcept { return status == 77 || status == 127; }
};

/// Runs a script of the repository on a folder. BASIN_PYTHON names the interpreter, "python3" by default.
inline ScriptResult run_python(std::string_view script, const TempFolder& folder) {
  const char* const chosen = std::getenv("BASIN_PYTHON");
  const std::string path = folder.path().string();
  // LD_PRELOAD would carry a sanitizer's runtime into Python.
  const std::string command = concat("env -u LD_PRELOAD ", chosen ? chosen : "python3", " -B ", BASIN_TEST_SOURCE_DIR, "/",
                                     script, " '", path, "' > '", path, "/log' 2>&1");
  const int status = std::system(command.c_str());
  ScriptResult result{WIFEXITED(status) ? WEXITSTATUS(status) : -1, {}};
  for (const std::byte byte : read_file(folder / "log")) result.log += static_cast<char>(byte);
  return result;
}
}  // namespace basin::test
#endif
