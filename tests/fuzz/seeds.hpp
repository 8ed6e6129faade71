#pragma once

#include <cstddef>
#include <vector>

/// Valid inputs of a fuzz target, for tests/fuzz/standalone_main.cpp to mutate.
std::vector<std::vector<std::byte>> fuzz_seeds();
