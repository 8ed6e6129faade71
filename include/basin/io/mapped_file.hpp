#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#define BASIN_HAS_MMAP 1
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#define BASIN_HAS_MMAP 0
#include <fstream>
#include <vector>
#endif

namespace basin {
/// A whole file as read-only bytes: mapped into memory where the system can, else read.
///
/// Cost      open is O(1) when mapped; pages are read when first touched.
/// Limits    regular files only. A file that another process shortens while it is mapped makes
///           later reads fault (SIGBUS): replace files by rename, as AtomicFile does.
class MappedFile {
 public:
  /// Error: cannot_open, with the path and the system's reason.
  [[nodiscard]] static Expected<MappedFile> open(const std::filesystem::path& path);

  MappedFile() noexcept = default;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
#if BASIN_HAS_MMAP
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile() {
    // munmap takes a mutable pointer but never writes through it.
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
  /// Valid as long as this object or the one it was moved into.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
#else
  MappedFile(MappedFile&&) noexcept = default;
  MappedFile& operator=(MappedFile&&) noexcept = default;
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
#endif

 private:
#if BASIN_HAS_MMAP
  std::span<const std::byte> bytes_;
#else
  std::vector<std::byte> bytes_;
#endif
};

inline Expected<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const auto fail = [&](std::string_view why) {
    return Error{ErrorCode::cannot_open, concat(path.string(), ": cannot open: ", why)};
  };
#if BASIN_HAS_MMAP
  // Without O_NONBLOCK a named pipe would wait here for its writer.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return fail(std::error_code(errno, std::generic_category()).message());
  struct ::stat about {};
  if (::fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
    ::close(file);
    return fail("not a regular file");
  }
  MappedFile mapped;
  if (static_cast<std::uint64_t>(about.st_size) > std::numeric_limits<std::size_t>::max()) {
    ::close(file);
    return fail("larger than the address space");
  }
  const auto size = static_cast<std::size_t>(about.st_size);
  if (size > 0) {  // mmap refuses a length of 0
    void* const start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (start == MAP_FAILED) {
      const int why = errno;
      ::close(file);
      return fail(std::error_code(why, std::generic_category()).message());
    }
    mapped.bytes_ = {static_cast<const std::byte*>(start), size};
  }
  ::close(file);
  return mapped;
#else
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return fail("not a regular file");
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return fail(error.message());
  MappedFile read;
  read.bytes_.resize(static_cast<std::size_t>(size));
  std::ifstream in(path, std::ios::binary);
  in.read(reinterpret_cast<char*>(read.bytes_.data()), static_cast<std::streamsize>(size));
  if (!in) return fail("cannot read all of it");
  return read;
#endif
}

}  // namespace basin
