#pragma once

#include "../support/aligned_buffer.hpp"
#include "../support/fail.hpp"
#include "product.hpp"

#include <basin/core/executor.hpp>
#include <basin/core/types.hpp>
#include <basin/kernels.hpp>
#include <basin/layout/additive_layer.hpp>

#include <algorithm>

namespace llama {
using basin::Index;

/// An additively quantized layer as this engine keeps it: packed once, multiplied straight from codes.
class PackedLinear {
 public:
  PackedLinear(const basin::AdditiveLayer& stored, Product product, const basin::kernels::KernelSet& kernels)
      : memory_(basin::packed_layer_bytes(stored.scheme, stored.n_out, stored.n_in)), product_(product), kernels_(&kernels) {
    const basin::PackResult packed = basin::pack_layer(basin::view(stored), memory_.span());
    if (packed.error != basin::PackError::none) support::fail("cannot pack a layer: ", basin::describe(packed.error));
    layer_ = packed.layer;
  }

  /// y = x W^T: x [n, n_in], y [n, n_out].
  void apply(basin::ConstMatrixRef<float> x, basin::Matrix<float>& y, const basin::ExecutorRef& executor) const {
    y.resize(x.rows(), layer_.n_out);
    // Waking threads costs more than a small product.
    const bool small = x.rows() * layer_.n_out < (Index{1} << 22) / layer_.n_in;
    const basin::ExecutorRef threads = small ? basin::ExecutorRef() : executor;
    if (product_ == Product::dequantize) decode_and_multiply(x, y, threads);
    else look_up(x, y, threads);
  }

 private:
  void look_up(basin::ConstMatrixRef<float> x, basin::Matrix<float>& y, const basin::ExecutorRef& executor) const {
    constexpr Index most = 8, rows = 256;  // inputs per call, rows per task
    const basin::kernels::MatvecKernels& kernels = product_ == Product::int8    ? kernels_->matvec_int8
                                                   : product_ == Product::int16 ? kernels_->matvec_int16
                                                                                : kernels_->matvec_exact;
    static thread_local support::AlignedBuffer buffer;
    std::byte* workspace = buffer.require(kernels.workspace_size(layer_, static_cast<int>(std::min(most, x.rows()))));
    for (Index begin = 0; begin < x.rows(); begin += most) {
      const int batch = static_cast<int>(std::min(most, x.rows() - begin));
      const float* inputs = x.data() + begin * x.outerStride();
      executor(basin::num_input_blocks(layer_), [&](Index block) {
        kernels.build_tables(layer_, inputs, x.outerStride(), batch, block, block + 1, workspace);
      });
      basin::for_each_range(executor, layer_.n_out, rows, [&](Index first, Index last) {
        kernels.run(layer_, workspace, batch, first, last, &y(begin, first), y.outerStride());
      });
    }
  }

  void decode_and_multiply(basin::ConstMatrixRef<float> x, basin::Matrix<float>& y, const basin::ExecutorRef& executor) const {
    const Index rows = x.rows() == 1 ? 8 : 96;  // a tile in the first-level cache, or enough to reuse inputs
    basin::for_each_range(executor, layer_.n_out, rows, [&](Index first, Index last) {
      static thread_local basin::Matrix<float> tile;
      tile.resize(last - first, layer_.n_in);
      kernels_->dequantize_fp32(layer_, first, last, 0, layer_.n_in, tile.data(), tile.outerStride());
      if (x.rows() == 1) y.row(0).segment(first, last - first).transpose().noalias() = tile * x.row(0).transpose();
      else y.middleCols(first, last - first).noalias() = x * tile.transpose();
    });
  }

  support::AlignedBuffer memory_;
  basin::PackedLayer layer_;
  Product product_;
  const basin::kernels::KernelSet* kernels_;
};

}  // namespace llama
