// error: derived_from
#include <basin/core/error.hpp>

int main() {
#ifdef GOOD
  basin::raise<basin::ShapeError>("W must be [n_out, n_in]");
#else
  basin::raise<int>("not an exception");
#endif
}
