// error: SafetensorsSource
// error: source.metadata(name)
#include <basin/io/aqlm.hpp>

struct Source {
  const basin::SafetensorsTensor* find(std::string_view) const { return nullptr; }
  std::string name() const { return "mine"; }
#ifdef GOOD
  std::optional<std::string> metadata(std::string_view) const { return {}; }
#endif
};

int main() { (void)basin::read_aqlm_layer(Source{}, "p", basin::AqlmConfig{}); }
