#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// An ONNX model of one node, y = basin.LutMatvec(packed, x), written by hand: the few fields of onnx.proto that it has.
namespace model {
class Message {
 public:
  Message& number(int field, std::uint64_t value) {
    varint(static_cast<std::uint64_t>(field) << 3);
    varint(value);
    return *this;
  }
  Message& text(int field, std::string_view value) {
    varint(static_cast<std::uint64_t>(field) << 3 | 2);
    varint(value.size());
    bytes_.append(value);
    return *this;
  }
  Message& message(int field, const Message& value) { return text(field, value.bytes_); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_ += static_cast<char>(value | 128);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

inline constexpr std::uint64_t float_type = 1, uint8_type = 2;

inline Message float_matrix(std::string_view name, std::string_view columns) {
  const Message shape = Message().message(1, Message().text(2, "batch")).message(1, Message().text(2, columns));
  const Message tensor = Message().number(1, float_type).message(2, shape);
  return Message().text(1, name).message(2, Message().message(1, tensor));
}

inline std::string one_layer(std::string_view packed) {
  const Message node = Message().text(1, "packed").text(1, "x").text(2, "y").text(4, "LutMatvec").text(7, "basin");
  const Message initializer = Message().number(1, packed.size()).number(2, uint8_type).text(8, "packed").text(9, packed);
  const Message graph = Message().message(1, node).text(2, "one layer").message(5, initializer).message(11, float_matrix("x", "n_in"))
                            .message(12, float_matrix("y", "n_out"));
  const auto opset = [](std::string_view domain, std::uint64_t version) { return Message().text(1, domain).number(2, version); };
  return Message().number(1, 8).message(7, graph).message(8, opset("", 17)).message(8, opset("basin", 1)).bytes();
}
}  // namespace model
