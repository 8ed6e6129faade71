#include <basin/kernels/choose_matmul.hpp>  // first: proves the header stands alone

#include <cmath>
#include <cstddef>
#include <cstdint>
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

std::size_t one_line(const basin::PackedLayer&, std::ptrdiff_t) noexcept { return 64; }
template <int NsPerVector>
void prepare(const basin::PackedLayer&, const float*, std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t first, std::ptrdiff_t last, void*) noexcept {
  FakeTime::now += NsPerVector * (last - first);
}
template <int NsPerRow, int ErrorPerMille>
void run(const basin::PackedLayer&, const void*, std::ptrdiff_t batch, std::ptrdiff_t first, std::ptrdiff_t last, float* y, std::ptrdiff_t stride,
         void*) noexcept {
  FakeTime::now += NsPerRow * (last - first);
  basin::test::fake_products(batch, first, last, ErrorPerMille, y, stride);
}
template <int NsPerVector, int NsPerRow, int ErrorPerMille>
constexpr kernels::MatmulKernels fake{&one_line, &one_line, &prepare<NsPerVector>, &run<NsPerRow, ErrorPerMille>};

/// A path whose rows take this long in exact, int16 and int8, whose int8 has slow preparations.
template <int Exact, int Int16, int Int8>
KernelSet fake_set(const char* arch) {
  KernelSet set{};
  set.arch = arch;
  set.matmul_exact = fake<10, Exact, 0>;
  set.matmul_int16 = fake<20, Int16, 1>;
  set.matmul_int8 = fake<300, Int8, 10>;
  return set;
}
const KernelSet fakes[] = {fake_set<100, 90, 80>("scalar"), fake_set<40, 12, 5>("avx2"), fake_set<30, 15, 6>("avx512bw")};

Plan choose_fake(const basin::PackedLayer& layer, std::span<const KernelSet> paths, const ChooseOptions& options) {
  const AlignedBytes scratch(kernels::choose_matmul_scratch_bytes(layer, paths, options.batch));
  return kernels::choose_matmul(layer, paths, options, scratch.span(), &FakeTime::read);
}
}  // namespace

TEST_CASE("choose_matmul takes the fastest product of the whole layer within the accepted error", "[kernels][reference]") {
  const PackedRandomLayer layer({2, 8, 8, 1}, 3000, 64, 1);  // times of 256 rows stand for 3000
  const auto expect = [&](int batch, float error_within, const char* arch, TablePrecision precision, double ns, double error) {
    CAPTURE(batch);
    const auto choose_within = [&](float accepted) {
      return choose_fake(layer.packed, fakes, {.batch = batch, .max_relative_error = accepted, .nanoseconds = 1000000});
    };
    basin::test::check_choice(choose_within, error_within, arch, precision, batch * 3000.0 * 64, ns, error);
  };
  expect(32, 0.02f, "avx2", TablePrecision::int8, 3000 * 5 + 32 * 300, 0.010);
  expect(200, 0.02f, "avx2", TablePrecision::int16, 3000 * 12 + 200 * 20, 0.001);  // preparing 200 inputs in int8 costs more than rows do
  expect(32, 0.002f, "avx2", TablePrecision::int16, 3000 * 12 + 32 * 20, 0.001);
  expect(32, 0.0f, "avx512bw", TablePrecision::exact, 3000 * 30 + 32 * 10, 0);
}

TEST_CASE("choose_matmul gives slow paths up and ends under any clock", "[kernels][property]") {
  const PackedRandomLayer layer({2, 8, 8, 1}, 3000, 64, 1);
  const ChooseOptions options{.batch = 4, .max_relative_error = 1, .nanoseconds = 300000};
  const KernelSet slow_first[] = {fake_set<100000, 100000, 100000>("scalar"), fakes[1]};
  FakeTime::now = 0;
  CHECK(std::string(choose_fake(layer.packed, slow_first, options).arch) == "avx2");
  // The reference, a share and three calls for each of the other path's, and 16 rows for each of the slow one's.
  CHECK(FakeTime::now <= 300000 + 5 * 256 * (40 + 12 + 5) + 10 * 4 * 330 + 3 * 16 * 100000);
  const AlignedBytes scratch(kernels::choose_matmul_scratch_bytes(layer.packed, fakes, 4));
  CHECK(kernels::choose_matmul(layer.packed, fakes, options, scratch.span(), &FakeTime::stopped).arch != nullptr);
}

