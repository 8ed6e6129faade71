#pragma once

#include <basin/kernels/dispatch.hpp>

#include <span>

namespace basin::test {
/// The paths that a test runs: all that this processor can run, or the one of BASIN_ARCH.
[[nodiscard]] inline std::span<const kernels::KernelSet> tested_kernels() {
  const kernels::KernelChoice choice = kernels::choose_kernels();
  if (choice.asked == nullptr) return kernels::available_kernels();
  const kernels::KernelSet& only = kernels::best_kernels();  // ends the program where it cannot be had
  return {&only, 1};
}

}  // namespace basin::test
