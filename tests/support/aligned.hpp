#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>

namespace basin::test {
/// Bytes on a 64-byte boundary, as packed layers and workspaces want them, and not one more: the
/// address sanitizer sees a read behind them.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::size_t size)
      : size_(size), bytes_(static_cast<std::byte*>(::operator new(size, std::align_val_t{64}))) {
    for (std::size_t i = 0; i < size; ++i) bytes_.get()[i] = std::byte{0xa5};
  }
  [[nodiscard]] std::byte* data() const noexcept { return bytes_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<std::byte> span() const noexcept { return {bytes_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const noexcept { ::operator delete(bytes, std::align_val_t{64}); }
  };
  std::size_t size_;
  std::unique_ptr<std::byte, Free> bytes_;
};

}  // namespace basin::test
