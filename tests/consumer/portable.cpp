// An engine with every path in one program: the best that the processor at hand can run is taken.
#include <basin/kernels.hpp>

#include <cstdio>
#include <cstring>

#ifndef BASIN_KERNELS_EXTERN
#error "basin_add_kernels does not say which paths there are"
#endif

int main() {
  const basin::kernels::KernelChoice choice = basin::kernels::choose_kernels();
  if (choice.error != basin::kernels::ArchError::none) {
    char text[256];
    std::fprintf(stderr, "portable: %s\n", describe(choice, text));
    return 2;
  }
  const auto paths = basin::kernels::available_kernels();
  const bool plainest_first = std::strcmp(paths.front().arch, "scalar") == 0;
  return plainest_first && choice.kernels->matvec_exact.run != nullptr ? 0 : 1;
}
