#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/io/atomic_file.hpp>
#include <basin/io/mapped_file.hpp>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace basin {
/// Records of a checkpoint as files of a folder that one process has at a time; a model of CheckpointStorage.
///
/// Files     NAME.ckpt, characters other than letters, digits, '.', '_' and '-' as %XX; and "lock".
/// Durable   as AtomicFile: a record is on the disk, whole, when write returns. What a killed process was writing is
///           removed by the next one.
/// Limits    without POSIX nothing keeps a second process out.
class CheckpointFolder {
 public:
  /// Errors: cannot_write (the folder cannot be made or locked), cannot_open (another process has it).
  [[nodiscard]] static Expected<CheckpointFolder> open(const std::filesystem::path& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return Error{ErrorCode::cannot_write, concat(path.string(), ": cannot create the directory: ", error.message())};
    CheckpointFolder folder(path);
    if (const Status locked = folder.lock(); !locked) return locked.error();
    if (const Status swept = folder.sweep(); !swept) return swept.error();
    return folder;
  }

  CheckpointFolder(CheckpointFolder&& other) noexcept : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}
  CheckpointFolder& operator=(CheckpointFolder&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(lock_, other.lock_);
    return *this;
  }
  ~CheckpointFolder() { unlock(); }

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// A record, or nothing where there is none of that name. Errors as MappedFile::open.
  [[nodiscard]] Expected<std::optional<std::vector<std::byte>>> read(const std::string& name) const {
    const std::filesystem::path file = file_of(name);
    std::error_code error;
    if (!std::filesystem::exists(file, error)) {
      if (error) return Error{ErrorCode::cannot_open, concat(file.string(), ": cannot open: ", error.message())};
      return std::optional<std::vector<std::byte>>();
    }
    const Expected<MappedFile> mapped = MappedFile::open(file);
    if (!mapped) return mapped.error();
    return std::optional(std::vector<std::byte>(mapped->bytes().begin(), mapped->bytes().end()));
  }
  /// Errors as AtomicFile.
  [[nodiscard]] Status write(const std::string& name, std::span<const std::byte> record) const {
    Expected<AtomicFile> file = AtomicFile::create(file_of(name));
    if (!file) return file.error();
    if (const Status written = file->write(record); !written) return written;
    return file->commit();
  }
  /// Removes the records, and the folder if nothing else is in it.
  /// @param last  goes behind all others, so that a process that is killed meanwhile leaves a checkpoint of a part
  /// Error: cannot_write.
  [[nodiscard]] Status remove(const std::string& last) {
    std::error_code error;
    std::vector<std::filesystem::path> records;
    for (std::filesystem::directory_iterator at(path_, error), end; !error && at != end; at.increment(error))
      if (at->path().extension() == extension && at->path() != file_of(last)) records.push_back(at->path());
    records.push_back(file_of(last));
    for (const std::filesystem::path& record : records)
      if (!error) std::filesystem::remove(record, error);
    if (error) return Error{ErrorCode::cannot_write, concat(path_.string(), ": cannot remove its records: ", error.message())};
    std::filesystem::remove(path_ / lock_name, error);
    unlock();
    std::filesystem::remove(path_, error);  // fails where the host keeps files of its own
    return Done{};
  }

 private:
  static constexpr const char* extension = ".ckpt";
  static constexpr const char* lock_name = "lock";

  explicit CheckpointFolder(std::filesystem::path path) : path_(std::move(path)) {}

  [[nodiscard]] std::filesystem::path file_of(const std::string& name) const {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string file;
    for (const char c : name) {
      const auto byte = static_cast<unsigned char>(c);
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
      if (plain) file += c;
      else file.append({'%', digits[byte / 16], digits[byte % 16]});
    }
    return path_ / (file + extension);
  }
  /// Removes what processes left that were killed while they wrote.
  [[nodiscard]] Status sweep() const {
    return remove_leftovers(path_, [](const std::string& name) { return name.ends_with(extension); });
  }
#if defined(__unix__) || defined(__APPLE__)
  [[nodiscard]] Status lock() {
    const std::string file = (path_ / lock_name).string();
    const auto failed = [&](const char* what) {
      return Error{ErrorCode::cannot_write, concat(file, ": cannot ", what, ": ", std::error_code(errno, std::generic_category()).message())};
    };
    for (;;) {
      lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
      if (lock_ < 0) return failed("write");
      if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return failed("lock");
        return Error{ErrorCode::cannot_open, concat(path_.string(), ": another process works on this checkpoint; wait for it or name another folder")};
      }
      struct stat held {}, there {};
      if (::fstat(lock_, &held) != 0) return failed("lock");
      if (::stat(file.c_str(), &there) == 0 && held.st_dev == there.st_dev && held.st_ino == there.st_ino) return Done{};
      unlock();  // its last owner has just removed it
    }
  }
  void unlock() noexcept {
    if (lock_ >= 0) ::close(std::exchange(lock_, -1));
  }
#else
  [[nodiscard]] Status lock() { return Done{}; }
  void unlock() noexcept {}
#endif

  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace basin
