#pragma once

namespace basin::test {
/// Calls to the system that can be made to fail. `allocate` is operator new.
enum class Call { allocate, fopen, fwrite, fflush, fsync, fclose, rename, open, fstat, mmap };
inline constexpr Call every_call[] = {Call::allocate, Call::fopen,  Call::fwrite, Call::fflush, Call::fsync,
                                      Call::fclose,   Call::rename, Call::open,   Call::fstat,  Call::mmap};
[[nodiscard]] const char* name_of(Call call) noexcept;

/// While this lives, the nth call of a kind from now on (1 is the next) fails as on a full disk or a full memory,
/// once. One at a time; programs that ask link support/faults.cpp and wrap the calls, see tests/CMakeLists.txt.
class Fault {
 public:
  Fault(Call call, int nth) noexcept;
  Fault(const Fault&) = delete;
  Fault& operator=(const Fault&) = delete;
  ~Fault();
  [[nodiscard]] bool fired() const noexcept;
};

}  // namespace basin::test
