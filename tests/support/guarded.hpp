#pragma once

#include <cstddef>
#include <span>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#else
#include "support/aligned.hpp"
#endif

namespace basin::test {
#if defined(__unix__) || defined(__APPLE__)
/// Bytes in front of a page that nobody may read: a kernel that reads on crashes. On a 64-byte boundary where the
/// size is a multiple of 64.
class GuardedBytes {
 public:
  explicit GuardedBytes(std::size_t size)
      : size_(size), page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))), used_((size + page_ - 1) / page_ * page_),
        base_(static_cast<std::byte*>(mmap(nullptr, used_ + page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    mprotect(base_ + used_, page_, PROT_NONE);
  }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes() { munmap(base_, used_ + page_); }
  [[nodiscard]] std::byte* data() const noexcept { return base_ + used_ - size_; }
  [[nodiscard]] std::span<std::byte> span() const noexcept { return {data(), size_}; }

 private:
  std::size_t size_, page_, used_;
  std::byte* base_;
};
#else
using GuardedBytes = AlignedBytes;
#endif

}  // namespace basin::test
