#pragma once

#include <basin/kernels/plan.hpp>
#include <basin/layout/packed_layer.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "support/aligned.hpp"
#include "support/catch.hpp"

namespace basin::test {
/// What kernels take under a clock of their own, and how often they were called: for tests of choices by time.
struct FakeTime {
  static inline std::int64_t now = 0;
  static inline std::ptrdiff_t rows_run = 0;

  static std::int64_t read() noexcept { return now; }
  static std::int64_t stopped() noexcept { return 0; }
};

/// Products of the rows first to last that err by a known fraction.
inline void fake_products(std::ptrdiff_t batch, std::ptrdiff_t first, std::ptrdiff_t last, int error_per_mille, float* y, std::ptrdiff_t stride) noexcept {
  FakeTime::rows_run += last - first;
  for (std::ptrdiff_t v = 0; v < batch; ++v)
    for (std::ptrdiff_t r = first; r < last; ++r)
      y[v * stride + r - first] = static_cast<float>(r + v + 1) * (1 + static_cast<float>(error_per_mille) / 1000);
}

/// Of three paths with exact, int16 and int8 products, the fastest of which are avx2's and whose last is avx512bw:
/// choose(accepted) takes `arch` and `precision`, which takes so many ns and errs so much.
template <class Choose>
void check_choice(Choose&& choose, float accepted, const char* arch, kernels::TablePrecision precision, double products, double ns, double error) {
  CAPTURE(accepted, arch);
  const kernels::Plan plan = choose(accepted);
  REQUIRE(plan.arch != nullptr);
  CHECK(std::string(plan.arch) == arch);
  CHECK(plan.precision == precision);
  CHECK(plan.relative_error == Approx(error).margin(1e-5));
  CHECK(plan.weights_per_ns == Approx(products / ns).epsilon(1e-5));
}

/// Without enough memory nothing is measured: the last path, avx512bw, by the errors that are expected of it.
/// @param choose  (scratch, accepted)
template <class Choose>
void check_choice_without_memory(Choose&& choose, std::size_t scratch_size, float expected_error, float accepts_int16) {
  using kernels::TablePrecision;
  FakeTime::rows_run = 0;
  const AlignedBytes scratch(scratch_size);
  for (const std::size_t size : {std::size_t{0}, scratch_size - 1}) {
    const kernels::Plan plan = choose(scratch.span().first(size), 0.5f);
    CHECK(std::string(plan.arch) == "avx512bw");
    CHECK(plan.precision == TablePrecision::int8);
    CHECK(plan.weights_per_ns == 0);
    CHECK(plan.relative_error == expected_error);
  }
  CHECK(choose(scratch.span().first(0), accepts_int16).precision == TablePrecision::int16);
  CHECK(choose(scratch.span().first(0), 0.0f).precision == TablePrecision::exact);
  CHECK(FakeTime::rows_run == 0);
}

/// A choice among this processor's paths that keeps to its memory and survives as text.
/// @param choose  (scratch);  find: the kernels of a plan
template <class Choose, class Find>
void check_measured_choice(Choose&& choose, Find&& find, std::size_t scratch_size) {
  const AlignedBytes scratch(scratch_size + 64);
  const kernels::Plan plan = choose(scratch.span().first(scratch_size));
  for (std::size_t i = scratch_size; i < scratch_size + 64; ++i) CHECK(scratch.data()[i] == std::byte{0xa5});
  REQUIRE(find(plan) != nullptr);
  CHECK(plan.weights_per_ns > 0);
  CHECK(plan.relative_error >= 0);
  CHECK(plan.relative_error < 0.1f);
  char text[kernels::plan_text_size];
  CHECK(to_text(plan, text) > 0);
  CHECK(find(kernels::parse_plan(text)) == find(plan));
}
}  // namespace basin::test
