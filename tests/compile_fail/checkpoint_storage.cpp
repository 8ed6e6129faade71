// error: CheckpointStorage
// error: write
#include <basin/pipeline/checkpoint.hpp>

struct Storage {
  basin::Expected<std::optional<std::vector<std::byte>>> read(const std::string&) { return std::optional<std::vector<std::byte>>(); }
#ifdef GOOD
  basin::Status write(const std::string&, std::span<const std::byte>) { return basin::Done{}; }
#endif
};

int main() { const basin::Checkpoint<Storage> checkpoint(Storage{}, basin::RunIdentity()); }
