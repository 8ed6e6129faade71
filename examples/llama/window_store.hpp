#pragma once

#include "../support/fail.hpp"
#include "forward.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace llama {
/// Where windows of a calibration text wait for their turn: the first ones in memory, the others in a file without a name.
struct WindowMemory {
  std::size_t resident = static_cast<std::size_t>(-1);  ///< windows in memory at once, at least 2
  std::filesystem::path folder;                         ///< for the file
};

/// A file that nobody else sees and that goes away with the process.
class UnnamedFile {
 public:
  explicit UnnamedFile(const std::filesystem::path& folder) {
#ifdef O_TMPFILE  // without a name from the start, where the file system can
    descriptor_ = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor_ >= 0) return;
#endif
    std::string name = (folder / "windows-XXXXXX").string();
    descriptor_ = ::mkstemp(name.data());
    if (descriptor_ < 0) fail_with(name);
    ::unlink(name.c_str());
  }
  UnnamedFile(const UnnamedFile&) = delete;
  UnnamedFile& operator=(const UnnamedFile&) = delete;
  ~UnnamedFile() { ::close(descriptor_); }

  void write(std::span<const float> values, std::size_t position) {
    transfer(values, position, [&](const std::byte* from, std::size_t n, off_t at) { return ::pwrite(descriptor_, from, n, at); });
  }
  void read(std::span<float> values, std::size_t position) {
    transfer(values, position, [&](std::byte* to, std::size_t n, off_t at) { return ::pread(descriptor_, to, n, at); });
  }

 private:
  template <class Value, class Call>
  void transfer(std::span<Value> values, std::size_t position, Call call) {
    auto bytes = [&] {
      if constexpr (std::is_const_v<Value>) return std::as_bytes(values);
      else return std::as_writable_bytes(values);
    }();
    for (auto at = static_cast<off_t>(position); !bytes.empty();) {
      const ssize_t done = call(bytes.data(), bytes.size(), at);
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) fail_with("the file that calibration windows wait in");
      bytes = bytes.subspan(static_cast<std::size_t>(done));
      at += done;
    }
  }
  [[noreturn]] static void fail_with(const std::string& what) {
    support::fail(what, ": ", std::error_code(errno, std::generic_category()).message());
  }

  int descriptor_ = -1;
};

/// The activations of every window, some of them in a file. Reading them in order costs one read and one write of each
/// window that is not resident.
class WindowStore {
 public:
  explicit WindowStore(WindowMemory memory) : memory_(std::move(memory)) {
    if (memory_.resident < 2) support::fail("calibration needs room for two windows at least, got ", memory_.resident);
  }
  WindowStore(const WindowStore& from) : WindowStore(from.memory_) {
    for (std::size_t w = 0; w < from.size(); ++w) push_back(from.at(w));
  }
  WindowStore(WindowStore&&) noexcept = default;
  WindowStore& operator=(const WindowStore&) = delete;

  [[nodiscard]] std::size_t size() const noexcept { return sizes_.size(); }
  void push_back(Activations window) {
    sizes_.push_back({});
    if (sizes_.size() < memory_.resident) {
      resident_.push_back(std::move(window));
      return;
    }
    put_away();
    waiting_ = std::move(window);
    here_ = sizes_.size() - 1;
  }
  /// Valid until another window that is not resident is asked for.
  [[nodiscard]] Activations& at(std::size_t w) const {
    if (w < resident_.size()) return resident_[w];
    if (w != here_) {
      put_away();
      fetch(w);
    }
    return waiting_;
  }

 private:
  struct Size {
    Index rows = 0, hidden = 0, input_rows = 0, input = 0;
    std::size_t position = 0, capacity = 0;  // in the file, bytes
  };
  static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

  void put_away() const {
    if (here_ == nowhere) return;
    if (!file_) file_ = std::make_unique<UnnamedFile>(memory_.folder);
    Size& size = sizes_[here_];
    const auto count = [](const Matrix& m) { return static_cast<std::size_t>(m.size()); };
    const std::size_t hidden = count(waiting_.hidden), input = count(waiting_.input);
    if ((hidden + input) * sizeof(float) > size.capacity) {  // behind everything; the old place stays empty
      size.position = end_;
      size.capacity = (hidden + input) * sizeof(float);
      end_ += size.capacity;
    }
    size.rows = waiting_.hidden.rows();
    size.hidden = waiting_.hidden.cols();
    size.input_rows = waiting_.input.rows();
    size.input = waiting_.input.cols();
    file_->write(std::span<const float>(waiting_.hidden.data(), hidden), size.position);
    file_->write(std::span<const float>(waiting_.input.data(), input), size.position + hidden * sizeof(float));
    here_ = nowhere;
  }
  void fetch(std::size_t w) const {
    const Size& size = sizes_.at(w);
    waiting_.hidden.resize(size.rows, size.hidden);
    waiting_.input.resize(size.input_rows, size.input);
    const auto hidden = static_cast<std::size_t>(waiting_.hidden.size()), input = static_cast<std::size_t>(waiting_.input.size());
    file_->read(std::span<float>(waiting_.hidden.data(), hidden), size.position);
    file_->read(std::span<float>(waiting_.input.data(), input), size.position + hidden * sizeof(float));
    here_ = w;
  }

  WindowMemory memory_;
  mutable std::vector<Activations> resident_;
  mutable std::vector<Size> sizes_;
  mutable Activations waiting_;  // the window `here_`
  mutable std::size_t here_ = nowhere, end_ = 0;
  mutable std::unique_ptr<UnnamedFile> file_;
};

}  // namespace llama
