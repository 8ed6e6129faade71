#pragma once

#include <basin/kernels/arch/avx2_octets.hpp>
#include <basin/kernels/arch/avx2vnni_octets.hpp>
#include <basin/kernels/arch/avx512bw.hpp>
#include <basin/kernels/arch/avx512bw_octets.hpp>
#include <basin/kernels/arch/avx512vbmi.hpp>
#include <basin/kernels/arch/avx512vnni.hpp>
#include <basin/kernels/arch/avx512vnni_octets.hpp>
#include <basin/kernels/arch/neon64_octets.hpp>
#include <basin/kernels/arch/scalar.hpp>
#include <basin/kernels/concepts.hpp>
#include <basin/kernels/kernel_set.hpp>

#include <span>

namespace basin::kernels {
/// The paths that this file was compiled for, plainest first.
[[nodiscard]] inline std::span<const KernelSet> available_kernels() noexcept {
  static const KernelSet sets[] = {
      kernel_set<scalar>(),
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
      kernel_set<avx512bw>(),
#if defined(__AVX512VNNI__)
      kernel_set<avx512vnni>(),
#if defined(__AVX512VBMI__)
      kernel_set<avx512vbmi>(),
#endif
#endif
#endif
  };
  return sets;
}

}  // namespace basin::kernels
