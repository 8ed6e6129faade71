#pragma once

#include <basin/init/concepts.hpp>
#include <basin/metric/diagonal_blocks.hpp>

#include <algorithm>
#include <stop_token>
#include <type_traits>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/fixture.hpp"
#include "support/random.hpp"

namespace basin::test {
/// What a pipeline relies on in an initialiser of additive weights: shapes, finite values, codes in
/// range, a start better than nothing, and the same bits for the same seed on any number of threads.
template <class T, class Init>
  requires Initializer<Init, T>
void check_initializer_laws(const Init& init) {
  Rng rng(73);
  for (const Scheme& scheme : {Scheme{1, 3, 8, 1}, Scheme{2, 4, 4, 1}, Scheme{3, 2, 4, 2}, Scheme{2, 6, 8, 4}})
    for (const Index n_in : {Index{24}, Index{22}}) {
      CAPTURE(scheme.num_codebooks, scheme.bits_per_code, scheme.in_group_size, scheme.out_group_size, n_in);
      SyntheticLayer made = synthetic_layer(8, n_in, rng);
      made.weight.row(5).setZero();
      const LayerObjective<T> layer(made.weight.cast<T>(), made.hessian, scheme.in_group_size);
      const HessianBlocks blocks = DiagonalBlocks{}.blocks(made.hessian, scheme.in_group_size);
      const auto start = [&](std::uint64_t seed, const RunContext& context = {}) {
        return init.initialize(layer, blocks, scheme, seed, context);
      };
      const auto weight = start(11);
      static_assert(std::is_same_v<typename std::remove_cvref_t<decltype(weight)>::value_type, T>);
      CHECK(weight.scheme() == scheme);
      CHECK(weight.n_out == 8);
      CHECK(weight.n_in == n_in);
      CHECK(weight.num_out_groups() * scheme.out_group_size == 8);
      CHECK(weight.padded_in() == layer.padded_in());
      CHECK(weight.scales.size() == weight.num_out_groups());
      CHECK(weight.codebooks.values().allFinite());
      CHECK(weight.scales.allFinite());
      const auto codes = weight.codes.values();
      CHECK(std::all_of(codes.begin(), codes.end(), [&](auto code) { return code < scheme.codebook_size(); }));
      const Matrix<T> decoded = weight.decode();
      CHECK(decoded.rows() == 8);
      CHECK(decoded.cols() == layer.padded_in());
      CHECK(layer.loss(decoded) < layer.weight_energy());

      const auto same = [&](const auto& other) {
        return other.codes == weight.codes && other.codebooks.values() == weight.codebooks.values() &&
               other.scales == weight.scales;
      };
      CHECK(same(start(11)));
      for (const Index count : {2, 7}) {
        Threads threads{count};
        CHECK(same(start(11, {.executor = threads})));
      }
      std::stop_source source;
      source.request_stop();
      CHECK_THROWS_AS(start(11, {.stop = source.get_token()}), Cancelled);
    }
}

}  // namespace basin::test
