// Additive-quantized linear layers as operators of PyTorch:
//
//   basin::pack(codes, codebooks, scales, n_in) -> packed     once, when a model is loaded
//   basin::lut_matvec(packed, x) -> y                         y = x W^T straight from codes
//   basin::decode(packed) -> W                                the weight itself, for what has no kernel
//
// A packed layer is a tensor of bytes: torch.save, mmap and state dicts treat it like any other.
#include <basin/kernels.hpp>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#ifndef INTRA_OP_PARALLEL
#error "this LibTorch shares out its work by OpenMP: compile with -fopenmp, or at::parallel_for is a plain loop"
#endif

namespace {
using basin::PackedLayer;

std::span<std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.data_ptr()), static_cast<std::size_t>(tensor.numel())};
}

PackedLayer open(const at::Tensor& packed) {
  TORCH_CHECK(packed.device().is_cpu() && packed.scalar_type() == at::kByte && packed.dim() == 1 && packed.is_contiguous(),
              "basin: packed must be a contiguous uint8 vector on the CPU, got ", packed.scalar_type(), " of shape ", packed.sizes());
  const basin::PackResult opened = basin::open_packed_layer(bytes_of(packed));
  TORCH_CHECK(opened.error == basin::PackError::none, "basin: packed: ", basin::describe(opened.error));
  return opened.layer;
}

const basin::kernels::KernelSet& kernels() {
  const basin::kernels::KernelChoice choice = basin::kernels::choose_kernels();
  char text[256];
  TORCH_CHECK(choice.kernels != nullptr, "basin: ", describe(choice, text));
  return *choice.kernels;
}

at::Tensor pack(const at::Tensor& codes, const at::Tensor& codebooks, const at::Tensor& scales, std::int64_t n_in) {
  TORCH_CHECK(codes.scalar_type() == at::kByte && codes.dim() == 3, "basin::pack: codes must be uint8 [n_out, groups, codebooks], got ",
              codes.scalar_type(), " ", codes.sizes());
  TORCH_CHECK(codebooks.scalar_type() == at::kHalf && codebooks.dim() == 3 && codebooks.size(0) == codes.size(2),
              "basin::pack: codebooks must be float16 [", codes.size(2), ", 2^bits, group], got ", codebooks.scalar_type(), " ", codebooks.sizes());
  TORCH_CHECK(scales.scalar_type() == at::kHalf && scales.dim() == 1 && scales.size(0) == codes.size(0), "basin::pack: scales must be float16 [",
              codes.size(0), "], got ", scales.scalar_type(), " ", scales.sizes());
  TORCH_CHECK(codebooks.size(1) <= 256 && std::has_single_bit(static_cast<std::uint64_t>(codebooks.size(1))),
              "basin::pack: a codebook must have 2^bits codewords, at most 256, got ", codebooks.size(1));
  TORCH_CHECK(codes.size(2) <= basin::Scheme::max_codebooks && codebooks.size(2) <= basin::Scheme::max_codeword_size,
              "basin::pack: at most ", basin::Scheme::max_codebooks, " codebooks of codewords of ", basin::Scheme::max_codeword_size, " weights, got ",
              codebooks.sizes());
  TORCH_CHECK(codes.device().is_cpu() && codebooks.device().is_cpu() && scales.device().is_cpu(), "basin::pack: tensors must be on the CPU");
  const basin::Scheme scheme{.num_codebooks = static_cast<int>(codes.size(2)),
                             .bits_per_code = std::countr_zero(static_cast<std::uint64_t>(codebooks.size(1))),
                             .in_group_size = static_cast<int>(codebooks.size(2))};
  const std::int64_t groups = codes.size(1), g = codebooks.size(2);
  TORCH_CHECK(groups > 0 && g > 0 && n_in > (groups - 1) * g && n_in <= groups * g, "basin::pack: ", groups, " groups of ", g, " inputs do not hold n_in = ", n_in);

  const at::Tensor code_rows = codes.contiguous(), codeword_rows = codebooks.contiguous(), scale_row = scales.contiguous();
  const basin::BasicAdditiveView<std::uint8_t> view{scheme, codes.size(0), n_in, code_rows.data_ptr<std::uint8_t>(),
                                                    static_cast<const std::uint16_t*>(codeword_rows.data_ptr()),
                                                    static_cast<const std::uint16_t*>(scale_row.data_ptr())};
  at::Tensor packed = at::empty({static_cast<std::int64_t>(basin::packed_layer_bytes(scheme, view.n_out, n_in))}, at::kByte);
  const basin::PackResult result = basin::pack_layer(view, bytes_of(packed));
  TORCH_CHECK(result.error == basin::PackError::none, "basin::pack: ", basin::describe(result.error));
  return packed;
}

at::Tensor lut_matvec(const at::Tensor& packed, const at::Tensor& x) {
  const PackedLayer layer = open(packed);
  TORCH_CHECK(x.device().is_cpu() && x.scalar_type() == at::kFloat && x.dim() >= 1 && x.size(-1) == layer.n_in,
              "basin::lut_matvec: x must be float32 [..., ", layer.n_in, "] on the CPU, got ", x.scalar_type(), " ", x.sizes());
  const at::Tensor inputs = x.contiguous();
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = layer.n_out;
  at::Tensor y = at::empty(shape, x.options());

  constexpr std::int64_t max_batch = 8, block_rows = PackedLayer::rows_per_block;
  const basin::kernels::MatvecKernels& matvec = kernels().matvec_exact;
  const std::int64_t tokens = inputs.numel() / layer.n_in;
  for (std::int64_t token = 0; token < tokens; token += max_batch) {
    const int batch = static_cast<int>(std::min(max_batch, tokens - token));
    const float* from = inputs.data_ptr<float>() + token * layer.n_in;
    float* to = y.data_ptr<float>() + token * layer.n_out;
    const at::Tensor workspace = at::empty({static_cast<std::int64_t>(matvec.workspace_size(layer, batch))}, at::kByte);
    void* const tables = workspace.data_ptr();
    at::parallel_for(0, basin::num_input_blocks(layer), 1, [&](std::int64_t first, std::int64_t last) {
      matvec.build_tables(layer, from, layer.n_in, batch, first, last, tables);
    });
    at::parallel_for(0, (layer.n_out + block_rows - 1) / block_rows, 1, [&](std::int64_t first, std::int64_t last) {
      const std::int64_t row = first * block_rows;
      matvec.run(layer, tables, batch, row, std::min<std::int64_t>(last * block_rows, layer.n_out), to + row, layer.n_out);
    });
  }
  return y;
}

at::Tensor decode(const at::Tensor& packed) {
  const PackedLayer layer = open(packed);
  at::Tensor weight = at::empty({layer.n_out, layer.n_in}, at::kFloat);
  float* const to = weight.data_ptr<float>();
  const auto run = kernels().dequantize_fp32;
  at::parallel_for(0, layer.n_out, PackedLayer::rows_per_block, [&](std::int64_t first, std::int64_t last) {
    run(layer, first, last, 0, layer.n_in, to + first * layer.n_in, layer.n_in);
  });
  return weight;
}
}  // namespace

TORCH_LIBRARY(basin, library) {
  library.def("pack(Tensor codes, Tensor codebooks, Tensor scales, int n_in) -> Tensor", &pack);
  library.def("lut_matvec(Tensor packed, Tensor x) -> Tensor", &lut_matvec);
  library.def("decode(Tensor packed) -> Tensor", &decode);
}
