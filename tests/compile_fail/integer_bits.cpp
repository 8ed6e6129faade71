// error: SymmetricInteger: codes have 2 to 8 bits
#include <basin/levels/symmetric_integer.hpp>

#ifdef GOOD
using Levels = basin::SymmetricInteger<8>;
#else
using Levels = basin::SymmetricInteger<9>;
#endif

int main() { return Levels::values.empty(); }
