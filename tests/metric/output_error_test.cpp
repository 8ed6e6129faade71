#include <basin/metric/output_error.hpp>  // first: proves the header stands alone

#include <limits>

#include "support/catch.hpp"

using basin::OutputError;
using Outputs = basin::Matrix<float>;

TEST_CASE("OutputError is the energy of the error over that of the outputs", "[metric][reference]") {
  OutputError error;
  CHECK(error.value() == 0);
  error.add(Outputs{{3, 4}}, Outputs{{3, 4}});
  CHECK(error.value() == 0);
  error.add(Outputs{{0, 5}, {1, 0}}, Outputs{{1, 3}, {1, 2}});
  CHECK(error.value() == (1.0 + 4 + 4) / (25 + 25 + 1));
}

TEST_CASE("OutputError of outputs that should be zero is 0 or infinite", "[metric][property]") {
  OutputError error;
  error.add(Outputs::Zero(2, 2), Outputs::Zero(2, 2));
  CHECK(error.value() == 0);
  error.add(Outputs::Zero(2, 2), Outputs::Ones(2, 2));
  CHECK(error.value() == std::numeric_limits<double>::infinity());
}

TEST_CASE("OutputError refuses bad outputs and stays as it was", "[metric][bad-input]") {
  OutputError error;
  error.add(Outputs{{2, 0}}, Outputs{{1, 0}});
  CHECK_THROWS_WITH(error.add(Outputs::Zero(2, 3), Outputs::Zero(3, 2)), basin::test::contains_text("[2, 3] and [3, 2]"));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    CHECK_THROWS_AS(error.add(Outputs{{bad}}, Outputs{{1}}), basin::ValueError);
    CHECK_THROWS_AS(error.add(Outputs{{1}}, Outputs{{bad}}), basin::ValueError);
  }
  CHECK(error.value() == 0.25);
}
