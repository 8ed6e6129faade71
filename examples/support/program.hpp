#pragma once

#include "fail.hpp"

#include <basin/core/error.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

namespace support {
/// Prints "program: message" as one line, whatever the message holds.
inline int report_error(const std::string& program, std::string message, int status) {
  while (!message.empty() && message.back() == '\n') message.pop_back();
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fprintf(stderr, "%s: %s\n", program.c_str(), message.c_str());
  return status;
}

/// Parses the command line, then runs body(). The exit status: 0, 1 after an error, 2 for a command
/// line that cannot be understood or followed (UsageError), 130 when it was asked to stop; each error is one
/// line on stderr.
template <class Body>
int run_program(CLI::App& app, int argc, char** argv, Body&& body) {
  const std::string program = app.get_name();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    return report_error(program, std::string(error.what()) + " (see --help)", 2);
  }
  try {
    body();
    if (std::fflush(stdout) != 0) return report_error(program, "cannot write to stdout", 1);
    return 0;
  } catch (const UsageError& error) {
    return report_error(program, error.what(), 2);
  } catch (const basin::Cancelled& stopped) {
    return report_error(program, stopped.what(), 130);
  } catch (const std::bad_alloc&) {
    return report_error(program, "out of memory", 1);
  } catch (const std::exception& error) {
    return report_error(program, error.what(), 1);
  }
}

}  // namespace support
