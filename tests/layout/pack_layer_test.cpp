#include <basin/layout/pack_layer.hpp>  // first: proves the header stands alone
#include <basin/layout/pack_levels.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/random_layer.hpp"
#include "layout/little_endian.hpp"
#include "support/aligned.hpp"
#include "support/catch.hpp"

using basin::PackError;
using basin::Scheme;
using basin::test::AlignedBytes;
using basin::test::random_layer;

namespace {
std::uint64_t fnv1a(const std::byte* bytes, std::size_t size) {
  std::uint64_t hash = 14695981039346656037u;
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ std::to_integer<std::uint64_t>(bytes[i])) * 1099511628211u;
  return hash;
}
}  // namespace

TEST_CASE("Packed bytes open to what was packed", "[layout][property]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{4, 4, 8, 1}, Scheme{3, 6, 8, 1}, Scheme{1, 16, 8, 1}, Scheme{2, 5, 3, 2});
  const basin::AdditiveLayer stored = random_layer(scheme, 66, 100, 1);
  AlignedBytes memory(basin::packed_layer_bytes(scheme, 66, 100)), moved(memory.size());
  const basin::PackResult packed = basin::pack_layer(basin::view(stored), memory.span());
  REQUIRE(packed.error == PackError::none);
  std::memcpy(moved.data(), memory.data(), memory.size());
  const basin::PackResult opened = basin::open_packed_layer(moved.span());
  REQUIRE(opened.error == PackError::none);
  CHECK(opened.layer.scheme == scheme);
  CHECK(opened.layer.n_out == 66);
  CHECK(opened.layer.n_in == 100);
  CHECK(opened.layer.max_codeword_norm == packed.layer.max_codeword_norm);
  const auto offset = [](const basin::PackResult& result, const AlignedBytes& base) { return reinterpret_cast<const std::byte*>(result.layer.codes) - base.data(); };
  CHECK(offset(opened, moved) == offset(packed, memory));
  for (std::ptrdiff_t o = 0; o < stored.num_out_groups(); ++o)
    CHECK(opened.layer.scales[o] == basin::half_to_float(stored.scales[static_cast<std::size_t>(o)]));
}

TEST_CASE("Codes of one byte pack to the same bytes as codes of two", "[layout][property]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{4, 4, 8, 1}, Scheme{3, 6, 8, 1}, Scheme{3, 5, 8, 1});
  const basin::AdditiveLayer stored = random_layer(scheme, 130, 300, 2);
  const std::vector<std::uint8_t> codes(stored.codes.begin(), stored.codes.end());
  AlignedBytes wide(basin::packed_layer_bytes(scheme, 130, 300)), narrow(wide.size());
  REQUIRE(basin::pack_layer(basin::view(stored), wide.span()).error == PackError::none);
  const basin::BasicAdditiveView<std::uint8_t> view{scheme, 130, 300, codes.data(), stored.codebooks.data(), stored.scales.data()};
  REQUIRE(basin::pack_layer(view, narrow.span()).error == PackError::none);
  CHECK(std::memcmp(wide.data(), narrow.data(), wide.size()) == 0);
}

TEST_CASE("The packed bytes of this version do not change", "[layout][golden]") {
  const auto hash = [](const Scheme& scheme) {
    const basin::AdditiveLayer stored = random_layer(scheme, 70, 300, 3);
    AlignedBytes memory(basin::packed_layer_bytes(scheme, 70, 300));
    REQUIRE(basin::pack_layer(basin::view(stored), memory.span()).error == PackError::none);
    const auto at = basin::detail::packed_layout(scheme, 70, 300);
    const bool planes = basin::code_family(scheme) == basin::CodeFamily::planes;
    basin::test::to_little_endian(memory.span(), at.scales, at.codebooks, 4);
    basin::test::to_little_endian(memory.span(), at.codebooks, at.codes, planes ? 4 : 2);
    basin::test::set_header_field(memory.span(), 28, 0, 4);
    return fnv1a(memory.data(), memory.size());
  };
  CHECK(basin::packed_layer_version == 1);
  CHECK(hash({2, 8, 8, 1}) == 0x47406fbb252353d6u);
  CHECK(hash({3, 4, 8, 1}) == 0x45d80b711fa170f2u);
  CHECK(hash({3, 6, 8, 1}) == 0x20e53dde4e2301efu);
  CHECK(hash({1, 12, 8, 1}) == 0x5466557f361e9c1au);
}

