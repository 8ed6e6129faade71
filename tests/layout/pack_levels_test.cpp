#include <basin/layout/pack_levels.hpp>  // first: proves the header stands alone

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "kernels/random_levels.hpp"
#include "layout/little_endian.hpp"
#include "support/aligned.hpp"
#include "support/catch.hpp"

using basin::LevelsError;
using basin::LevelView;
using basin::test::AlignedBytes;
using basin::test::level_sets;
using basin::test::RandomLevels;

TEST_CASE("Packed levels open to what was packed", "[layout][property]") {
  const RandomLevels layer(level_sets[1], 66, 101, 1);
  AlignedBytes moved(layer.memory.size());
  std::memcpy(moved.data(), layer.memory.data(), moved.size());
  const basin::LevelsResult opened = basin::open_packed_levels(moved.span());
  REQUIRE(opened.error == LevelsError::none);
  CHECK(opened.layer.n_out == 66);
  CHECK(opened.layer.n_in == 101);
  CHECK(opened.layer.num_words == layer.packed.num_words);
  CHECK(std::memcmp(opened.layer.levels, level_sets[1].levels, 4) == 0);
  CHECK(reinterpret_cast<const std::byte*>(opened.layer.codes) - moved.data() ==
        reinterpret_cast<const std::byte*>(layer.packed.codes) - layer.memory.data());
  CHECK(opened.layer.scales[65] == layer.scales[65]);
}

TEST_CASE("The packed bytes of levels of this version do not change", "[layout][golden]") {
  RandomLevels layer(level_sets[0], 70, 300, 3);
  for (std::size_t o = 0; o < layer.scales.size(); ++o) layer.scales[o] = static_cast<float>(o) / 64;
  layer.pack(level_sets[0]);
  basin::test::to_little_endian(layer.memory.span(), 64, basin::detail::levels_layout(70, 300).codes, 4);
  basin::test::set_header_field(layer.memory.span(), 40, 0, 8);
  std::uint64_t hash = 14695981039346656037u;
  for (const std::byte byte : layer.memory.span()) hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 1099511628211u;
  CHECK(basin::packed_levels_version == 1);
  CHECK(hash == 0xedfa7eb360fc59ddu);
}

TEST_CASE("Levels that cannot be packed say why", "[layout][bad-input]") {
  const RandomLevels layer(level_sets[0], 10, 40, 4);
  AlignedBytes memory(basin::packed_levels_bytes(10, 40) + 64);
  const LevelView good{10, 40, {-3, -1, 1, 3}, layer.w2.data(), layer.scales.data()};
  const auto error = [&](const LevelView& view, std::span<std::byte> bytes) { return basin::pack_levels(view, bytes).error; };
  CHECK(error(good, memory.span()) == LevelsError::none);
  CHECK(error(good, memory.span().first(memory.size() - 65)) == LevelsError::memory_too_small);
  CHECK(error(good, memory.span().subspan(4)) == LevelsError::memory_misaligned);
  const auto with_levels = [&](int a, int b, int c, int d) {
    LevelView view = good;
    const int levels[] = {a, b, c, d};
    for (int k = 0; k < 4; ++k) view.levels[k] = static_cast<std::int8_t>(levels[k]);
    return error(view, memory.span());
  };
  CHECK(with_levels(-15, -14, -1, 0) == LevelsError::none);
  CHECK(with_levels(0, 1, 2, 15) == LevelsError::none);
  for (const LevelsError wrong : {with_levels(-1, -1, 1, 3), with_levels(-3, 1, -1, 3), with_levels(-3, -1, 3, 1), with_levels(-8, -1, 1, 8),
                                  with_levels(-16, -1, 0, -1), with_levels(1, 2, 3, 16), with_levels(-16, -15, -14, -13)})
    CHECK(wrong == LevelsError::bad_levels);
  for (const auto& [n_out, n_in] : {std::pair<std::ptrdiff_t, std::ptrdiff_t>{0, 40}, {10, 0}, {-1, 40}, {10, (1 << 20) + 1}, {PTRDIFF_MAX, 40}, {PTRDIFF_MAX / 4096, 1 << 20}}) {
    LevelView view = good;
    view.n_out = n_out;
    view.n_in = n_in;
    CHECK(error(view, memory.span()) == LevelsError::bad_shape);
    CHECK(basin::packed_levels_bytes(n_out, n_in) == 0);
  }
  for (int e = 0; e <= static_cast<int>(LevelsError::other_byte_order); ++e)
    CHECK(std::strcmp(basin::describe(static_cast<LevelsError>(e)), "unknown error") != 0);
}

TEST_CASE("Bytes that are no packed levels do not open", "[layout][bad-input]") {
  const RandomLevels layer(level_sets[0], 10, 40, 5);
  const auto bytes = layer.memory.span();
  for (std::size_t size = 0; size < bytes.size(); size += 7) CHECK(basin::open_packed_levels(bytes.first(size)).error == LevelsError::memory_too_small);
  CHECK(basin::open_packed_levels(bytes.subspan(8)).error == LevelsError::memory_misaligned);
  for (std::size_t at = 0; at < 64; ++at) {
    CAPTURE(at);
    bytes[at] ^= std::byte{0x15};
    CHECK(basin::open_packed_levels(bytes).error == (at / 4 == 2 ? LevelsError::other_version : LevelsError::bad_header));
    bytes[at] ^= std::byte{0x15};
  }
  CHECK(basin::open_packed_levels(bytes).error == LevelsError::none);
  // With the right hash, too.
  auto* header = reinterpret_cast<std::uint8_t*>(bytes.data());
  const auto changed = [&](std::size_t at, std::uint8_t value) {
    const std::uint8_t kept = header[at];
    header[at] = value;
    basin::detail::put_header_field(header + 56, basin::detail::header_hash(header), 8);
    const LevelsError error = basin::open_packed_levels(bytes).error;
    header[at] = kept;
    return error;
  };
  CHECK(changed(8, 2) == LevelsError::other_version);
  CHECK(changed(12, 100) == LevelsError::bad_levels);
  CHECK(changed(18, 1) == LevelsError::bad_header);  // more rows than bytes in all
  CHECK(changed(23, 0xff) == LevelsError::bad_shape);
  CHECK(changed(27, 1) == LevelsError::bad_shape);
  CHECK(changed(33, 0x7f) == LevelsError::bad_header);
  CHECK(changed(40, basin::detail::native_byte_order == 0 ? 1 : 0) == LevelsError::other_byte_order);
  CHECK(changed(40, 2) == LevelsError::bad_header);
  CHECK(changed(48, 1) == LevelsError::bad_header);
}
