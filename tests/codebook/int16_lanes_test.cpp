#include <basin/codebook/int16_lanes.hpp>  // first: proves the header stands alone

#include <basin/core/types.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

#include "support/catch.hpp"
#include "support/random.hpp"

using basin::detail::Int16Lanes;
using basin::detail::PlainInt16Lanes;

TEST_CASE("Every operation of Int16Lanes is the plain one", "[codebook][reference]") {
  basin::test::Rng rng(197);
  const basin::Matrix<float> values = 1000 * basin::test::normal_matrix<float>(3, 16, rng);
  std::array<std::int32_t, 48> ints{};
  for (std::size_t i = 0; i < 48; ++i) ints[i] = static_cast<std::int32_t>(values.data()[i] * 7000);
  const auto floats_of = [&](auto lanes, auto&& f) {
    using L = decltype(lanes);
    std::array<float, 16> out{};
    L::store(out.data(), f(lanes, L::load(values.row(0).data()), L::load(values.row(1).data()), L::load(values.row(2).data())));
    return out;
  };
  const auto ints_of = [&](auto lanes, auto&& f) {
    using L = decltype(lanes);
    std::array<std::int32_t, 16> out{};
    L::store(out.data(), f(lanes, L::load(ints.data()), L::load(ints.data() + 16), L::load(ints.data() + 32)));
    return out;
  };
  const auto same_floats = [&](auto&& f) { CHECK(floats_of(Int16Lanes{}, f) == floats_of(PlainInt16Lanes{}, f)); };
  const auto same_ints = [&](auto&& f) { CHECK(ints_of(Int16Lanes{}, f) == ints_of(PlainInt16Lanes{}, f)); };
  same_floats([](auto l, auto x, auto y, auto z) { return decltype(l)::multiply_add(x, y, z); });
  same_floats([](auto l, auto x, auto y, auto) { return decltype(l)::multiply(x, y); });
  same_floats([](auto l, auto x, auto, auto) { return decltype(l)::square_root(decltype(l)::multiply(x, x)); });
  same_floats([](auto l, auto x, auto y, auto) { return decltype(l)::min(x, y); });
  same_floats([](auto l, auto x, auto y, auto) { return decltype(l)::max(x, y); });
  same_floats([](auto l, auto x, auto y, auto) { return decltype(l)::add(x, y); });
  same_floats([](auto l, auto x, auto y, auto) { return decltype(l)::even(x, y); });
  same_floats([](auto l, auto x, auto y, auto) { return decltype(l)::odd(x, y); });
  same_floats([](auto l, auto, auto, auto) { return decltype(l)::all(1.5f); });
  same_ints([](auto l, auto, auto, auto) { return decltype(l)::all(std::int32_t{-3}); });
  same_ints([](auto l, auto x, auto y, auto) { return decltype(l)::pairs(x, y); });
  same_ints([](auto l, auto x, auto y, auto) { return decltype(l)::min(x, y); });
  same_ints([](auto l, auto x, auto y, auto) { return decltype(l)::max(x, y); });
  same_ints([](auto l, auto x, auto y, auto) { return decltype(l)::add(x, y); });
  same_ints([](auto l, auto x, auto y, auto z) { return decltype(l)::where_less(x, y, z, x); });
  same_ints([](auto l, auto x, auto y, auto z) { return decltype(l)::dot(x, y, z); });
  same_ints([](auto l, auto x, auto y, auto) { return decltype(l)::all(static_cast<std::int32_t>(decltype(l)::at_most(x, y))); });
  std::array<float, 16> halves{};
  for (std::size_t i = 0; i < 16; ++i) halves[i] = static_cast<float>(i) - 7.5f;
  std::array<std::int32_t, 16> got{}, want{};
  Int16Lanes::store(got.data(), Int16Lanes::round(Int16Lanes::load(halves.data())));
  PlainInt16Lanes::store(want.data(), PlainInt16Lanes::round(PlainInt16Lanes::load(halves.data())));
  CHECK(got == want);
}