TEST_CASE("What cannot be packed says why", "[layout][bad-input]") {
  const Scheme scheme{2, 6, 8, 1};
  basin::AdditiveLayer stored = random_layer(scheme, 10, 40, 4);
  AlignedBytes memory(basin::packed_layer_bytes(scheme, 10, 40) + 64);
  const auto error = [&](const basin::AdditiveView& view, std::span<std::byte> bytes) { return basin::pack_layer(view, bytes).error; };
  CHECK(error(basin::view(stored), memory.span().first(memory.size() - 65)) == PackError::memory_too_small);
  CHECK(error(basin::view(stored), memory.span().subspan(4)) == PackError::memory_misaligned);
  basin::AdditiveView wrong = basin::view(stored);
  wrong.scheme.num_codebooks = 9;
  CHECK(error(wrong, memory.span()) == PackError::bad_scheme);
  wrong = basin::view(stored);
  wrong.n_out = 0;
  CHECK(error(wrong, memory.span()) == PackError::bad_shape);
  wrong.n_out = PTRDIFF_MAX;
  CHECK(error(wrong, memory.span()) == PackError::bad_shape);
  stored.codes[7] = 64;
  CHECK(error(basin::view(stored), memory.span()) == PackError::code_out_of_range);
  CHECK(basin::packed_layer_bytes({2, 6, 8, 3}, 10, 40) == 0);
  for (int e = 0; e <= static_cast<int>(PackError::other_byte_order); ++e)
    CHECK(std::strcmp(basin::describe(static_cast<PackError>(e)), "unknown error") != 0);
}

TEST_CASE("Bytes that are no packed layer do not open", "[layout][bad-input]") {
  const Scheme scheme{2, 4, 8, 1};
  AlignedBytes memory(basin::packed_layer_bytes(scheme, 10, 40));
  REQUIRE(basin::pack_layer(basin::view(random_layer(scheme, 10, 40, 5)), memory.span()).error == PackError::none);
  for (std::size_t size = 0; size < memory.size(); size += 7)
    CHECK(basin::open_packed_layer(memory.span().first(size)).error == PackError::memory_too_small);
  CHECK(basin::open_packed_layer(memory.span().subspan(8)).error != PackError::none);
  // Any change of a header byte is seen.
  for (std::size_t at = 0; at < 64; ++at) {
    CAPTURE(at);
    const std::byte kept = memory.data()[at];
    memory.data()[at] ^= std::byte{0x15};
    CHECK(basin::open_packed_layer(memory.span()).error != PackError::none);
    memory.data()[at] = kept;
  }
  CHECK(basin::open_packed_layer(memory.span()).error == PackError::none);
  memory.data()[128] ^= std::byte{1};  // behind the header and 64 scales' first bytes: still a scale
  CHECK(basin::open_packed_layer(memory.span()).error == PackError::none);
  memory.data()[64 + 256] ^= std::byte{1};  // the first codeword
  CHECK(basin::open_packed_layer(memory.span()).error == PackError::bad_codebooks);
}

TEST_CASE("A packed layer of another version or byte order is refused by name", "[layout][bad-input]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{1, 12, 8, 1});
  AlignedBytes memory(basin::packed_layer_bytes(scheme, 10, 40));
  REQUIRE(basin::pack_layer(basin::view(random_layer(scheme, 10, 40, 6)), memory.span()).error == PackError::none);
  const auto with = [&](std::size_t at, std::uint64_t value) {
    basin::test::set_header_field(memory.span(), at, value, 4);
    return basin::open_packed_layer(memory.span()).error;
  };
  for (const std::uint32_t version : {0u, basin::packed_layer_version + 1, ~0u}) CHECK(with(8, version) == PackError::other_version);
  CHECK(with(8, basin::packed_layer_version) == PackError::none);
  CHECK(with(28, 1 - basin::detail::native_byte_order) == PackError::other_byte_order);
  CHECK(with(28, 2) == PackError::bad_header);
  CHECK(with(28, basin::detail::native_byte_order) == PackError::none);
  // A later version may hash its header in another way: its version is what the caller hears of.
  memory.data()[8] = std::byte{2};
  CHECK(basin::open_packed_layer(memory.span()).error == PackError::other_version);
}

#if SIZE_MAX > 0xffffffff
TEST_CASE("index overflow: layers of more than 2^31 codes have their exact size", "[layout][property][pitfall]") {
  // Groups of one weight: 2^32 codes of 5 bits, in rows of 2^16.
  const std::ptrdiff_t n = std::ptrdiff_t{1} << 16;
  const basin::Scheme scheme{1, 5, 1, 1};
  STATIC_REQUIRE(basin::packed_row_bytes(std::size_t{1} << 32, 5) == (std::size_t{1} << 32) / 8 * 5);
  CHECK(basin::packed_layer_bytes(scheme, n, n) == 64 + 4 * std::size_t{1 << 16} + 64 + (std::size_t{1} << 32) / 8 * 5);
  CHECK(basin::packed_layer_bytes(scheme, PTRDIFF_MAX / 4096, PTRDIFF_MAX / 4096) == 0);
  CHECK(basin::packed_levels_bytes(n, n) == 64 + 4 * std::size_t{1 << 16} + (std::size_t{1} << 32) / 4);
}
#else
TEST_CASE("index overflow: layers of more than 2^31 codes have their exact size", "[layout][property][pitfall]") {
  const std::ptrdiff_t n = std::ptrdiff_t{1} << 16;
  CHECK(basin::packed_layer_bytes(basin::Scheme{1, 5, 1, 1}, n, n) == 0);
  CHECK(basin::packed_levels_bytes(n, n) == 0);
}
#endif
