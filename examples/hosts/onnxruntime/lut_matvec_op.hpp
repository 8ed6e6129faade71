#pragma once

#include <basin/kernels.hpp>

#include <onnxruntime_cxx_api.h>
#include <onnxruntime_lite_custom_op.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <vector>

/// The operator LutMatvec of the domain "basin": y = x W^T straight from a packed layer.
///
///     packed  uint8 [bytes], what pack_layer wrote; an initializer of the model, or a tensor on a 64-byte boundary
///     x       float [..., n_in];   y  float [..., n_out]
///
/// Row blocks and blocks of tables go through ONNX Runtime's own threads.
namespace basin_onnx {
struct FreeAligned {
  void operator()(std::byte* bytes) const { ::operator delete(bytes, std::align_val_t{64}); }
};

template <class Function>
void parallel_for(const Ort::KernelContext& context, std::ptrdiff_t count, Function function) {
  context.ParallelFor([](void* data, std::size_t i) { (*static_cast<Function*>(data))(static_cast<std::ptrdiff_t>(i)); },
                      static_cast<std::size_t>(count), 0, &function);
}

inline Ort::Status refuse(const std::string& why) { return Ort::Status(("basin.LutMatvec: " + why).c_str(), ORT_INVALID_ARGUMENT); }

inline Ort::Status lut_matvec(OrtKernelContext* ort_context, const Ort::Custom::Tensor<std::uint8_t>& packed,
                              const Ort::Custom::Tensor<float>& x, Ort::Custom::Tensor<float>& y) {
  const Ort::KernelContext context(ort_context);
  const std::span bytes(packed.Data(), static_cast<std::size_t>(packed.NumberOfElement()));
  const basin::PackResult opened = basin::open_packed_layer(std::as_bytes(bytes));
  if (opened.error != basin::PackError::none) return refuse(basin::describe(opened.error));
  const basin::PackedLayer& layer = opened.layer;
  std::vector<std::int64_t> shape = x.Shape();
  if (shape.empty() || shape.back() != layer.n_in) return refuse("x must be [..., " + std::to_string(layer.n_in) + "]");
  const basin::kernels::KernelChoice choice = basin::kernels::choose_kernels();
  char text[256];
  if (choice.kernels == nullptr) return refuse(describe(choice, text));

  shape.back() = layer.n_out;
  const float* from = x.Data();
  float* to = y.Allocate(shape);
  constexpr std::int64_t max_batch = 8, block_rows = basin::PackedLayer::rows_per_block;
  const basin::kernels::MatvecKernels& matvec = choice.kernels->matvec_exact;
  const std::size_t size = matvec.workspace_size(layer, max_batch);
  const std::unique_ptr<std::byte, FreeAligned> workspace(static_cast<std::byte*>(::operator new(size, std::align_val_t{64})));
  for (std::int64_t left = x.NumberOfElement() / layer.n_in; left > 0; left -= max_batch) {
    const int batch = static_cast<int>(std::min(max_batch, left));
    parallel_for(context, basin::num_input_blocks(layer), [&](std::ptrdiff_t block) {
      matvec.build_tables(layer, from, layer.n_in, batch, block, block + 1, workspace.get());
    });
    parallel_for(context, (layer.n_out + block_rows - 1) / block_rows, [&](std::ptrdiff_t block) {
      const std::ptrdiff_t row = block * block_rows;
      matvec.run(layer, workspace.get(), batch, row, std::min(row + block_rows, layer.n_out), to + row, layer.n_out);
    });
    from += batch * layer.n_in;
    to += batch * layer.n_out;
  }
  return Ort::Status(nullptr);
}

/// Adds the domain "basin" to a session's options; `domain` and `op` must outlive its sessions.
struct Operators {
  std::unique_ptr<Ort::Custom::OrtLiteCustomOp> op{Ort::Custom::CreateLiteCustomOp("LutMatvec", "CPUExecutionProvider", &lut_matvec)};
  Ort::CustomOpDomain domain{"basin"};

  Operators() { domain.Add(op.get()); }
};
}  // namespace basin_onnx
