#include "llama/packed_linear.hpp"  // first: proves the header stands alone
#include "llama/linear.hpp"

#include <cmath>
#include <cstdlib>
#include <string>

#include "kernels/random_layer.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/thread_pool.hpp"

using llama::Product;

TEST_CASE("Every product of a packed layer is that of its decoded weight", "[examples][reference]") {
  const auto scheme = GENERATE(basin::Scheme{2, 8, 8, 1}, basin::Scheme{4, 4, 8, 1}, basin::Scheme{3, 6, 8, 1}, basin::Scheme{1, 12, 8, 1});
  const basin::Index tokens = GENERATE(1, 9, 33);
  const basin::AdditiveLayer stored = basin::test::random_layer(scheme, 300, 200, 1);
  basin::test::Rng rng(2);
  const llama::Matrix x = basin::test::normal_matrix<float>(tokens, 200, rng);
  support::ThreadPool pool(3);
  llama::Matrix want, got, alone;
  llama::Linear(stored).apply(x, want, pool);
  // float rounding; 16 and 8 bits with room for entries that are far below the largest of their table
  for (const auto& [product, bound] : {std::pair{Product::dequantize, 1e-5}, {Product::exact, 1e-5}, {Product::int16, 1e-3}, {Product::int8, 5e-2}}) {
    CAPTURE(scheme.num_codebooks, scheme.bits_per_code, tokens, static_cast<int>(product));
    const llama::PackedLinear packed(stored, product, llama::best_kernels());
    packed.apply(x, got, pool);
    CHECK(static_cast<double>((got - want).norm()) <= bound * static_cast<double>(want.norm()));
    packed.apply(x, alone, basin::ExecutorRef());
    CHECK(alone == got);
  }
}

#if defined(__unix__) || defined(__APPLE__)
TEST_CASE("A path that cannot be had is the user's mistake", "[examples][bad-input]") {
  const char* before = std::getenv("BASIN_ARCH");
  const std::string restored = before == nullptr ? "" : before;
  setenv("BASIN_ARCH", "avx9", 1);
  CHECK_THROWS_AS(llama::best_kernels(), support::UsageError);
  CHECK_THROWS_WITH(llama::best_kernels(), basin::test::contains_text("BASIN_ARCH=avx9: no path has this name; possible here: scalar"));
  setenv("BASIN_ARCH", "scalar", 1);
  CHECK(std::string(llama::best_kernels().arch) == "scalar");
  setenv("BASIN_ARCH", restored.c_str(), 1);  // empty is as if unset
}
#endif
