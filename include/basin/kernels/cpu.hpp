#pragma once

#include <basin/kernels/concepts.hpp>

#include <cstdint>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(_M_X64) || defined(_M_IX86)
#include <intrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace basin::kernels {
/// What this processor can run and this operating system keeps across a change of threads.
struct CpuFeatures {
  bool avx2 = false;        ///< AVX2, FMA, F16C
  bool avxvnni = false;     ///< dot products of bytes in 256 bits
  bool avx512bw = false;    ///< AVX-512 F, BW, VL, DQ
  bool avx512vnni = false;  ///< dot products of bytes in 512 bits
  bool avx512vbmi = false;  ///< permutations of bytes
  bool neon = false;        ///< Advanced SIMD of AArch64
  bool neondot = false;     ///< its dot products

  friend constexpr bool operator==(const CpuFeatures&, const CpuFeatures&) noexcept = default;
};

/// Whether the kernels of Arch run on `cpu`.
template <class Arch>
[[nodiscard]] constexpr bool can_run(const CpuFeatures& cpu) noexcept = delete;  // the tags of concepts.hpp
template <>
[[nodiscard]] constexpr bool can_run<scalar>(const CpuFeatures&) noexcept {
  return true;
}
template <>
[[nodiscard]] constexpr bool can_run<avx2>(const CpuFeatures& cpu) noexcept {
  return cpu.avx2;
}
template <>
[[nodiscard]] constexpr bool can_run<avx2vnni>(const CpuFeatures& cpu) noexcept {
  return cpu.avx2 && cpu.avxvnni;
}
template <>
[[nodiscard]] constexpr bool can_run<avx512bw>(const CpuFeatures& cpu) noexcept {
  return cpu.avx2 && cpu.avx512bw;
}
template <>
[[nodiscard]] constexpr bool can_run<avx512vnni>(const CpuFeatures& cpu) noexcept {
  return can_run<avx512bw>(cpu) && cpu.avx512vnni;
}
template <>
[[nodiscard]] constexpr bool can_run<avx512vbmi>(const CpuFeatures& cpu) noexcept {
  return can_run<avx512vnni>(cpu) && cpu.avx512vbmi;
}
template <>
[[nodiscard]] constexpr bool can_run<neon64>(const CpuFeatures& cpu) noexcept {
  return cpu.neon;
}
template <>
[[nodiscard]] constexpr bool can_run<neon64dot>(const CpuFeatures& cpu) noexcept {
  return cpu.neon && cpu.neondot;
}

namespace detail {
/// The answers of CPUID and XGETBV that matter here; zero where the processor has none.
struct X86Words {
  std::uint32_t leaf1_ecx = 0, leaf7_ebx = 0, leaf7_ecx = 0, leaf7_1_eax = 0;
  std::uint64_t xcr0 = 0;  ///< register states that the system saves; 0 without OSXSAVE
};

[[nodiscard]] constexpr CpuFeatures x86_features(const X86Words& words) noexcept {
  const auto has = [](std::uint64_t word, std::uint64_t bits) { return (word & bits) == bits; };
  constexpr std::uint32_t fma = 1u << 12, f16c = 1u << 29, avx2_bit = 1u << 5, avx_vnni = 1u << 4;
  constexpr std::uint32_t f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31, vbmi = 1u << 1, vnni = 1u << 11;
  const bool saves_ymm = has(words.xcr0, 0x06), saves_zmm = has(words.xcr0, 0xe6);
  CpuFeatures cpu;
  cpu.avx2 = saves_ymm && has(words.leaf1_ecx, fma | f16c) && has(words.leaf7_ebx, avx2_bit);
  cpu.avxvnni = saves_ymm && has(words.leaf7_1_eax, avx_vnni);
  cpu.avx512bw = saves_zmm && has(words.leaf7_ebx, f | dq | bw | vl);
  cpu.avx512vnni = saves_zmm && has(words.leaf7_ecx, vnni);
  cpu.avx512vbmi = saves_zmm && has(words.leaf7_ecx, vbmi);
  return cpu;
}
}  // namespace detail

/// Asks the processor and the system: a few instructions, under a microsecond outside virtual machines.
[[nodiscard]] inline CpuFeatures detect_cpu() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  detail::X86Words words;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(1, 0, &eax, &ebx, &ecx, &edx) != 0) words.leaf1_ecx = ecx;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
    words.leaf7_ebx = ebx;
    words.leaf7_ecx = ecx;
    if (eax >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0) words.leaf7_1_eax = eax;
  }
  if ((words.leaf1_ecx & 1u << 27) != 0) {
    // By hand: the intrinsic is for files compiled with -mxsave.
    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    words.xcr0 = std::uint64_t{edx} << 32 | eax;
  }
  return detail::x86_features(words);
#elif defined(_M_X64) || defined(_M_IX86)
  detail::X86Words words;
  int answer[4] = {};
  __cpuid(answer, 0);
  const int last = answer[0];
  __cpuid(answer, 1);
  words.leaf1_ecx = static_cast<std::uint32_t>(answer[2]);
  if (last >= 7) {
    __cpuidex(answer, 7, 0);
    words.leaf7_ebx = static_cast<std::uint32_t>(answer[1]);
    words.leaf7_ecx = static_cast<std::uint32_t>(answer[2]);
    if (answer[0] >= 1) {
      __cpuidex(answer, 7, 1);
      words.leaf7_1_eax = static_cast<std::uint32_t>(answer[0]);
    }
  }
  if ((words.leaf1_ecx & 1u << 27) != 0) words.xcr0 = _xgetbv(0);
  return detail::x86_features(words);
#elif defined(__aarch64__) || defined(_M_ARM64)
  CpuFeatures cpu;
  cpu.neon = true;
#if defined(__ARM_FEATURE_DOTPROD) || defined(__APPLE__)
  cpu.neondot = true;  // the whole program is compiled for it; every AArch64 machine of Apple has it
#elif defined(__linux__)
  cpu.neondot = (getauxval(AT_HWCAP) & 1ul << 20) != 0;  // HWCAP_ASIMDDP
#endif
  return cpu;
#else
  return {};
#endif
}

}  // namespace basin::kernels
