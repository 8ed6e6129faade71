#pragma once

#include <basin/kernels/lut_matvec.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>
#include <cstdint>

namespace basin::kernels {
/// The functions of LutMatvec<Arch, Precision> as pointers.
struct MatvecKernels {
  std::size_t (*workspace_size)(const PackedLayer& layer, int batch) noexcept;
  void (*build_tables)(const PackedLayer& layer, const float* x, std::ptrdiff_t x_stride, int batch,
                       std::ptrdiff_t first_block, std::ptrdiff_t last_block, void* workspace) noexcept;
  void (*run)(const PackedLayer& layer, const void* workspace, int batch, std::ptrdiff_t first_row,
              std::ptrdiff_t last_row, float* y, std::ptrdiff_t y_stride) noexcept;
};

/// Every operation of one instruction set, for run-time choice: kernels by value, no state.
struct KernelSet {
  const char* arch;
  MatvecKernels matvec_exact, matvec_int16, matvec_int8;
};

/// The functions of Arch. Names the arch in every symbol that it instantiates.
template <class Arch>
[[nodiscard]] KernelSet kernel_set() noexcept {
  return {Arch::name,
          {&LutMatvec<Arch, exact>::workspace_size, &LutMatvec<Arch, exact>::build_tables, &LutMatvec<Arch, exact>::run},
          {&LutMatvec<Arch, int16>::workspace_size, &LutMatvec<Arch, int16>::build_tables, &LutMatvec<Arch, int16>::run},
          {&LutMatvec<Arch, int8>::workspace_size, &LutMatvec<Arch, int8>::build_tables, &LutMatvec<Arch, int8>::run}};
}

}  // namespace basin::kernels
