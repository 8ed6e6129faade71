#pragma once

#include <cstddef>

namespace basin::test {
/// What operator new hands out while this lives. One at a time; programs that ask link support/faults.cpp.
class AllocationWatch {
 public:
  AllocationWatch() noexcept;
  /// The most bytes that were held at once, less what was held at the start.
  [[nodiscard]] std::size_t peak() const noexcept;

 private:
  std::size_t start_;
};

}  // namespace basin::test
