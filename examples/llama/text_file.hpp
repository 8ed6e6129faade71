#pragma once

#include "../support/fail.hpp"

#include <basin/io/atomic_file.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace llama {
inline std::string read_text(const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) support::fail(path, ": no such file");
  std::ifstream in(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) support::fail(path, ": cannot read");
  return text;
}

/// A file that appears when it is committed; made before a long computation, so that a path that
/// cannot be written is known at once.
inline basin::AtomicFile create_output(const std::string& path) {
  if (std::filesystem::is_directory(path)) support::fail(path, ": cannot write: it is a directory");
  return support::take(basin::AtomicFile::create(path));
}

}  // namespace llama
