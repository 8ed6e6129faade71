#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace basin::bench {
/// Zeroed memory that begins on a huge page, and lies in huge pages where the system has them: what a
/// page walk costs is no property of a kernel.
template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) : size_(size) {
    constexpr std::size_t page = std::size_t{1} << 21;
    const std::size_t bytes = (size * sizeof(T) + page) / page * page;  // always room behind the end
    void* memory = std::aligned_alloc(page, bytes);
    if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__)
    (void)::madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    std::memset(memory, 0, bytes);
    values_.reset(static_cast<T*>(memory));
  }

  [[nodiscard]] T* data() noexcept { return values_.get(); }
  [[nodiscard]] const T* data() const noexcept { return values_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] T* begin() noexcept { return data(); }
  [[nodiscard]] T* end() noexcept { return data() + size_; }
  [[nodiscard]] const T* begin() const noexcept { return data(); }
  [[nodiscard]] const T* end() const noexcept { return data() + size_; }
  [[nodiscard]] T& operator[](std::size_t i) noexcept { return data()[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return data()[i]; }

 private:
  struct Free {
    void operator()(T* memory) const noexcept { std::free(memory); }
  };
  std::unique_ptr<T, Free> values_;
  std::size_t size_ = 0;
};

/// Bytes that no cache of this machine holds: 300 MB or four times its last level.
[[nodiscard]] inline std::size_t beyond_caches() noexcept {
  std::size_t bytes = std::size_t{300} << 20;
#if defined(_SC_LEVEL3_CACHE_SIZE)
  const long last_level = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  if (last_level > 0 && 4 * static_cast<std::size_t>(last_level) > bytes) bytes = 4 * static_cast<std::size_t>(last_level);
#endif
  return bytes;
}

/// Copies of an array that together lie beyond the caches. Visited in turn, each is cold when its turn comes.
template <class T>
class RotatingCopies {
 public:
  RotatingCopies() = default;
  RotatingCopies(const T* values, std::size_t size)
      : size_(size),
        // Apart by a whole number of pages of 4 KB and a cache line, so that copies do not share sets.
        stride_((size * sizeof(T) + 4095) / 4096 * 4096 / sizeof(T) + 64 / sizeof(T)),
        count_(beyond_caches() / (size * sizeof(T)) + 2),
        copies_(stride_ * count_) {
    static_assert(64 % sizeof(T) == 0);
    for (std::size_t c = 0; c < count_; ++c) std::memcpy(copies_.data() + c * stride_, values, size * sizeof(T));
  }
  /// The copy that was visited longest ago.
  [[nodiscard]] const T* next() noexcept {
    turn_ = turn_ + 1 < count_ ? turn_ + 1 : 0;
    return copies_.data() + turn_ * stride_;
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  std::size_t size_ = 0, stride_ = 0, count_ = 0, turn_ = 0;
  Buffer<T> copies_;
};

}  // namespace basin::bench
