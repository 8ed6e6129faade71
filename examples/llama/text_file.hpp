#pragma once

#include "../support/fail.hpp"

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

}  // namespace llama