TEST_CASE("Without memory choose_matmul measures nothing: the last path, by its steps", "[kernels][property]") {
  const PackedRandomLayer layer({2, 8, 8, 1}, 300, 512, 1);
  const auto choose_in = [&](std::span<std::byte> scratch, float accepted) {
    return kernels::choose_matmul(layer.packed, fakes, {.batch = 2, .max_relative_error = accepted}, scratch, &FakeTime::read);
  };
  basin::test::check_choice_without_memory(choose_in, kernels::choose_matmul_scratch_bytes(layer.packed, fakes, 2),
                                           kernels::expected_matmul_error(layer.packed, TablePrecision::int8), 2e-3f);
}

TEST_CASE("choose_matmul measures the paths of this processor inside its memory", "[kernels][property]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{4, 4, 8, 1}, Scheme{1, 12, 8, 1});
  const int batch = GENERATE(1, 33);
  CAPTURE(scheme.num_codebooks, scheme.bits_per_code, batch);
  const PackedRandomLayer layer(scheme, 300, 531, 2);
  const auto paths = basin::test::tested_kernels();
  const auto choose_in = [&](std::span<std::byte> scratch) {
    return kernels::choose_matmul(layer.packed, paths, {.batch = batch, .max_relative_error = 1, .nanoseconds = 100000}, scratch);
  };
  basin::test::check_measured_choice(choose_in, [](const Plan& plan) { return kernels::find_matmul(plan); },
                                     kernels::choose_matmul_scratch_bytes(layer.packed, paths, batch));
}

TEST_CASE("The expected error of a product is within a factor of 2 of the measured one", "[kernels][reference]") {
  const Scheme scheme = GENERATE(Scheme{2, 8, 8, 1}, Scheme{4, 4, 8, 1}, Scheme{2, 6, 8, 1}, Scheme{8, 6, 16, 1}, Scheme{1, 12, 8, 1}, Scheme{3, 5, 4, 2});
  CAPTURE(scheme.num_codebooks, scheme.bits_per_code, scheme.in_group_size);
  const PackedRandomLayer layer(scheme, 200, 1024, 2);
  const KernelSet& path = kernels::available_kernels().back();
  const std::vector<float> x = basin::test::normal_inputs(4 * 1024, 3);
  const auto multiply = [&](TablePrecision precision) {
    const kernels::MatmulKernels& matmul = kernels::matmul_kernels(path, precision);
    const AlignedBytes workspace(matmul.workspace_size(layer.packed, 4)), tiles(matmul.scratch_size(layer.packed, 4));
    std::vector<float> y(4 * 200);
    matmul.prepare(layer.packed, x.data(), 1024, 4, 0, 4, workspace.data());
    matmul.run(layer.packed, workspace.data(), 4, 0, 200, y.data(), 200, tiles.data());
    return y;
  };
  const std::vector<float> want = multiply(TablePrecision::exact);
  for (const TablePrecision precision : {TablePrecision::int16, TablePrecision::int8}) {
    const float measured = kernels::detail::relative_difference(multiply(precision).data(), want.data(), 4 * 200);
    const float expected = kernels::expected_matmul_error(layer.packed, precision);
    CAPTURE(measured, expected);
    CHECK(expected <= 2 * measured);
    CHECK(measured <= 2 * expected);
  }
  CHECK(kernels::expected_matmul_error(layer.packed, TablePrecision::exact) == 0);
}
