#pragma once

#include <basin/pipeline/checkpoint.hpp>

#include <cstddef>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace basin::test {
/// What a model of CheckpointStorage must do: give back what was written last, byte for byte, under any name.
template <CheckpointStorage Storage>
void check_storage_laws(Storage storage) {
  const auto record = [](std::size_t size, int start) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(start + static_cast<int>(i * 37));
    return bytes;
  };
  const auto read = [&](const std::string& name) {
    auto found = storage.read(name);
    REQUIRE(found.has_value());
    return *found;
  };
  CHECK(!read("a").has_value());
  REQUIRE(storage.write("a", record(100, 1)).has_value());
  REQUIRE(storage.write("b/../c d%", record(3, 2)).has_value());
  REQUIRE(storage.write("empty", {}).has_value());
  CHECK(read("a") == record(100, 1));
  CHECK(read("b/../c d%") == record(3, 2));
  CHECK(read("empty") == record(0, 0));
  CHECK(!read("c").has_value());
  REQUIRE(storage.write("a", record(5, 9)).has_value());
  CHECK(read("a") == record(5, 9));
  CHECK(read("b/../c d%") == record(3, 2));
}

}  // namespace basin::test
