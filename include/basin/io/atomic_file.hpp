#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>

#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <unistd.h>
#endif

namespace basin {
/// A file that appears whole or not at all: written under a temporary name in the same folder,
/// then renamed over the old one by commit. Without commit, or after any failure, the temporary is
/// removed and the old file stays as it was.
///
/// Durable   where POSIX fsync exists, commit returns after the bytes have reached the disk.
/// Limits    a symbolic link at `path` is replaced, not followed; permissions are the process's
///           defaults; a killed process can leave `<path>.tmp-<n>` behind.
class AtomicFile {
 public:
  /// Error: cannot_write, with the path and the system's reason; so too below.
  [[nodiscard]] static Expected<AtomicFile> create(const std::filesystem::path& path) {
    std::error_code ignored;
    if (std::filesystem::is_other(path, ignored))  // a device, a pipe, a socket
      return Error{ErrorCode::cannot_write,
                   concat(path.string(), ": cannot write: not a file, and a rename would replace it")};
    AtomicFile file;
    file.path_ = path;
    file.folder_ = path.has_parent_path() ? path.parent_path() : ".";
    constexpr int max_leftovers = 1000;
    for (int n = 0; n < max_leftovers; ++n) {
      file.temporary_ = path;
      file.temporary_ += concat(".tmp-", n);
      errno = 0;
      file.stream_ = std::fopen(file.temporary_.string().c_str(), "wbx");  // x: never an existing file
      if (file.stream_ != nullptr) return file;
      if (errno != EEXIST) break;
    }
    return file.fail();
  }

  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  AtomicFile(AtomicFile&& other) noexcept
      : path_(std::move(other.path_)), folder_(std::move(other.folder_)), temporary_(std::move(other.temporary_)),
        stream_(std::exchange(other.stream_, nullptr)), written_(other.written_) {}
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile() { discard(); }

  /// Bytes written so far.
  [[nodiscard]] std::uint64_t size() const noexcept { return written_; }

  /// After a failure every later write and commit fails too.
  [[nodiscard]] Status write(std::span<const std::byte> bytes) {
    if (stream_ == nullptr) return closed();
    if (bytes.empty()) return Done{};
    errno = 0;
    if (std::fwrite(bytes.data(), 1, bytes.size(), stream_) != bytes.size()) return give_up();
    written_ += bytes.size();
    return Done{};
  }
  [[nodiscard]] Status write(std::string_view text) {
    return write(std::as_bytes(std::span<const char>(text.data(), text.size())));
  }

  /// Makes the file appear. Call once, last.
  [[nodiscard]] Status commit() {
    if (stream_ == nullptr) return closed();
    errno = 0;
    if (std::fflush(stream_) != 0 || !sync()) return give_up();
    std::FILE* const stream = std::exchange(stream_, nullptr);
    std::error_code error;
    if (std::fclose(stream) != 0) error.assign(errno, std::generic_category());
    if (!error) std::filesystem::rename(temporary_, path_, error);
    if (error) {
      std::error_code ignored;
      std::filesystem::remove(temporary_, ignored);
      return fail(error);
    }
    sync_folder();
    return Done{};
  }

 private:
  AtomicFile() = default;
  Error fail(std::error_code error = {errno, std::generic_category()}) const {
    return {ErrorCode::cannot_write,
            concat(path_.string(), ": cannot write: ", error ? error.message() : "the system gives no reason"),
            written_};
  }
  Error closed() const {
    return {ErrorCode::cannot_write,
            concat(path_.string(), ": an earlier write failed or the file was already committed"), written_};
  }
  Error give_up() {
    const Error failed = fail();
    discard();
    return failed;
  }
  void discard() noexcept {
    if (stream_ == nullptr) return;
    std::fclose(std::exchange(stream_, nullptr));
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);
  }
#if defined(__unix__) || defined(__APPLE__)
  bool sync() const noexcept { return ::fsync(::fileno(stream_)) == 0; }
  // The rename itself is durable once the folder is; some file systems cannot, so best effort.
  // Allocates nothing, since there is no way back from the rename.
  void sync_folder() const noexcept {
    const int descriptor = ::open(folder_.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    static_cast<void>(::fsync(descriptor));
    ::close(descriptor);
  }
#else
  bool sync() const noexcept { return true; }
  void sync_folder() const noexcept {}
#endif

  std::filesystem::path path_, folder_, temporary_;
  std::FILE* stream_ = nullptr;
  std::uint64_t written_ = 0;
};

/// Removes what killed processes left in a folder when they were writing files whose names is_ours(name) knows. For a time
/// when no other process writes such files there. Error: cannot_write.
template <std::predicate<const std::string&> IsOurs>
[[nodiscard]] Status remove_leftovers(const std::filesystem::path& folder, IsOurs&& is_ours) {
  constexpr std::string_view mark = ".tmp-";
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string file = at->path().filename().string();
    const std::size_t found = file.rfind(mark);
    if (found == std::string::npos || found + mark.size() == file.size()) continue;
    if (file.find_first_not_of("0123456789", found + mark.size()) != std::string::npos || !is_ours(file.substr(0, found))) continue;
    std::filesystem::remove(at->path(), error);
    if (error) break;
  }
  if (error) return Error{ErrorCode::cannot_write, concat(folder.string(), ": cannot remove what an earlier run left: ", error.message())};
  return Done{};
}

}  // namespace basin
