#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>

namespace support {
/// Bytes on a 64-byte boundary, as packed layers and kernels want them.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t size) { require(size); }

  /// At least `size` bytes; what they held is gone where they must grow.
  std::byte* require(std::size_t size) {
    if (size > size_) {
      bytes_.reset();
      bytes_.reset(static_cast<std::byte*>(::operator new(size, alignment)));
      size_ = size;
    }
    return bytes_.get();
  }
  [[nodiscard]] std::span<std::byte> span() const noexcept { return {bytes_.get(), size_}; }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(std::byte* bytes) const noexcept { ::operator delete(bytes, alignment); }
  };
  std::unique_ptr<std::byte, Free> bytes_;
  std::size_t size_ = 0;
};

}  // namespace support
