// An engine that only decodes.
#include <basin/core/scheme_text.hpp>

int main() { return basin::parse_scheme("2x8g8") ? 0 : 1; }
