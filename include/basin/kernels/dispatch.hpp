#pragma once

#include <basin/core/config.hpp>
#include <basin/kernels/arch/scalar.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/cpu.hpp>
#include <basin/kernels/kernel_set.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

/// Which paths this program has. With basin_add_kernels (cmake/BasinKernels.cmake) each is a file of
/// its own, compiled with its own flags, and the definitions BASIN_KERNELS_EXTERN and
/// BASIN_KERNELS_<ARCH> say which there are. Without it, the flags of the including file decide.
#if defined(BASIN_KERNELS_EXTERN)

namespace basin::kernels {
extern template KernelSet kernel_set<scalar>() noexcept;
#if defined(BASIN_KERNELS_AVX2)
extern template KernelSet kernel_set<avx2>() noexcept;
#endif
#if defined(BASIN_KERNELS_AVX2VNNI)
extern template KernelSet kernel_set<avx2vnni>() noexcept;
#endif
#if defined(BASIN_KERNELS_AVX512BW)
extern template KernelSet kernel_set<avx512bw>() noexcept;
#endif
#if defined(BASIN_KERNELS_AVX512VNNI)
extern template KernelSet kernel_set<avx512vnni>() noexcept;
#endif
#if defined(BASIN_KERNELS_AVX512VBMI)
extern template KernelSet kernel_set<avx512vbmi>() noexcept;
#endif
#if defined(BASIN_KERNELS_NEON64)
extern template KernelSet kernel_set<neon64>() noexcept;
#endif
#if defined(BASIN_KERNELS_NEON64DOT)
extern template KernelSet kernel_set<neon64dot>() noexcept;
#endif
}  // namespace basin::kernels

#else

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include <basin/kernels/arch/avx2.hpp>
#define BASIN_KERNELS_AVX2 1
#if defined(__AVXVNNI__)
#include <basin/kernels/arch/avx2vnni.hpp>
#define BASIN_KERNELS_AVX2VNNI 1
#endif
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#include <basin/kernels/arch/avx512bw.hpp>
#define BASIN_KERNELS_AVX512BW 1
#if defined(__AVX512VNNI__)
#include <basin/kernels/arch/avx512vnni.hpp>
#define BASIN_KERNELS_AVX512VNNI 1
#if defined(__AVX512VBMI__)
#include <basin/kernels/arch/avx512vbmi.hpp>
#define BASIN_KERNELS_AVX512VBMI 1
#endif
#endif
#endif
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
#include <basin/kernels/arch/neon64.hpp>
#define BASIN_KERNELS_NEON64 1
#if defined(__ARM_FEATURE_DOTPROD)
#include <basin/kernels/arch/neon64dot.hpp>
#define BASIN_KERNELS_NEON64DOT 1
#endif
#endif

#endif

namespace basin::kernels {
namespace detail {
template <class... Archs>
struct ArchList {};

/// Every tag there is, plainest first.
using KnownArchs = ArchList<scalar, avx2, avx2vnni, avx512bw, avx512vnni, avx512vbmi, neon64, neon64dot>;

/// Those of this program. Files of one program may differ in it, and functions that depend on it take
/// it as their argument: two answers are then two functions.
using CompiledArchs = ArchList<scalar
#if defined(BASIN_KERNELS_AVX2)
                               , avx2
#endif
#if defined(BASIN_KERNELS_AVX2VNNI)
                               , avx2vnni
#endif
#if defined(BASIN_KERNELS_AVX512BW)
                               , avx512bw
#endif
#if defined(BASIN_KERNELS_AVX512VNNI)
                               , avx512vnni
#endif
#if defined(BASIN_KERNELS_AVX512VBMI)
                               , avx512vbmi
#endif
#if defined(BASIN_KERNELS_NEON64)
                               , neon64
#endif
#if defined(BASIN_KERNELS_NEON64DOT)
                               , neon64dot
#endif
                               >;

template <class... Archs>
[[nodiscard]] constexpr bool is_one_of(ArchList<Archs...>, const char* name) noexcept {
  const auto same = [name](const char* arch) {
    std::size_t i = 0;
    while (arch[i] != '\0' && arch[i] == name[i]) ++i;
    return arch[i] == name[i];
  };
  return (same(Archs::name) || ...);
}

template <class Archs>
struct KernelTable;
template <class... Archs>
struct KernelTable<ArchList<Archs...>> {
  KernelSet sets[sizeof...(Archs)] = {};
  std::size_t count = 0;

