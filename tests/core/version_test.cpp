#include <basin/core/version.hpp>

#include "support/catch.hpp"

TEST_CASE("The version is one for macros and code", "[core][reference]") {
  CHECK(basin::version_major == BASIN_VERSION_MAJOR);
  CHECK(basin::version_minor == BASIN_VERSION_MINOR);
  CHECK(basin::version_patch == BASIN_VERSION_PATCH);
}
