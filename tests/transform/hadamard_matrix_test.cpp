#include <basin/transform/hadamard_matrix.hpp>  // first: proves the header stands alone

#include <cstdint>
#include <string>

#include "support/catch.hpp"

using namespace basin;

namespace {
bool is_exact(const Matrix<std::int8_t>& h) {
  const Matrix<int> wide = h.cast<int>();
  const Matrix<int> want = static_cast<int>(h.rows()) * Matrix<int>::Identity(h.rows(), h.cols());
  return (h.array() == 1 || h.array() == -1).all() && wide.transpose() * wide == want;
}
}  // namespace

TEST_CASE("Hadamard matrices are exact in integers", "[transform][reference]") {
  for (const Index order : {1, 2, 4, 8, 12, 16, 20, 28, 36, 40, 44, 52, 60, 68, 76, 84, 108, 140, 156, 172}) {
    CAPTURE(order);
    REQUIRE(hadamard_factors(order).has_value());
    CHECK(is_exact(hadamard_matrix(order)));
    CHECK(is_exact(hadamard_matrix(2 * order)));
    CHECK(is_exact(hadamard_matrix(4 * order)));
  }
  // What else the primes give.
  for (const Index order : {24, 32, 48, 72, 80, 104, 124, 128, 132, 148, 164, 180, 196, 200, 212, 220, 228, 240, 252}) {
    CAPTURE(order);
    if (hadamard_factors(order)) CHECK(is_exact(hadamard_matrix(order)));
  }
  CHECK(hadamard_factors(124).has_value());
}

TEST_CASE("The sizes of models split into a core and a power of two", "[transform][reference]") {
  const auto check = [](Index n, Index core, HadamardCore construction) {
    CAPTURE(n);
    const auto factors = hadamard_factors(n);
    REQUIRE(factors.has_value());
    CHECK(factors->core == core);
    CHECK(factors->core << factors->power == n);
    CHECK(factors->construction == construction);
  };
  check(576, 36, HadamardCore::paley_two);
  check(1536, 12, HadamardCore::paley_one);
  check(3072, 12, HadamardCore::paley_one);
  check(4096, 1, HadamardCore::none);
  check(5120, 20, HadamardCore::paley_one);
  check(8192, 1, HadamardCore::none);
  check(11008, 172, HadamardCore::williamson);
  check(13824, 108, HadamardCore::paley_one);
  check(14336, 28, HadamardCore::paley_two);
  check(52, 52, HadamardCore::williamson);
  check(156, 156, HadamardCore::williamson);
  check(1, 1, HadamardCore::none);
}

TEST_CASE("Butterflies vary fastest inside the core", "[transform][property]") {
  const Matrix<int> h = hadamard_matrix(24).cast<int>(), core = hadamard_matrix(12).cast<int>();
  for (Index a = 0; a < 24; ++a)
    for (Index b = 0; b < 24; ++b) CHECK(h(a, b) == core(a / 2, b / 2) * ((a & b & 1) != 0 ? -1 : 1));
}

TEST_CASE("Constructions have names", "[transform][property]") {
  CHECK(to_string(HadamardCore::none) == "none");
  CHECK(to_string(HadamardCore::paley_one) == "Paley I");
  CHECK(to_string(HadamardCore::paley_two) == "Paley II");
  CHECK(to_string(HadamardCore::williamson) == "Williamson");
}

TEST_CASE("Orders without a construction are named", "[transform][bad-input]") {
  for (const Index order : {-4, 0, 3, 6, 18, 92, 116, 578, 1028}) {
    CAPTURE(order);
    CHECK(!hadamard_factors(order));
    CHECK_THROWS_WITH(hadamard_matrix(order), test::contains_text("no construction here has the order " + std::to_string(order)));
  }
}
