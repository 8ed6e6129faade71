// Built with -fno-exceptions -fno-rtti and without Eigen.
#include <cstdlib>

namespace {
bool reported = false;
}
// A host's own way out, as documented in core/config.hpp.
#define BASIN_FATAL(message) (reported = (message)[0] != '\0', std::exit(reported ? 0 : 1))

#include "all_headers.hpp"

#ifdef EIGEN_CORE_H
#error "the decoding half drags in Eigen"
#endif
#if BASIN_HAS_EXCEPTIONS
#error "this test is compiled without exceptions"
#endif

int main() {
  const auto good = basin::parse_scheme("2x8g8");
  const auto bad = basin::parse_scheme("2x8");
  if (!good || bad || bad.error().code != basin::ErrorCode::bad_value) return 1;
  basin::raise<basin::ShapeError>("ends in BASIN_FATAL, which exits with 0");
}
