// An engine that has nothing of basin but basin_decode.hpp: every path against the formula, in double. Arguments are
// paths that must be there.
#include <basin_decode.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>

std::size_t bytes_of_another_file(const basin::Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in) noexcept;

namespace {
constexpr basin::Scheme scheme{.num_codebooks = 2, .bits_per_code = 6, .in_group_size = 8};
constexpr std::ptrdiff_t n_out = 70, n_in = 300, groups = scheme.num_in_groups(n_in), codebook = scheme.codebook_size();

std::uint32_t state = 1;
std::uint32_t next() { return (state = state * 1664525u + 1013904223u) >> 16; }
float uniform() { return static_cast<float>(next()) / 32768.0f - 1.0f; }

alignas(64) std::byte memory[1 << 17];
alignas(64) std::byte workspace[1 << 20];
std::uint16_t codes[n_out * groups * 2], codebooks[2 * codebook * 8], scales[n_out];
float x[n_in], y[n_out];

// 2 (n_in + M J + 8) 2^-24 of the sum of magnitudes: the Accuracy line of LutMatvec.
bool is_product(const float* got) {
  for (std::ptrdiff_t row = 0; row < n_out; ++row) {
    double sum = 0, magnitudes = 0;
    for (std::ptrdiff_t i = 0; i < n_in; ++i)
      for (std::ptrdiff_t m = 0; m < 2; ++m) {
        const std::uint16_t code = codes[(row * groups + i / 8) * 2 + m];
        const double product = double{basin::half_to_float(codebooks[(m * codebook + code) * 8 + i % 8])} * double{x[i]};
        sum += product;
        magnitudes += std::fabs(product);
      }
    const double scale = basin::half_to_float(scales[row]);
    const double bound = 2.0 * (n_in + 2 * groups + 8) * 0x1p-24 * std::fabs(scale) * magnitudes;
    if (!(std::fabs(double{got[row]} - scale * sum) <= bound)) return false;
  }
  return true;
}
}  // namespace

int main(int argc, char** argv) {
  for (std::uint16_t& code : codes) code = static_cast<std::uint16_t>(next() % 64u);
  for (std::uint16_t& value : codebooks) value = basin::float_to_half(uniform());
  for (std::uint16_t& scale : scales) scale = basin::float_to_half(uniform());
  for (float& value : x) value = uniform();

  const std::size_t size = basin::packed_layer_bytes(scheme, n_out, n_in);
  if (size != bytes_of_another_file(scheme, n_out, n_in) || size > sizeof memory) return 2;
  const basin::AdditiveView stored{scheme, n_out, n_in, codes, codebooks, scales};
  const basin::PackResult packed = basin::pack_layer(stored, {memory, size});
  if (packed.error != basin::PackError::none) return 3;

  for (const basin::kernels::KernelSet& path : basin::kernels::available_kernels()) {
    const basin::kernels::MatvecKernels& matvec = path.matvec_exact;
    if (matvec.workspace_size(packed.layer, 1) > sizeof workspace) return 4;
    matvec.build_tables(packed.layer, x, n_in, 1, 0, basin::num_input_blocks(packed.layer), workspace);
    matvec.run(packed.layer, workspace, 1, 0, n_out, y, n_out);
    if (!is_product(y)) return 5;
    y[0] += 0.01f;  // so much as to be seen
    if (is_product(y)) return 6;
  }
  for (int i = 1; i < argc; ++i)
    if (basin::kernels::find_kernels(argv[i]) == nullptr) return 7;
  return 0;
}
