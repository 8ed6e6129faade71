#include <basin/core/bits_per_weight.hpp>

#include <array>
#include <cmath>

#include "support/catch.hpp"

using basin::bits_per_weight;
using basin::representational_ratio;
using basin::Scheme;
using Catch::Matchers::WithinAbs;

TEST_CASE("Bits per weight are those of the published accounting", "[core][reference]") {
  constexpr std::array<Scheme, 6> schemes{Scheme{2, 8, 8, 1},  Scheme{3, 8, 8, 1},  Scheme{4, 8, 8, 1},
                                          Scheme{1, 16, 8, 1}, Scheme{1, 12, 8, 1}, Scheme{1, 8, 4, 1}};
  struct Row {
    int n_out, n_in;
    double total[6];
  };
  for (const Row& row : {Row{3072, 3072, {2.0122, 3.0156, 4.0191, 2.8941, 1.5608, 2.0069}},
                         Row{4096, 4096, {2.0078, 3.0098, 4.0117, 2.5039, 1.5352, 2.0049}},
                         Row{1024, 4096, {2.0195, 3.0273, 4.0352, 4.0039, 1.6289, 2.0078}},
                         Row{4096, 11008, {2.0029, 3.0036, 4.0044, 2.1875, 1.5131, 2.0018}},
                         Row{14336, 4096, {2.0050, 3.0056, 4.0061, 2.1468, 1.5128, 2.0042}}})
    for (std::size_t s = 0; s < schemes.size(); ++s) {
      CAPTURE(row.n_out, row.n_in, s);
      CHECK_THAT(bits_per_weight(schemes[s], row.n_out, row.n_in).total(), WithinAbs(row.total[s], 0.5e-4 + 1e-12));
    }
}

TEST_CASE("Bits per weight split into codes, codebooks and scales", "[core][reference]") {
  constexpr auto bits = bits_per_weight({2, 8, 8, 1}, 4096, 4096);
  STATIC_REQUIRE(bits.codes == 2);
  STATIC_REQUIRE(bits.codebooks == 0.00390625);
  STATIC_REQUIRE(bits.scales == 0.00390625);
  STATIC_REQUIRE(bits.total() == 2.0078125);
}

TEST_CASE("Bits per weight averaged over a model's layers are the published ones", "[core][reference]") {
  struct Model {
    int hidden, kv, ffn;
    Scheme scheme;
    double average, tolerance;
  };
  for (const Model& model : {Model{3072, 1024, 8192, {2, 8, 8, 1}, 2.0090, 0.5e-4},
                             Model{4096, 1024, 14336, {2, 8, 8, 1}, 2.0053, 0.5e-4},
                             Model{2048, 256, 11008, {2, 8, 8, 1}, 2.0119, 0.5e-4},
                             Model{4096, 4096, 11008, {2, 8, 8, 1}, 2.0056, 0.5e-4},
                             Model{4096, 4096, 11008, {1, 16, 8, 1}, 2.2935, 0.5e-4},
                             Model{4096, 1024, 14336, {1, 16, 8, 1}, 2.2724, 0.5e-4}}) {
    double bits = 0, weights = 0;
    const auto add = [&](int count, int n_out, int n_in) {
      const double size = double(count) * n_out * n_in;
      bits += size * bits_per_weight(model.scheme, n_out, n_in).total();
      weights += size;
    };
    add(2, model.hidden, model.hidden);  // q, o
    add(2, model.kv, model.hidden);      // k, v
    add(2, model.ffn, model.hidden);     // gate, up
    add(1, model.hidden, model.ffn);     // down
    CAPTURE(model.hidden, model.ffn);
    CHECK_THAT(bits / weights, WithinAbs(model.average, model.tolerance + 1e-12));
  }
}

TEST_CASE("A padded last group stores whole code tuples", "[core][property]") {
  const Scheme scheme{};
  const double weights = 10 * 13;
  CHECK(bits_per_weight(scheme, 10, 13).codes * weights == 10 * 2 * 16);
  CHECK(bits_per_weight(scheme, 10, 13).codebooks * weights == 2 * 256 * 8 * 16);
  CHECK(bits_per_weight(scheme, 10, 13).scales * weights == 10 * 16);
}

TEST_CASE("rho counts weight groups per code tuple", "[core][reference]") {
  struct Row {
    int n_out, n_in;
    double two, three;
  };
  for (const Row& row : {Row{3072, 3072, 18, 0.0703125}, Row{1024, 3072, 6, 6 / 256.0}, Row{8192, 3072, 48, 48 / 256.0},
                         Row{4096, 4096, 32, 0.125}, Row{14336, 4096, 112, 0.4375}, Row{2048, 2048, 8, 8 / 256.0},
                         Row{256, 2048, 1, 1 / 256.0}, Row{11008, 2048, 43, 43 / 256.0}}) {
    CAPTURE(row.n_out, row.n_in);
    CHECK(representational_ratio({2, 8, 8, 1}, row.n_out, row.n_in) == row.two);
    CHECK(representational_ratio({3, 8, 8, 1}, row.n_out, row.n_in) == row.three);
    CHECK(representational_ratio({1, 16, 8, 1}, row.n_out, row.n_in) == row.two);
  }
}
