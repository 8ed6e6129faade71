// Says which paths this program has and which it takes, and multiplies with it:
//
//     paths scalar avx2
//     chosen avx2
//     bits exact 0123456789abcdef
//     bits int16 ...
//     bits int8 ...
//     bits levels ...
//
// Compiled for the plainest processor, whatever BASIN_NATIVE says.
#include <basin/kernels.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

namespace {
struct alignas(64) Line {
  std::byte bytes[64];
};
std::vector<Line> lines(std::size_t bytes) { return std::vector<Line>(bytes / sizeof(Line) + 1); }

std::uint64_t hash_of(const std::vector<float>& values) {
  std::uint64_t hash = 14695981039346656037u;
  for (const float value : values) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    hash = (hash ^ bits) * 1099511628211u;
  }
  return hash;
}

/// A hash of the products of one layer with three inputs.
std::uint64_t product_bits(const basin::PackedLayer& layer, const basin::kernels::MatvecKernels& matvec) {
  std::vector<float> x, y(static_cast<std::size_t>(3 * layer.n_out));
  for (std::ptrdiff_t i = 0; i < 3 * layer.n_in; ++i) x.push_back(static_cast<float>(i * 7919 % 2003 - 1001) / 1024);
  std::vector<Line> workspace = lines(matvec.workspace_size(layer, 3));
  matvec.build_tables(layer, x.data(), layer.n_in, 3, 0, basin::num_input_blocks(layer), workspace.data());
  matvec.run(layer, workspace.data(), 3, 0, layer.n_out, y.data(), layer.n_out);
  return hash_of(y);
}

/// The same of two-bit levels with five inputs in 8 bits.
std::uint64_t level_bits(const basin::kernels::KernelSet& set) {
  constexpr std::ptrdiff_t n_out = 70, n_in = 300, batch = 5;
  std::vector<std::uint8_t> codes;
  for (std::ptrdiff_t i = 0; i < n_out * n_in / 4; ++i) codes.push_back(static_cast<std::uint8_t>(i * 131 % 251));
  std::vector<float> scales, x, y(static_cast<std::size_t>(batch * n_out));
  for (std::ptrdiff_t o = 0; o < n_out; ++o) scales.push_back(0.25f + static_cast<float>(o) / 128);
  for (std::ptrdiff_t i = 0; i < batch * n_in; ++i) x.push_back(static_cast<float>(i * 7919 % 2003 - 1001) / 1024);
  const std::size_t size = basin::packed_levels_bytes(n_out, n_in);
  std::vector<Line> memory = lines(size);
  const basin::LevelsResult packed = basin::pack_levels({n_out, n_in, {-4, -1, 1, 4}, codes.data(), scales.data()}, {memory.data()->bytes, size});
  if (packed.error != basin::LevelsError::none) return 0;
  const basin::kernels::ActivationFormat format{8, 1, 64};
  std::vector<Line> workspace = lines(basin::kernels::activation_bytes(format, n_in, batch)), scratch = lines(set.level_matmul.scratch_size(batch));
  set.activations.run(format, x.data(), n_in, n_in, batch, 0, batch, workspace.data());
  set.level_matvec(packed.layer, format, workspace.data(), batch, 0, n_out, y.data(), n_out);
  const std::uint64_t hash = hash_of(y);
  set.level_matmul.run(packed.layer, format, workspace.data(), batch, 0, n_out, y.data(), n_out, scratch.data());
  return hash_of(y) == hash ? hash : 0;
}
}  // namespace

int main() {
  std::printf("paths");
  for (const basin::kernels::KernelSet& set : basin::kernels::available_kernels()) std::printf(" %s", set.arch);
  std::printf("\n");
  const basin::kernels::KernelChoice choice = basin::kernels::choose_kernels();
  if (choice.error != basin::kernels::ArchError::none) {
    char text[256];
    std::fprintf(stderr, "report_paths: %s\n", describe(choice, text));
    return 2;
  }
  std::printf("chosen %s\n", choice.kernels->arch);

  const basin::Scheme scheme{2, 8, 8, 1};
  constexpr std::ptrdiff_t n_out = 70, n_in = 300;
  std::vector<std::uint16_t> codes, codebooks, scales;
  for (std::ptrdiff_t i = 0; i < n_out * scheme.num_in_groups(n_in) * 2; ++i) codes.push_back(static_cast<std::uint16_t>(i * 131 % 256));
  for (std::ptrdiff_t i = 0; i < 2 * 256 * 8; ++i) codebooks.push_back(basin::float_to_half(static_cast<float>(i * 577 % 1009 - 504) / 512));
  for (std::ptrdiff_t i = 0; i < n_out; ++i) scales.push_back(basin::float_to_half(0.25f + static_cast<float>(i) / 128));
  const basin::AdditiveView stored{scheme, n_out, n_in, codes.data(), codebooks.data(), scales.data()};
  const std::size_t size = basin::packed_layer_bytes(scheme, n_out, n_in);
  std::vector<Line> memory = lines(size);
  const basin::PackResult packed = basin::pack_layer(stored, {memory.data()->bytes, size});
  if (packed.error != basin::PackError::none) return 1;

  const auto print = [&](const char* name, const basin::kernels::MatvecKernels& matvec) {
    std::printf("bits %s %016llx\n", name, static_cast<unsigned long long>(product_bits(packed.layer, matvec)));
  };
  print("exact", choice.kernels->matvec_exact);
  print("int16", choice.kernels->matvec_int16);
  print("int8", choice.kernels->matvec_int8);
  std::printf("bits levels %016llx\n", static_cast<unsigned long long>(level_bits(*choice.kernels)));
}
