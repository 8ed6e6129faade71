// error: GgufElement
// error: string_view
#include <basin/io/gguf_writer.hpp>

#include <vector>

int main() {
#ifdef GOOD
  const std::vector<double> values{1};
#else
  const std::vector<long double> values{1};
#endif
  basin::GgufWriter writer;
  (void)writer.set_array("k", values);
}
