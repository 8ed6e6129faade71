// Hostile headers of packed layers and packed levels: what is opened lies within its bytes and can be unpacked.
#include <basin/layout/additive_layer.hpp>
#include <basin/layout/pack_layer.hpp>
#include <basin/layout/pack_levels.hpp>

#include <cstdlib>
#include <cstring>

#include "fuzz/seeds.hpp"
#include "kernels/random_layer.hpp"
#include "kernels/random_levels.hpp"

using basin::test::AlignedBytes;

namespace {
std::vector<std::byte> bytes_of(const AlignedBytes& memory) { return {memory.data(), memory.data() + memory.size()}; }

void check_layer(std::span<const std::byte> memory) {
  const basin::PackResult opened = basin::open_packed_layer(memory);
  if (opened.error != basin::PackError::none) return;
  const basin::PackedLayer& layer = opened.layer;
  if (!layer.scheme.is_valid() || layer.n_out < 1 || layer.n_in < 1) std::abort();
  if (basin::packed_layer_bytes(layer.scheme, layer.n_out, layer.n_in) > memory.size()) std::abort();
  if (layer.family == basin::CodeFamily::rows) {
    const auto* const last = layer.codes + (layer.n_out / layer.scheme.out_group_size - 1) * layer.row_bytes;
    std::vector<std::uint16_t> codes(static_cast<std::size_t>(layer.num_in_groups * layer.scheme.num_codebooks));
    basin::unpack_bits({last, static_cast<std::size_t>(layer.row_bytes)}, layer.scheme.bits_per_code, codes);
    return;
  }
  for (std::ptrdiff_t block = 0; block < basin::num_input_blocks(layer); ++block)
    for (std::ptrdiff_t first = 0; first < layer.padded_rows; first += basin::PackedLayer::rows_per_block) {
      const std::ptrdiff_t rows = basin::rows_in_block(layer, first), codes = basin::groups_in_block(layer, block) * layer.scheme.num_codebooks;
      const int code = basin::tile_code(basin::tile_codes(layer, block, first), rows, rows - 1, codes - 1, layer.scheme.bits_per_code);
      if (code >= layer.scheme.codebook_size()) std::abort();
    }
}

void check_levels(std::span<const std::byte> memory) {
  const basin::LevelsResult opened = basin::open_packed_levels(memory);
  if (opened.error != basin::LevelsError::none) return;
  const basin::PackedLevels& layer = opened.layer;
  if (basin::packed_levels_bytes(layer.n_out, layer.n_in) > memory.size()) std::abort();
  for (std::ptrdiff_t row = 0; row < layer.n_out; ++row)
    if (basin::level_code(layer, row, layer.n_in - 1) > 3) std::abort();
}
}  // namespace

std::vector<std::vector<std::byte>> fuzz_seeds() {
  std::vector<std::vector<std::byte>> seeds;
  for (const basin::Scheme& scheme : {basin::Scheme{2, 4, 8, 1}, {1, 6, 4, 1}, {1, 8, 2, 1}, {1, 5, 4, 1}, {2, 3, 3, 2}})
    seeds.push_back(bytes_of(basin::test::PackedRandomLayer(scheme, 6, 20, 1).memory));
  for (const basin::test::LevelSet& set : basin::test::level_sets) seeds.push_back(bytes_of(basin::test::RandomLevels(set, 6, 40, 1).memory));
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const AlignedBytes memory(size);
  std::memcpy(memory.data(), data, size);
  check_layer(memory.span());
  check_levels(memory.span());
  if (size < 64) return 0;
  // Without the right hash few mutants would come any further.
  auto* const header = reinterpret_cast<std::uint8_t*>(memory.data());
  basin::detail::put_header_field(header + 56, basin::detail::header_hash(header), 8);
  check_layer(memory.span());
  check_levels(memory.span());
  return 0;
}
