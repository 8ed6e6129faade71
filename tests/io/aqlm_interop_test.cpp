// Files go both ways between basin and the `aqlm` Python package; see aqlm_interop_test.py.
#include <basin/core/scheme_text.hpp>
#include <basin/io/aqlm.hpp>
#include <basin/io/npy.hpp>

#include <array>
#include <cmath>

#include "io/interop_support.hpp"
#include "support/catch.hpp"

#if defined(__unix__) && defined(BASIN_TEST_SOURCE_DIR)
namespace {
using basin::AdditiveLayer;
using basin::Scheme;

// The formula of AdditiveLayer, one weight at a time.
std::vector<float> decode(const AdditiveLayer& layer) {
  const std::ptrdiff_t g = layer.scheme.in_group_size, g_out = layer.scheme.out_group_size;
  const std::ptrdiff_t m = layer.scheme.num_codebooks, k = layer.scheme.codebook_size(), j_count = layer.num_in_groups();
  std::vector<float> weight;
  for (std::ptrdiff_t row = 0; row < layer.n_out; ++row)
    for (std::ptrdiff_t column = 0; column < layer.n_in; ++column) {
      const std::ptrdiff_t o = row / g_out, p = row % g_out, j = column / g, i = column % g;
      double sum = 0;
      for (std::ptrdiff_t book = 0; book < m; ++book) {
        const std::ptrdiff_t code = layer.codes[static_cast<std::size_t>((o * j_count + j) * m + book)];
        const std::ptrdiff_t entry = ((book * k + code) * g_out + p) * g + i;
        sum += basin::half_to_float(layer.codebooks[static_cast<std::size_t>(entry)]);
      }
      weight.push_back(static_cast<float>(sum * basin::half_to_float(layer.scales[static_cast<std::size_t>(o)])));
    }
  return weight;
}

AdditiveLayer random_layer(const Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in, basin::SplitMix64& rng) {
  AdditiveLayer layer{scheme, n_out, n_in, {}, {}, {}};
  const auto k = static_cast<std::uint64_t>(scheme.codebook_size());
  const std::ptrdiff_t tuples = layer.num_out_groups() * layer.num_in_groups();
  for (std::ptrdiff_t i = 0; i < tuples * scheme.num_codebooks; ++i)
    layer.codes.push_back(static_cast<std::uint16_t>(rng.below(k)));
  const std::ptrdiff_t entries = scheme.num_codebooks * scheme.codebook_size() * scheme.codeword_size();
  for (std::ptrdiff_t i = 0; i < entries; ++i)
    layer.codebooks.push_back(basin::float_to_half(static_cast<float>(rng.normal())));
  for (std::ptrdiff_t o = 0; o < layer.num_out_groups(); ++o)
    layer.scales.push_back(basin::float_to_half(static_cast<float>(rng.uniform() + 0.1)));
  return layer;
}
}  // namespace

TEST_CASE("Files of basin and of the aqlm package decode alike both ways", "[io][interop]") {
  basin::SplitMix64 rng(9);
  for (const Scheme scheme : {Scheme{2, 8, 8, 1}, Scheme{1, 12, 4, 2}, Scheme{1, 16, 8, 1}, Scheme{3, 3, 16, 1}}) {
    CAPTURE(basin::to_string(scheme));
    const basin::test::TempFolder folder;
    basin::SafetensorsWriter writer;
    for (const auto& [name, n_out, n_in] :
         {std::tuple{"first", 6, 64}, std::tuple{"model.layers.0.up_proj", 32, 3 * scheme.in_group_size}}) {
      const AdditiveLayer layer = random_layer(scheme, n_out, n_in, rng);
      REQUIRE(basin::add_aqlm_layer(writer, name, layer));
      const std::int64_t shape[] = {layer.n_out, layer.n_in};
      REQUIRE(basin::write_npy<float>(folder / (std::string(name) + ".npy"), shape, decode(layer)));
    }
    REQUIRE(writer.write(folder / "model.safetensors"));
    REQUIRE(basin::write_aqlm_config(folder / "config.json", {{"hidden_size", 64}}, {scheme, {"lm_head.weight"}}));

    const auto script = basin::test::run_python("tests/io/aqlm_interop_test.py", folder);
    if (script.skipped()) {
      WARN("The comparison with the aqlm package was skipped: " << script.log);
      return;
    }
    INFO(script.log);
    REQUIRE(script.status == 0);

    const auto config = basin::read_aqlm_config(folder / "python/config.json");
    const auto model = basin::SafetensorsModel::open(folder / "python");
    const auto want = basin::read_npy<float>(folder / "python/weight.npy");
    REQUIRE((config.has_value() && model.has_value() && want.has_value()));
    CHECK(config->scheme == scheme);
    const auto layer = basin::read_aqlm_layer(*model, "p", *config);
    REQUIRE(layer.has_value());
    CHECK(want->shape == std::vector<std::int64_t>{layer->n_out, layer->n_in});
    const std::vector<float> got = decode(*layer);
    REQUIRE(got.size() == want->data.size());
    for (std::size_t i = 0; i < got.size(); ++i) REQUIRE(std::abs(got[i] - want->data[i]) <= 1e-5f);
  }
}
#endif
