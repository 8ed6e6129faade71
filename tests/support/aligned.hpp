#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>

namespace basin::test {
/// Bytes on a 64-byte boundary, as packed layers and workspaces want them.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::size_t size) : size_(size), bytes_(static_cast<std::byte*>(std::aligned_alloc(64, (size + 63) / 64 * 64 + 64))) {
    for (std::size_t i = 0; i < size; ++i) bytes_.get()[i] = std::byte{0xa5};
  }
  [[nodiscard]] std::byte* data() const noexcept { return bytes_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<std::byte> span() const noexcept { return {bytes_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
  };
  std::size_t size_;
  std::unique_ptr<std::byte, Free> bytes_;
};

}  // namespace basin::test