  explicit KernelTable(const CpuFeatures& cpu) noexcept { (add<Archs>(cpu), ...); }

 private:
  template <class Arch>
  void add(const CpuFeatures& cpu) noexcept {
    if (can_run<Arch>(cpu)) sets[count++] = kernel_set<Arch>();  // itself compiled for Arch
  }
};
}  // namespace detail

/// The paths that are compiled into this program and that this processor can run, plainest first:
/// at least `scalar`. Found once; the same for the whole run.
template <class Archs = detail::CompiledArchs>
[[nodiscard]] std::span<const KernelSet> available_kernels() noexcept {
  static const detail::KernelTable<Archs> table(detect_cpu());
  return {table.sets, table.count};
}

/// The available path of this name, or null.
template <class Archs = detail::CompiledArchs>
[[nodiscard]] const KernelSet* find_kernels(const char* name) noexcept {
  for (const KernelSet& set : available_kernels<Archs>())
    if (std::strcmp(set.arch, name) == 0) return &set;
  return nullptr;
}

/// Why a path that was asked for cannot be had.
enum class ArchError : std::uint8_t { none, unknown, not_compiled, not_supported };

[[nodiscard]] constexpr const char* describe(ArchError error) noexcept {
  switch (error) {
    case ArchError::none: return "no error";
    case ArchError::unknown: return "no path has this name";
    case ArchError::not_compiled: return "this program was compiled without this path";
    case ArchError::not_supported: return "this processor cannot run this path";
  }
  return "unknown error";
}

/// A path, or why there is none.
struct KernelChoice {
  const KernelSet* kernels = nullptr;  ///< null where error is not none
  ArchError error = ArchError::none;
  const char* asked = nullptr;  ///< the name that was asked for; null where none was
};

/// The path named `asked`; of null and "" the last of available_kernels().
template <class Archs = detail::CompiledArchs>
[[nodiscard]] KernelChoice choose_kernels(const char* asked) noexcept {
  if (asked == nullptr || *asked == '\0') return {&available_kernels<Archs>().back(), ArchError::none, nullptr};
  if (const KernelSet* set = find_kernels<Archs>(asked)) return {set, ArchError::none, asked};
  if (!detail::is_one_of(detail::KnownArchs{}, asked)) return {nullptr, ArchError::unknown, asked};
  return {nullptr, detail::is_one_of(Archs{}, asked) ? ArchError::not_supported : ArchError::not_compiled, asked};
}
/// The same of the environment variable BASIN_ARCH.
template <class Archs = detail::CompiledArchs>
[[nodiscard]] KernelChoice choose_kernels() noexcept {
  return choose_kernels<Archs>(std::getenv("BASIN_ARCH"));
}

/// One line about a choice, without its end, cut off where `text` ends; always terminated by a zero.
///
///     BASIN_ARCH=avx9: no path has this name; possible here: scalar avx2
template <class Archs = detail::CompiledArchs>
const char* describe(const KernelChoice& choice, std::span<char> text) noexcept {
  BASIN_ASSERT(!text.empty());
  std::size_t at = 0;
  const auto put = [&](const char* part) {
    while (*part != '\0' && at + 1 < text.size()) text[at++] = *part++;
    text[at] = '\0';
  };
  if (choice.error == ArchError::none) {
    put("path ");
    put(choice.kernels->arch);
    return text.data();
  }
  put("BASIN_ARCH=");
  put(choice.asked);
  put(": ");
  put(describe(choice.error));
  put("; possible here:");
  for (const KernelSet& set : available_kernels<Archs>()) {
    put(" ");
    put(set.arch);
  }
  return text.data();
}

/// The path of choose_kernels(), for hosts that leave a bad BASIN_ARCH to BASIN_FATAL.
template <class Archs = detail::CompiledArchs>
[[nodiscard]] const KernelSet& best_kernels() noexcept {
  const KernelChoice choice = choose_kernels<Archs>();
  if (choice.kernels == nullptr) {
    char text[256];
    BASIN_FATAL(describe<Archs>(choice, text));
  }
  return *choice.kernels;
}

}  // namespace basin::kernels
