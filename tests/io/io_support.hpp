#pragma once

#include <basin/core/random.hpp>
#include <basin/io/byte_reader.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif
#if defined(__unix__)
#include <sys/resource.h>

#include <csignal>
#endif

namespace basin::test {
using Bytes = std::vector<std::byte>;

/// A folder of its own, removed with everything in it.
class TempFolder {
 public:
  TempFolder() {
    static std::atomic<int> next = 0;
#if defined(__unix__) || defined(__APPLE__)
    const long process = ::getpid();
#else
    const long process = 0;
#endif
    path_ = std::filesystem::temp_directory_path() /
            ("basin-io-" + std::to_string(process) + "-" + std::to_string(next++));
    std::filesystem::create_directories(path_);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] int num_files() const {
    return static_cast<int>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

inline Bytes to_bytes(std::string_view text) {
  const auto* const from = reinterpret_cast<const std::byte*>(text.data());
  return Bytes(from, from + text.size());
}
inline Bytes read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  return to_bytes(text);
}
inline void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}
inline void write_file(const std::filesystem::path& path, std::string_view text) { write_file(path, to_bytes(text)); }

#if defined(__unix__)
/// Makes every write beyond `bytes` of a file fail, as a full disk does.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    rlimit limit = old_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};
#endif

/// Composes little-endian bytes.
class ByteWriter {
 public:
  template <class T>
  ByteWriter& put(T value) {
    std::array<std::byte, sizeof value> raw;
    store_little_endian(value, raw.data());
    for (const std::byte byte : raw) bytes_.push_back(byte);
    return *this;
  }
  ByteWriter& text(std::string_view characters) {
    for (const char character : characters) bytes_.push_back(static_cast<std::byte>(character));
    return *this;
  }
  /// A u64 length, then the characters.
  ByteWriter& string(std::string_view characters) {
    return put<std::uint64_t>(characters.size()).text(characters);
  }
  ByteWriter& pad_to(std::size_t multiple) {
    while (bytes_.size() % multiple != 0) bytes_.push_back(std::byte{0});
    return *this;
  }
  [[nodiscard]] const Bytes& bytes() const noexcept { return bytes_; }

 private:
  Bytes bytes_;
};

/// A copy on the heap of exactly this size, so that AddressSanitizer sees any read beyond its end.
class ExactBytes {
 public:
  explicit ExactBytes(std::span<const std::byte> from) : data_(new std::byte[from.size()]), size_(from.size()) {
    for (std::size_t i = 0; i < size_; ++i) data_[i] = from[i];
  }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_.get(), size_}; }

 private:
  std::unique_ptr<std::byte[]> data_;
  std::size_t size_;
};

/// One of: flip bits of some bytes, overwrite a run, cut the end off, remove or repeat a slice.
inline Bytes mutate(Bytes bytes, SplitMix64& rng) {
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(rng.below(bound)); };
  if (bytes.empty()) return bytes;
  const std::size_t at = below(bytes.size());
  const std::size_t length = 1 + below(8) % (bytes.size() - at);
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
  const auto end = begin + static_cast<std::ptrdiff_t>(std::min(length, bytes.size() - at));
  switch (below(8)) {
    case 0: bytes.resize(at); break;
    case 1: bytes.erase(begin, end); break;
    case 2: {
      const Bytes slice(begin, end);
      bytes.insert(begin, slice.begin(), slice.end());
      break;
    }
    case 3: {
      constexpr std::uint8_t extremes[] = {0x00, 0xff, 0x7f, 0x80};
      for (auto i = begin; i != end; ++i) *i = std::byte{extremes[below(4)]};
      break;
    }
    default:
      for (std::size_t i = 0; i <= below(3); ++i)
        bytes[below(bytes.size())] ^= static_cast<std::byte>(1u << below(8));
  }
  return bytes;
}

/// Calls check(bytes) for every strict prefix of a valid file.
template <class Check>
void for_each_truncation(const Bytes& whole, Check check) {
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const ExactBytes cut(std::span<const std::byte>(whole.data(), size));
    check(cut.bytes());
  }
}

/// Calls check(bytes) for mutants of a valid file.
template <class Check>
void for_each_mutant(const Bytes& whole, int count, Check check) {
  SplitMix64 rng(20260822);
  for (int i = 0; i < count; ++i) {
    Bytes mutant = mutate(whole, rng);
    while (rng.below(3) == 0) mutant = mutate(std::move(mutant), rng);
    const ExactBytes exact(mutant);
    check(exact.bytes());
  }
}

}  // namespace basin::test
