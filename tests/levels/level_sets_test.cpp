#include <basin/levels/asymmetric_integer.hpp>
#include <basin/levels/far_mirror_no_zero.hpp>
#include <basin/levels/lloyd_max.hpp>
#include <basin/levels/mirror_no_zero.hpp>
#include <basin/levels/normal_float.hpp>
#include <basin/levels/power_of_two_mirror_no_zero.hpp>
#include <basin/levels/symmetric_integer.hpp>
#include <basin/levels/ternary.hpp>

#include <basin/core/normal_distribution.hpp>

#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "laws/level_set_laws.hpp"
#include "support/catch.hpp"

using namespace basin;

namespace {
/// A host's own set.
struct Thirds {
  static constexpr std::string_view name = "thirds";
  static constexpr std::array<float, 4> values{-3.0f, -1.0f, 0.5f, 3.0f};
};
using Sets = std::tuple<MirrorNoZero, PowerOfTwoMirrorNoZero, FarMirrorNoZero, LloydMax, NormalFloat2, Ternary, SymmetricInteger<2>,
                        SymmetricInteger<3>, SymmetricInteger<4>, SymmetricInteger<8>, AsymmetricInteger<2>,
                        AsymmetricInteger<4>, AsymmetricInteger<8>, Thirds>;
using Mirrored = std::tuple<MirrorNoZero, PowerOfTwoMirrorNoZero, FarMirrorNoZero, LloydMax, NormalFloat2>;

template <class L>
std::vector<float> values_of() {
  return {L::values.begin(), L::values.end()};
}
}  // namespace

TEMPLATE_LIST_TEST_CASE("Level sets obey their laws", "[levels][property]", Sets) {
  test::check_level_set_laws(TestType{});
}

TEMPLATE_LIST_TEST_CASE("Sets without zero mirror their values", "[levels][property]", Mirrored) {
  STATIC_REQUIRE(MirroredLevelSet<TestType>);
  for (const float value : TestType::values) CHECK(value != 0);
}

TEST_CASE("Level sets have the values and names of the papers", "[levels][reference]") {
  CHECK(values_of<MirrorNoZero>() == std::vector<float>{-1.5f, -0.5f, 0.5f, 1.5f});
  CHECK(values_of<PowerOfTwoMirrorNoZero>() == std::vector<float>{-4, -1, 1, 4});
  CHECK(values_of<FarMirrorNoZero>() == std::vector<float>{-2, -1, 1, 2});
  CHECK(values_of<Ternary>() == std::vector<float>{-1, 0, 1});
  CHECK(values_of<SymmetricInteger<2>>() == std::vector<float>{-2, -1, 0, 1});
  CHECK(values_of<SymmetricInteger<3>>() == std::vector<float>{-4, -3, -2, -1, 0, 1, 2, 3});
  CHECK(values_of<SymmetricInteger<4>>().front() == -8);
  CHECK(values_of<SymmetricInteger<4>>().back() == 7);
  CHECK(values_of<AsymmetricInteger<2>>() == std::vector<float>{0, 1, 2, 3});
  for (std::size_t i = 0; i < 4; ++i) {
    const double middle = (2 * static_cast<double>(i) + 1) / 8;
    CHECK(NormalFloat2::values[i] == static_cast<float>(normal_quantile(middle)));
  }
  CHECK(to_string(MirrorNoZero{}) == "mnz");
  CHECK(to_string(PowerOfTwoMirrorNoZero{}) == "pot-mnz");
  CHECK(to_string(SymmetricInteger<2>{}) == "sym-int2");
  CHECK(to_string(SymmetricInteger<8>{}) == "sym-int8");
  CHECK(to_string(AsymmetricInteger<2>{}) == "asym-int2");
  CHECK(to_string(AsymmetricInteger<8>{}) == "asym-int8");
}

TEST_CASE("Integers are not mirrored, and only those with a zero point are shifted", "[levels][property]") {
  STATIC_REQUIRE(!MirroredLevelSet<SymmetricInteger<2>>);
  STATIC_REQUIRE(!MirroredLevelSet<Thirds>);
  STATIC_REQUIRE(ShiftedLevelSet<AsymmetricInteger<2>>);
  STATIC_REQUIRE(!ShiftedLevelSet<SymmetricInteger<2>>);
  STATIC_REQUIRE(!ShiftedLevelSet<MirrorNoZero>);
}

namespace {
struct Infinite {
  static constexpr std::string_view name = "infinite";
  static constexpr std::array<float, 2> values{0.0f, std::numeric_limits<float>::infinity()};
};
struct NotANumber {
  static constexpr std::string_view name = "nan";
  static constexpr std::array<float, 2> values{0.0f, std::numeric_limits<float>::quiet_NaN()};
};
struct Repeated {
  static constexpr std::string_view name = "repeated";
  static constexpr std::array<float, 3> values{0.0f, 1.0f, 1.0f};
};
struct Single {
  static constexpr std::string_view name = "single";
  static constexpr std::array<float, 1> values{1.0f};
};
struct Crooked {
  static constexpr std::string_view name = "crooked";
  static constexpr std::array<float, 2> values{1.0f, 2.0f};
  static constexpr bool has_zero_point = true;
};
}  // namespace

TEST_CASE("Values that are no levels make no level set", "[levels][bad-input]") {
  STATIC_REQUIRE(!LevelSet<Infinite>);
  STATIC_REQUIRE(!LevelSet<NotANumber>);
  STATIC_REQUIRE(!LevelSet<Repeated>);
  STATIC_REQUIRE(!LevelSet<Single>);
  STATIC_REQUIRE(LevelSet<Crooked>);
  STATIC_REQUIRE(!ShiftedLevelSet<Crooked>);
}
