#pragma once

#include "fail.hpp"

#include <basin/io/atomic_file.hpp>

#include <filesystem>
#include <utility>

namespace support {
/// A file that appears when it is committed; made before a long computation, so that a path that
/// cannot be written is known at once.
inline basin::AtomicFile create_output(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) fail(path.string(), ": cannot write: it is a directory");
  return take(basin::AtomicFile::create(path));
}

/// Ends the program now if a file could not be written there later. An empty path is none.
inline void check_output(const std::filesystem::path& path) {
  if (!path.empty()) static_cast<void>(create_output(path));
}

/// Writes a document of nlohmann/json, whole or not at all.
template <class Json>
void write_json(basin::AtomicFile file, const Json& document) {
  check(file.write(document.dump(2) + '\n'));
  check(file.commit());
}
template <class Json>
void write_json(const std::filesystem::path& path, const Json& document) {
  write_json(create_output(path), document);
}

}  // namespace support
