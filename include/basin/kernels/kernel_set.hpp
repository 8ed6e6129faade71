#pragma once

#include <basin/kernels/activation_format.hpp>
#include <basin/kernels/dequantize_matmul.hpp>
#include <basin/kernels/kv4.hpp>
#include <basin/kernels/level_matmul.hpp>
#include <basin/kernels/level_matvec.hpp>
#include <basin/kernels/lut_dequantize.hpp>
#include <basin/kernels/lut_matvec.hpp>
#include <basin/kernels/quantize_activations.hpp>
#include <basin/layout/packed_layer.hpp>
#include <basin/layout/packed_levels.hpp>

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

/// LutDequantize<Arch>::run as a pointer.
template <class Out>
using DequantizeKernel = void (*)(const PackedLayer& layer, std::ptrdiff_t first_row, std::ptrdiff_t last_row, std::ptrdiff_t first_input,
                                  std::ptrdiff_t last_input, Out* out, std::ptrdiff_t stride) noexcept;

/// The functions of DequantizeMatmul<Arch, Precision> as pointers.
struct MatmulKernels {
  std::size_t (*workspace_size)(const PackedLayer& layer, std::ptrdiff_t batch) noexcept;
  std::size_t (*scratch_size)(const PackedLayer& layer, std::ptrdiff_t batch) noexcept;
  void (*prepare)(const PackedLayer& layer, const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t batch,
                  std::ptrdiff_t first_vector, std::ptrdiff_t last_vector, void* workspace) noexcept;
  void (*run)(const PackedLayer& layer, const void* workspace, std::ptrdiff_t batch, std::ptrdiff_t first_row,
              std::ptrdiff_t last_row, float* y, std::ptrdiff_t y_stride, void* scratch) noexcept;
};

/// The functions of QuantizeActivations<Arch> as pointers.
struct ActivationKernels {
  void (*run)(const ActivationFormat& format, const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t n_in, std::ptrdiff_t batch,
              std::ptrdiff_t first_token, std::ptrdiff_t last_token, void* workspace) noexcept;
  void (*run_int4)(const ActivationFormat& format, const std::uint8_t* packed, const float* steps, std::ptrdiff_t n_in, std::ptrdiff_t batch,
                   std::ptrdiff_t first_token, std::ptrdiff_t last_token, void* workspace) noexcept;
};

/// LevelMatvec<Arch>::run as a pointer.
using LevelMatvecKernel = void (*)(const PackedLevels& layer, const ActivationFormat& format, const void* workspace, std::ptrdiff_t batch,
                                   std::ptrdiff_t first_row, std::ptrdiff_t last_row, float* y, std::ptrdiff_t y_stride) noexcept;

/// The functions of LevelMatmul<Arch> as pointers.
struct LevelMatmulKernels {
  std::size_t (*scratch_size)(std::ptrdiff_t batch) noexcept;
  void (*run)(const PackedLevels& layer, const ActivationFormat& format, const void* workspace, std::ptrdiff_t batch, std::ptrdiff_t first_row,
              std::ptrdiff_t last_row, float* y, std::ptrdiff_t y_stride, void* scratch) noexcept;
};

/// The functions of Kv4<Arch> as pointers.
struct Kv4Kernels {
  void (*quantize)(const Kv4Cache& cache, const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t first_row, std::ptrdiff_t last_row) noexcept;
  void (*dequantize)(const Kv4Cache& cache, std::ptrdiff_t first_row, std::ptrdiff_t last_row, float* out, std::ptrdiff_t out_stride) noexcept;
  void (*scores)(const Kv4Cache& cache, const QuantizedActivations& queries, std::ptrdiff_t query, std::ptrdiff_t first_row,
                 std::ptrdiff_t last_row, float* out) noexcept;
  void (*mix)(const Kv4Cache& cache, const float* weights, std::ptrdiff_t first_row, std::ptrdiff_t last_row, float* out) noexcept;
};

/// Every operation of one instruction set, for run-time choice: kernels by value, no state.
struct KernelSet {
  const char* arch;
  MatvecKernels matvec_exact, matvec_int16, matvec_int8;
  DequantizeKernel<float> dequantize_fp32;
  DequantizeKernel<bfloat16> dequantize_bf16;
  DequantizeKernel<half> dequantize_fp16;
  MatmulKernels matmul_exact, matmul_int16, matmul_int8;
  ActivationKernels activations;
  LevelMatvecKernel level_matvec;
  LevelMatmulKernels level_matmul;
  Kv4Kernels kv4;
};

/// The functions of Arch. Names the arch in every symbol that it instantiates.
template <class Arch>
[[nodiscard]] KernelSet kernel_set() noexcept {
  return {Arch::name,
          {&LutMatvec<Arch, exact>::workspace_size, &LutMatvec<Arch, exact>::build_tables, &LutMatvec<Arch, exact>::run},
          {&LutMatvec<Arch, int16>::workspace_size, &LutMatvec<Arch, int16>::build_tables, &LutMatvec<Arch, int16>::run},
          {&LutMatvec<Arch, int8>::workspace_size, &LutMatvec<Arch, int8>::build_tables, &LutMatvec<Arch, int8>::run},
          &LutDequantize<Arch>::template run<float>,
          &LutDequantize<Arch>::template run<bfloat16>,
          &LutDequantize<Arch>::template run<half>,
          {&DequantizeMatmul<Arch, exact>::workspace_size, &DequantizeMatmul<Arch, exact>::scratch_size,
           &DequantizeMatmul<Arch, exact>::prepare, &DequantizeMatmul<Arch, exact>::run},
          {&DequantizeMatmul<Arch, int16>::workspace_size, &DequantizeMatmul<Arch, int16>::scratch_size,
           &DequantizeMatmul<Arch, int16>::prepare, &DequantizeMatmul<Arch, int16>::run},
          {&DequantizeMatmul<Arch, int8>::workspace_size, &DequantizeMatmul<Arch, int8>::scratch_size,
           &DequantizeMatmul<Arch, int8>::prepare, &DequantizeMatmul<Arch, int8>::run},
          {&QuantizeActivations<Arch>::run, &QuantizeActivations<Arch>::run_int4},
          &LevelMatvec<Arch>::run,
          {&LevelMatmul<Arch>::scratch_size, &LevelMatmul<Arch>::run},
          {&Kv4<Arch>::quantize, &Kv4<Arch>::dequantize, &Kv4<Arch>::scores, &Kv4<Arch>::mix}};
}

}  // namespace basin::kernels
