// error: GgufScalar
// error: same_as<T, char>
#include <basin/io/gguf_writer.hpp>

int main() {
  basin::detail::GgufBytes bytes;
#ifdef GOOD
  bytes.put(std::int8_t{1});
#else  // a letter, or a number of 8 bits?
  bytes.put('1');
#endif
}
