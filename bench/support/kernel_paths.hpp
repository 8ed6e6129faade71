#pragma once

#include <basin/kernels/dispatch.hpp>

#include <cstdio>
#include <cstdlib>
#include <span>

namespace basin::bench {
/// The paths to measure: all that this processor can run, or the one of BASIN_ARCH. Ends the program with
/// one line and status 2 where that cannot be had.
[[nodiscard]] inline std::span<const kernels::KernelSet> kernel_paths() {
  const kernels::KernelChoice choice = kernels::choose_kernels();
  if (choice.error != kernels::ArchError::none) {
    char text[256];
    std::fprintf(stderr, "%s\n", describe(choice, text));
    std::exit(2);
  }
  if (choice.asked == nullptr) return kernels::available_kernels();
  return {choice.kernels, 1};
}

}  // namespace basin::bench
