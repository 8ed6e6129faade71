#include <basin/kernels/dispatch.hpp>  // first: proves the header stands alone

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "support/catch.hpp"

namespace kernels = basin::kernels;
using kernels::ArchError;
using kernels::KernelChoice;
using kernels::KernelSet;

// A path that is compiled in and that this processor cannot run.
#if defined(__aarch64__)
using foreign = kernels::avx2;
#else
using foreign = kernels::neon64;
#endif
namespace basin::kernels {
template <>
KernelSet kernel_set<foreign>() noexcept {
  FAIL("a path that this processor cannot run was asked for its functions");
  return {};
}
}  // namespace basin::kernels
using WithForeign = kernels::detail::ArchList<kernels::scalar, foreign>;
using ScalarOnly = kernels::detail::ArchList<kernels::scalar>;

TEST_CASE("Available paths can run here and start with scalar", "[kernels][property]") {
  const auto available = kernels::available_kernels();
  REQUIRE(!available.empty());
  CHECK(std::string(available.front().arch) == "scalar");
  for (const KernelSet& set : available) {
    CHECK(kernels::find_kernels(set.arch) == &set);
    CHECK(set.matvec_int8.run != nullptr);
  }
  CHECK(kernels::available_kernels().data() == available.data());
  CHECK(kernels::find_kernels("avx9") == nullptr);
  CHECK(kernels::find_kernels("") == nullptr);
  const auto known = kernels::available_kernels<WithForeign>();
  CHECK(known.size() == 1);
}

TEST_CASE("The best path is the last, or the one that is asked for", "[kernels][property]") {
  for (const char* nothing : {static_cast<const char*>(nullptr), ""}) {
    const KernelChoice choice = kernels::choose_kernels(nothing);
    CHECK(choice.kernels == &kernels::available_kernels().back());
    CHECK(choice.error == ArchError::none);
    CHECK(choice.asked == nullptr);
  }
  for (const KernelSet& set : kernels::available_kernels()) {
    const KernelChoice choice = kernels::choose_kernels(set.arch);
    CHECK(choice.kernels == &set);
    char text[64];
    CHECK(describe(choice, text) == std::string("path ") + set.arch);
  }
  CHECK(&kernels::best_kernels() == kernels::choose_kernels().kernels);  // whatever BASIN_ARCH is
}

TEST_CASE("A path that cannot be had is refused with the reason and what can", "[kernels][bad-input]") {
  using basin::test::contains_text;
  char text[256];
  KernelChoice choice = kernels::choose_kernels("avx9");
  CHECK(choice.kernels == nullptr);
  CHECK(choice.error == ArchError::unknown);
  CHECK_THAT(describe(choice, text), contains_text("BASIN_ARCH=avx9: no path has this name; possible here: scalar"));
  CHECK(kernels::choose_kernels("avx").error == ArchError::unknown);
  CHECK(kernels::choose_kernels("scalar ").error == ArchError::unknown);

  choice = kernels::choose_kernels<WithForeign>(foreign::name);
  CHECK(choice.kernels == nullptr);
  CHECK(choice.error == ArchError::not_supported);
  CHECK(describe<WithForeign>(choice, text) ==
        std::string("BASIN_ARCH=") + foreign::name + ": this processor cannot run this path; possible here: scalar");
  choice = kernels::choose_kernels<ScalarOnly>("avx512bw");
  CHECK(choice.error == ArchError::not_compiled);
  CHECK(describe<ScalarOnly>(choice, text) ==
        std::string("BASIN_ARCH=avx512bw: this program was compiled without this path; possible here: scalar"));
}

TEST_CASE("A description stops at the end of its text", "[kernels][bad-input]") {
  const KernelChoice choice = kernels::choose_kernels<ScalarOnly>("avx9");
  char whole[256];
  describe<ScalarOnly>(choice, whole);
  for (const std::size_t size : {1u, 2u, 11u, 30u, 80u}) {
    std::string text(size + 1, '#');
    describe<ScalarOnly>(choice, {text.data(), size});
    CHECK(text[size] == '#');
    CHECK(std::strlen(text.data()) == std::min(size - 1, std::strlen(whole)));
    CHECK(std::string(whole).rfind(text.c_str(), 0) == 0);
  }
}
