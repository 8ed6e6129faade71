#include <basin/kernels/cpu.hpp>  // first: proves the header stands alone

#include <cstdint>

#include "support/catch.hpp"

namespace kernels = basin::kernels;
using kernels::CpuFeatures;
using kernels::detail::x86_features;
using kernels::detail::X86Words;

namespace {
/// A processor with everything, and a system that saves every register.
constexpr X86Words full{.leaf1_ecx = 0xffffffff, .leaf7_ebx = 0xffffffff, .leaf7_ecx = 0xffffffff, .leaf7_1_eax = 0xffffffff, .xcr0 = 0xe7};
}  // namespace

TEST_CASE("Features need the processor's bit and the system's registers", "[kernels][reference]") {
  CHECK(x86_features(full) == CpuFeatures{true, true, true, true, true, false, false});
  CHECK(x86_features({}) == CpuFeatures{});
  X86Words words = full;
  SECTION("without AVX state") {
    words.xcr0 = 0xe0 | 1;
    CHECK(x86_features(words) == CpuFeatures{});
  }
  SECTION("without the upper halves of AVX-512") {
    for (const std::uint64_t missing : {0x20u, 0x40u, 0x80u}) {
      words.xcr0 = 0xe7 & ~missing;
      CHECK(x86_features(words) == CpuFeatures{true, true, false, false, false, false, false});
    }
  }
  SECTION("without one instruction set") {
    for (const unsigned bit : {12u, 29u}) {  // FMA, F16C
      words.leaf1_ecx = full.leaf1_ecx & ~(1u << bit);
      CHECK(!x86_features(words).avx2);
    }
    words = full;
    for (const unsigned bit : {16u, 17u, 30u, 31u}) {  // F, DQ, BW, VL
      words.leaf7_ebx = full.leaf7_ebx & ~(1u << bit);
      CHECK(!x86_features(words).avx512bw);
      CHECK(x86_features(words).avx2);
    }
    words.leaf7_ebx = full.leaf7_ebx & ~(1u << 5);
    CHECK(!x86_features(words).avx2);
    words = full;
    words.leaf7_ecx = full.leaf7_ecx & ~(1u << 1);
    CHECK((!x86_features(words).avx512vbmi && x86_features(words).avx512vnni));
    words.leaf7_ecx = full.leaf7_ecx & ~(1u << 11);
    CHECK((x86_features(words).avx512vbmi && !x86_features(words).avx512vnni));
    words.leaf7_1_eax = full.leaf7_1_eax & ~(1u << 4);
    CHECK(!x86_features(words).avxvnni);
  }
}

TEST_CASE("A path needs the features of those it builds on", "[kernels][property]") {
  const CpuFeatures none, all{true, true, true, true, true, true, true};
  CHECK(kernels::can_run<kernels::scalar>(none));
  CHECK(!kernels::can_run<kernels::avx2>(none));
  CHECK(!kernels::can_run<kernels::neon64>(none));
  CHECK(kernels::can_run<kernels::avx2vnni>(all));
  CHECK(kernels::can_run<kernels::avx512vbmi>(all));
  CHECK(kernels::can_run<kernels::neon64dot>(all));
  CpuFeatures cpu = all;
  cpu.avx2 = false;
  CHECK(!kernels::can_run<kernels::avx2vnni>(cpu));
  CHECK(!kernels::can_run<kernels::avx512vbmi>(cpu));
  cpu = all;
  cpu.avxvnni = false;
  CHECK((kernels::can_run<kernels::avx2>(cpu) && !kernels::can_run<kernels::avx2vnni>(cpu) && kernels::can_run<kernels::avx512vbmi>(cpu)));
  cpu = all;
  cpu.avx512bw = false;
  CHECK(!kernels::can_run<kernels::avx512vnni>(cpu));
  cpu = all;
  cpu.avx512vnni = false;
  CHECK((kernels::can_run<kernels::avx512bw>(cpu) && !kernels::can_run<kernels::avx512vbmi>(cpu)));
  cpu = all;
  cpu.neon = false;
  CHECK(!kernels::can_run<kernels::neon64dot>(cpu));
}

#if defined(__GNUC__) && defined(__x86_64__)
TEST_CASE("The processor is seen as the compiler's run time sees it", "[kernels][reference]") {
  const CpuFeatures cpu = kernels::detect_cpu();
  __builtin_cpu_init();
  CHECK(cpu.avx2 == (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")));
  CHECK(cpu.avx512bw == (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")));
  CHECK(cpu.avx512vnni == (__builtin_cpu_supports("avx512vnni") != 0));
  CHECK(cpu.avx512vbmi == (__builtin_cpu_supports("avx512vbmi") != 0));
}
#endif
