#include <basin/layout/additive_view.hpp>  // first: proves the header stands alone
#include <basin/layout/additive_layer.hpp>

#include "support/catch.hpp"

TEST_CASE("A view points into the layer that it was made of", "[layout][property]") {
  const basin::AdditiveLayer layer{{2, 1, 2, 1}, 1, 3, {0, 1, 1, 0}, {1, 2, 3, 4, 5, 6, 7, 8}, {9}};
  const basin::AdditiveView view = basin::view(layer);
  CHECK(view.scheme == layer.scheme);
  CHECK(view.n_out == 1);
  CHECK(view.n_in == 3);
  CHECK(view.codes == layer.codes.data());
  CHECK(view.codebooks == layer.codebooks.data());
  CHECK(view.scales == layer.scales.data());
  CHECK(layer.num_in_groups() == 2);
  CHECK(layer.num_out_groups() == 1);
}
