#include <basin/kernels/choose.hpp>  // first: proves the header stands alone

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/fake_kernels.hpp"
#include "kernels/random_layer.hpp"
#include "kernels/tested_kernels.hpp"
#include "support/catch.hpp"

namespace kernels = basin::kernels;
using basin::Scheme;
using basin::test::AlignedBytes;
using basin::test::PackedRandomLayer;
using kernels::ChooseOptions;
using kernels::KernelSet;
using kernels::Plan;
using kernels::TablePrecision;

namespace {
using basin::test::FakeTime;

std::size_t one_line(const basin::PackedLayer&, int) noexcept { return 64; }
template <int NsPerBlock>
void build(const basin::PackedLayer&, const float*, std::ptrdiff_t, int, std::ptrdiff_t first, std::ptrdiff_t last, void*) noexcept {
  FakeTime::now += NsPerBlock * (last - first);
}
template <int NsPerRow, int ErrorPerMille>
void run(const basin::PackedLayer&, const void*, int batch, std::ptrdiff_t first, std::ptrdiff_t last, float* y, std::ptrdiff_t stride) noexcept {
  FakeTime::now += NsPerRow * (last - first);
  basin::test::fake_products(batch, first, last, ErrorPerMille, y, stride);
}
template <int NsPerRow, int ErrorPerMille>
constexpr kernels::MatvecKernels fake{&one_line, &build<10>, &run<NsPerRow, ErrorPerMille>};

/// A path whose rows take this long with exact, int16 and int8 tables.
template <int Exact, int Int16, int Int8>
KernelSet fake_set(const char* arch) {
  KernelSet set{};
  set.arch = arch;
  set.matvec_exact = fake<Exact, 0>;
  set.matvec_int16 = fake<Int16, 1>;
  set.matvec_int8 = fake<Int8, 10>;
  return set;
}
const KernelSet fakes[] = {fake_set<100, 90, 80>("scalar"), fake_set<40, 12, 5>("avx2"), fake_set<30, 15, 6>("avx512bw")};

Plan choose_fake(const basin::PackedLayer& layer, std::span<const KernelSet> paths, const ChooseOptions& options) {
  const AlignedBytes scratch(kernels::choose_scratch_bytes(layer, paths, options.batch));
  return kernels::choose(layer, paths, options, scratch.span(), &FakeTime::read);
}
}  // namespace

TEST_CASE("choose takes the fastest path within the accepted error", "[kernels][reference]") {
  const PackedRandomLayer layer({2, 8, 8, 1}, 300, 512, 1);  // two input blocks
  const auto choose_within = [&](float accepted) {
    return choose_fake(layer.packed, fakes, {.batch = 2, .max_relative_error = accepted, .nanoseconds = 1000000});
  };
  const auto expect = [&](float accepted, const char* arch, TablePrecision precision, double ns, double error) {
    basin::test::check_choice(choose_within, accepted, arch, precision, 2 * 300 * 512, ns, error);
  };
  expect(0.02f, "avx2", TablePrecision::int8, 300 * 5 + 20, 0.010);
  expect(0.002f, "avx2", TablePrecision::int16, 300 * 12 + 20, 0.001);
  expect(0.0f, "avx512bw", TablePrecision::exact, 300 * 30 + 20, 0);
  expect(-1.0f, "avx512bw", TablePrecision::exact, 300 * 30 + 20, 0);
  expect(std::numeric_limits<float>::quiet_NaN(), "avx512bw", TablePrecision::exact, 300 * 30 + 20, 0);
}

TEST_CASE("choose stays within its time and gives slow paths up", "[kernels][property]") {
  const PackedRandomLayer layer({2, 8, 8, 1}, 4000, 512, 1);
  const ChooseOptions options{.batch = 1, .max_relative_error = 1, .nanoseconds = 3000000};
  FakeTime::now = 0;
  choose_fake(layer.packed, fakes, options);
  // Three calls beyond the time for each of the five candidates that are within four times the best, and a look at the rest.
  CHECK(FakeTime::now >= 1000000);
  CHECK(FakeTime::now <= 3000000 + 3 * 4000 * (30 + 15 + 6 + 40 + 12 + 5));

  const std::int64_t begin = FakeTime::now;
  const KernelSet slow_first[] = {fake_set<100000, 100000, 100000>("scalar"), fakes[1]};
  CHECK(std::string(choose_fake(layer.packed, slow_first, options).arch) == "avx2");
  CHECK(FakeTime::now - begin <= 3000000 + 3 * 4000 * (40 + 12 + 5) + 3 * 2 * 128 * 100000);

  // A clock that does not move ends nevertheless.
  const AlignedBytes scratch(kernels::choose_scratch_bytes(layer.packed, fakes, 1));
  CHECK(kernels::choose(layer.packed, fakes, options, scratch.span(), &FakeTime::stopped).arch != nullptr);
}

