// error: LutMatvec<sve, basin::kernels::exact>
#include <basin/kernels.hpp>

#ifdef GOOD
using basin::kernels::scalar;
using Path = scalar;
#else  // a path without a file under kernels/arch/
struct sve {
  static constexpr const char* name = "sve";
};
using Path = sve;
#endif

template <class Matvec>
std::size_t workspace(const basin::PackedLayer& layer) { return sizeof(Matvec) + Matvec::workspace_size(layer, 1); }

int main() { return static_cast<int>(workspace<basin::kernels::LutMatvec<Path, basin::kernels::exact>>({})); }
