#include "support/faults.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "support/allocations.hpp"

namespace basin::test {
namespace {
struct Armed {
  Call call{};
  int left = 0;  // calls up to the one that fails; 0: none will
  bool fired = false;
} armed;
std::size_t held = 0, most_held = 0;

bool fails(Call call) noexcept {
  if (armed.call != call || armed.left == 0 || --armed.left > 0) return false;
  armed.fired = true;
  return true;
}

void* allocate(std::size_t size, std::size_t alignment) {
  size = std::max<std::size_t>(size, 1);
  void* const at = alignment <= alignof(std::max_align_t) ? std::malloc(size)
                                                          : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (at == nullptr) throw std::bad_alloc();
  held += ::malloc_usable_size(at);
  most_held = std::max(most_held, held);
  return at;
}
void release(void* at) noexcept {
  if (at != nullptr) held -= ::malloc_usable_size(at);
  std::free(at);
}
}  // namespace

const char* name_of(Call call) noexcept {
  constexpr const char* names[] = {"allocate", "fopen", "fwrite", "fflush", "fsync", "fclose", "rename", "open", "fstat", "mmap"};
  return names[static_cast<int>(call)];
}

Fault::Fault(Call call, int nth) noexcept { armed = {call, nth, false}; }
Fault::~Fault() { armed.left = 0; }
bool Fault::fired() const noexcept { return armed.fired; }

AllocationWatch::AllocationWatch() noexcept : start_(held) { most_held = held; }
std::size_t AllocationWatch::peak() const noexcept { return most_held - start_; }
}  // namespace basin::test

using basin::test::Call;
using basin::test::fails;

void* operator new(std::size_t size) {
  if (fails(Call::allocate)) throw std::bad_alloc();
  return basin::test::allocate(size, 1);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  if (fails(Call::allocate)) throw std::bad_alloc();
  return basin::test::allocate(size, static_cast<std::size_t>(alignment));
}
// Never made to fail: who asks so can do without.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return basin::test::allocate(size, 1); }
void operator delete(void* at) noexcept { basin::test::release(at); }
void operator delete(void* at, std::size_t) noexcept { basin::test::release(at); }
void operator delete(void* at, std::align_val_t) noexcept { basin::test::release(at); }
void operator delete(void* at, std::size_t, std::align_val_t) noexcept { basin::test::release(at); }

// The linker's --wrap sends the calls of this program here. rename comes from inside the C++ library, whose
// call finds the one defined in the program.
extern "C" {
std::FILE* __real_fopen(const char*, const char*);
std::size_t __real_fwrite(const void*, std::size_t, std::size_t, std::FILE*);
int __real_fflush(std::FILE*);
int __real_fclose(std::FILE*);
int __real_fsync(int);
int __real_open(const char*, int, ...);
int __real_fstat(int, struct ::stat*);
void* __real_mmap(void*, std::size_t, int, int, int, off_t);

std::FILE* __wrap_fopen(const char* path, const char* mode) {
  if (!fails(Call::fopen)) return __real_fopen(path, mode);
  errno = EACCES;
  return nullptr;
}
std::size_t __wrap_fwrite(const void* from, std::size_t size, std::size_t count, std::FILE* file) {
  if (!fails(Call::fwrite)) return __real_fwrite(from, size, count, file);
  errno = ENOSPC;
  return __real_fwrite(from, size, count / 2, file);  // a disk that fills up takes a part
}
int __wrap_fflush(std::FILE* file) {
  if (!fails(Call::fflush)) return __real_fflush(file);
  errno = ENOSPC;
  return EOF;
}
int __wrap_fclose(std::FILE* file) {
  const int result = __real_fclose(file);
  if (!fails(Call::fclose)) return result;
  errno = EIO;
  return EOF;
}
int __wrap_fsync(int file) {
  if (!fails(Call::fsync)) return __real_fsync(file);
  errno = EIO;
  return -1;
}
int __wrap_open(const char* path, int flags, ...) {  // never with O_CREAT here
  if (!fails(Call::open)) return __real_open(path, flags);
  errno = EMFILE;
  return -1;
}
int __wrap_fstat(int file, struct ::stat* about) {
  if (!fails(Call::fstat)) return __real_fstat(file, about);
  errno = EIO;
  return -1;
}
void* __wrap_mmap(void* at, std::size_t size, int protection, int flags, int file, off_t offset) {
  if (!fails(Call::mmap)) return __real_mmap(at, size, protection, flags, file, offset);
  errno = ENOMEM;
  return MAP_FAILED;
}
int rename(const char* from, const char* to) noexcept {
  if (!fails(Call::rename)) return ::renameat(AT_FDCWD, from, AT_FDCWD, to);
  errno = EIO;
  return -1;
}
}