TEST_CASE("Without memory choose measures nothing: the last path, by its steps", "[kernels][property]") {
  const PackedRandomLayer layer({2, 8, 8, 1}, 300, 512, 1);
  const auto choose_in = [&](std::span<std::byte> scratch, float accepted) {
    return kernels::choose(layer.packed, fakes, {.batch = 1, .max_relative_error = accepted}, scratch, &FakeTime::read);
  };
  basin::test::check_choice_without_memory(choose_in, kernels::choose_scratch_bytes(layer.packed, fakes, 1),
                                           kernels::expected_relative_error(layer.packed, TablePrecision::int8), 1e-3f);
}

TEST_CASE("Schemes without tables have one precision", "[kernels][property]") {
  const PackedRandomLayer layer({2, 5, 8, 1}, 70, 100, 1);
  const Plan plan = choose_fake(layer.packed, fakes, {.batch = 1, .max_relative_error = 1, .nanoseconds = 1000});
  CHECK(plan.precision == TablePrecision::exact);
  CHECK(std::string(plan.arch) == "avx512bw");
  CHECK(kernels::default_plan(layer.packed, fakes[0], 1).precision == TablePrecision::exact);
}

TEST_CASE("choose measures the paths of this processor inside its memory", "[kernels][property]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{4, 4, 8, 1}, Scheme{2, 6, 8, 1}, Scheme{1, 12, 8, 1});
  const int batch = GENERATE(1, 3);
  CAPTURE(scheme.num_codebooks, scheme.bits_per_code, batch);
  const PackedRandomLayer layer(scheme, 200, 531, 2);
  const auto paths = basin::test::tested_kernels();
  const auto choose_in = [&](std::span<std::byte> scratch) {
    return kernels::choose(layer.packed, paths, {.batch = batch, .max_relative_error = 1, .nanoseconds = 100000}, scratch);
  };
  basin::test::check_measured_choice(choose_in, [](const Plan& plan) { return kernels::find_matvec(plan); },
                                     kernels::choose_scratch_bytes(layer.packed, paths, batch));
}

TEST_CASE("The expected error is within a factor of 2 of the measured one", "[kernels][reference]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{1, 8, 4, 1}, Scheme{4, 4, 8, 1}, Scheme{2, 6, 8, 1}, Scheme{8, 6, 16, 1});
  CAPTURE(scheme.num_codebooks, scheme.bits_per_code, scheme.in_group_size);
  const PackedRandomLayer layer(scheme, 500, 1024, 2);
  const KernelSet& path = kernels::available_kernels().back();
  const std::vector<float> x = basin::test::normal_inputs(1024, 3);
  const auto multiply = [&](TablePrecision precision) {
    const kernels::MatvecKernels& matvec = kernels::matvec_kernels(path, precision);
    const AlignedBytes workspace(matvec.workspace_size(layer.packed, 1));
    std::vector<float> y(500);
    matvec.build_tables(layer.packed, x.data(), 1024, 1, 0, basin::num_input_blocks(layer.packed), workspace.data());
    matvec.run(layer.packed, workspace.data(), 1, 0, 500, y.data(), 500);
    return y;
  };
  const std::vector<float> want = multiply(TablePrecision::exact);
  for (const TablePrecision precision : {TablePrecision::int16, TablePrecision::int8}) {
    const float measured = kernels::detail::relative_difference(multiply(precision).data(), want.data(), 500);
    const float expected = kernels::expected_relative_error(layer.packed, precision);
    CAPTURE(measured, expected);
    CHECK(expected <= 2 * measured);
    CHECK(measured <= 2 * expected);
  }
  CHECK(kernels::expected_relative_error(layer.packed, TablePrecision::exact) == 0);
}
