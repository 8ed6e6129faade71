#include <basin/kernels/choose_dequantize.hpp>  // first: proves the header stands alone

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/fake_kernels.hpp"
#include "kernels/random_layer.hpp"
#include "kernels/tested_kernels.hpp"
#include "support/catch.hpp"

namespace kernels = basin::kernels;
using basin::test::AlignedBytes;
using basin::test::PackedRandomLayer;
using kernels::ChooseDequantizeOptions;
using kernels::KernelSet;
using kernels::Plan;
using kernels::TablePrecision;

namespace {
using basin::test::FakeTime;

int tiles_run = 0;

/// So many ns for a tile and for each of its rows.
template <int NsPerTile, int NsPerRow>
void decode(const basin::PackedLayer&, std::ptrdiff_t first_row, std::ptrdiff_t last_row, std::ptrdiff_t, std::ptrdiff_t, float*, std::ptrdiff_t) noexcept {
  FakeTime::now += NsPerTile + NsPerRow * (last_row - first_row);
  ++tiles_run;
}
template <int NsPerTile, int NsPerRow>
KernelSet fake_set(const char* arch) {
  KernelSet set{};
  set.arch = arch;
  set.dequantize_fp32 = &decode<NsPerTile, NsPerRow>;
  return set;
}
const KernelSet fakes[] = {fake_set<0, 90>("scalar"), fake_set<10, 30>("avx2"), fake_set<100, 5>("avx512bw")};

Plan choose_fake(const basin::PackedLayer& layer, std::span<const KernelSet> paths, const ChooseDequantizeOptions& options) {
  const AlignedBytes scratch(kernels::choose_dequantize_scratch_bytes<float>(layer, options));
  return kernels::choose_dequantize<float>(layer, paths, options, scratch.span(), &FakeTime::read);
}
}  // namespace

TEST_CASE("choose_dequantize takes the fastest path for the shape of the tile", "[kernels][reference]") {
  const PackedRandomLayer layer({2, 8, 8, 1}, 100, 1000, 1);
  const auto expect = [&](std::ptrdiff_t rows, const char* arch, double ns_per_tile) {
    CAPTURE(rows);
    const Plan plan = choose_fake(layer.packed, fakes, {.rows = rows, .inputs = 256});
    REQUIRE(plan.arch != nullptr);
    CHECK(std::string(plan.arch) == arch);
    CHECK(plan.precision == TablePrecision::exact);
    CHECK(plan.relative_error == 0);
    const double rate = static_cast<double>(rows < 100 ? rows : 100) * 1000 / (4 * ns_per_tile);  // four tiles, the last one narrower
    CHECK(std::abs(static_cast<double>(plan.weights_per_ns) - rate) <= 1e-5 * rate);
  };
  expect(1, "avx2", 40);
  expect(16, "avx512bw", 180);
  expect(1000, "avx512bw", 600);
}

TEST_CASE("choose_dequantize gives slow paths up and ends under any clock", "[kernels][property]") {
  const PackedRandomLayer layer({2, 8, 8, 1}, 100, 2560, 1);
  const KernelSet paths[] = {fake_set<100000, 0>("scalar"), fakes[1]};
  FakeTime::now = 0;
  CHECK(std::string(choose_fake(layer.packed, paths, {.rows = 1, .inputs = 256, .nanoseconds = 10000}).arch) == "avx2");
  CHECK(FakeTime::now <= 10000 + 2 * 400 + 2 * 40 + 2 * 100000);
  float tile[256];
  const ChooseDequantizeOptions options{.rows = 1, .inputs = 256};
  const auto scratch = std::as_writable_bytes(std::span(tile));
  CHECK(kernels::choose_dequantize<float>(layer.packed, paths, options, scratch, &FakeTime::stopped).arch != nullptr);
  tiles_run = 0;  // without memory the last path, not measured
  const Plan plan = kernels::choose_dequantize<float>(layer.packed, paths, options, scratch.first(scratch.size() - 1), &FakeTime::read);
  CHECK(std::string(plan.arch) == "avx2");
  CHECK(plan.weights_per_ns == 0);
  CHECK(tiles_run == 0);
}

TEMPLATE_TEST_CASE("choose_dequantize measures the paths of this processor inside its memory", "[kernels][property]", float, kernels::bfloat16, kernels::half) {
  const PackedRandomLayer layer({2, 8, 8, 1}, 40, 531, 2);
  const auto paths = basin::test::tested_kernels();
  const ChooseDequantizeOptions options{.rows = GENERATE(1, 16, 99), .inputs = GENERATE(37, 256, 9999), .nanoseconds = 20000};
  const auto choose_in = [&](std::span<std::byte> scratch) {
    return kernels::choose_dequantize<TestType>(layer.packed, paths, options, scratch);
  };
  basin::test::check_measured_choice(choose_in, [](const Plan& plan) { return kernels::find_dequantize<TestType>(plan); },
                                     kernels::choose_dequantize_scratch_bytes<TestType>(layer.packed, options));
}
