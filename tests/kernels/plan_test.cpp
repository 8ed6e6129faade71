#include <basin/kernels/plan.hpp>  // first: proves the header stands alone

#include <cstring>
#include <string>

#include "support/catch.hpp"

namespace kernels = basin::kernels;
using kernels::Plan;
using kernels::TablePrecision;

TEST_CASE("A plan survives its text to the bit", "[kernels][property]") {
  const Plan plan = GENERATE(Plan{kernels::avx512vbmi::name, TablePrecision::int8, 0.0083f, 41.5f}, Plan{kernels::scalar::name, TablePrecision::exact, 0, 0},
                             Plan{kernels::neon64dot::name, TablePrecision::int16, 1.1754942e-38f, 3.4028235e38f});
  char text[kernels::plan_text_size];
  const std::size_t size = to_text(plan, text);
  CHECK(size == std::strlen(text));
  for (const char* end : {"", "\n", "\r\n"}) {
    const Plan again = kernels::parse_plan(std::string(text) + end);
    REQUIRE(again.arch != nullptr);
    CHECK(std::string(again.arch) == plan.arch);
    CHECK(again.precision == plan.precision);
    CHECK(again.relative_error == plan.relative_error);
    CHECK(again.weights_per_ns == plan.weights_per_ns);
  }
}

TEST_CASE("A plan's text is one readable line", "[kernels][reference]") {
  char text[kernels::plan_text_size];
  to_text(Plan{kernels::avx2::name, TablePrecision::int8, 0.0083f, 41.5f}, text);
  CHECK(std::string(text) == "arch=avx2 precision=int8 relative_error=0.0083 weights_per_ns=41.5");
}

TEST_CASE("What is not a plan gives none", "[kernels][bad-input]") {
  const std::string good = "arch=avx2 precision=int8 relative_error=0.5 weights_per_ns=2";
  REQUIRE(kernels::parse_plan(good).arch != nullptr);
  for (std::size_t size = 0; size < good.size(); ++size) CHECK(kernels::parse_plan(good.substr(0, size)).arch == nullptr);
  for (const char* bad : {"arch=avx9 precision=int8 relative_error=0 weights_per_ns=0", "arch=avx2 precision=int4 relative_error=0 weights_per_ns=0",
                          "arch=avx2 precision=int8 relative_error=nan weights_per_ns=0", "arch=avx2 precision=int8 relative_error=-1 weights_per_ns=0",
                          "arch=avx2 precision=int8 relative_error=0 weights_per_ns=inf", "arch=avx2 precision=int8 relative_error=0 weights_per_ns=1e99",
                          "arch=avx2 precision=int8 relative_error=0 weights_per_ns=2 ", "arch=avx2  precision=int8 relative_error=0 weights_per_ns=2",
                          "arch= precision=int8 relative_error=0 weights_per_ns=2", " arch=avx2 precision=int8 relative_error=0 weights_per_ns=2",
                          "arch=avx2 precision=int8 relative_error=0 weights_per_ns=2x", "arch=avx2 precision= relative_error=0 weights_per_ns=2"}) {
    const Plan plan = kernels::parse_plan(bad);
    CAPTURE(bad);
    CHECK(plan.arch == nullptr);
    CHECK(plan.relative_error == 0);
  }
  char text[8] = "#######";  // no room, and no plan: empty, never cut off
  CHECK(to_text(Plan{kernels::avx2::name, TablePrecision::int8, 0, 0}, {text, 7}) == 0);
  CHECK(text[0] == '\0');
  CHECK(text[7] == '\0');
  CHECK(to_text(Plan{kernels::avx2::name, TablePrecision::int8, 0, 0}, {}) == 0);
  CHECK(to_text(Plan{}, text) == 0);
}

TEST_CASE("A plan leads to the kernels that it names", "[kernels][property]") {
  using ScalarOnly = kernels::detail::ArchList<kernels::scalar>;
  const kernels::KernelSet& scalar = kernels::available_kernels<ScalarOnly>().front();
  CHECK(kernels::find_matvec<ScalarOnly>({"scalar", TablePrecision::exact, 0, 0}) == &scalar.matvec_exact);
  CHECK(kernels::find_matvec<ScalarOnly>({"scalar", TablePrecision::int16, 0, 0}) == &scalar.matvec_int16);
  CHECK(kernels::find_matvec<ScalarOnly>({"scalar", TablePrecision::int8, 0, 0}) == &scalar.matvec_int8);
  CHECK(kernels::find_matvec<ScalarOnly>({"avx2", TablePrecision::int8, 0, 0}) == nullptr);
  CHECK(kernels::find_matvec<ScalarOnly>(Plan{}) == nullptr);
  CHECK(kernels::find_matmul<ScalarOnly>({"scalar", TablePrecision::exact, 0, 0}) == &scalar.matmul_exact);
  CHECK(kernels::find_matmul<ScalarOnly>({"scalar", TablePrecision::int16, 0, 0}) == &scalar.matmul_int16);
  CHECK(kernels::find_matmul<ScalarOnly>({"scalar", TablePrecision::int8, 0, 0}) == &scalar.matmul_int8);
  CHECK(kernels::find_matmul<ScalarOnly>({"avx2", TablePrecision::int8, 0, 0}) == nullptr);
  CHECK(kernels::find_dequantize<float, ScalarOnly>({"scalar", TablePrecision::exact, 0, 0}) == scalar.dequantize_fp32);
  CHECK(kernels::find_dequantize<kernels::bfloat16, ScalarOnly>({"scalar", TablePrecision::exact, 0, 0}) == scalar.dequantize_bf16);
  CHECK(kernels::find_dequantize<kernels::half, ScalarOnly>({"scalar", TablePrecision::exact, 0, 0}) == scalar.dequantize_fp16);
  CHECK(kernels::find_dequantize<float, ScalarOnly>(Plan{}) == nullptr);
}
