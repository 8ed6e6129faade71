#include <basin/core/version.hpp>

#include "support/catch.hpp"

TEST_CASE("The version is the project's", "[core][reference]") {
  CHECK(basin::version_major == BASIN_VERSION_MAJOR);
}
