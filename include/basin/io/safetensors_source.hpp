#pragma once

#include <basin/core/error.hpp>
#include <basin/core/expected.hpp>
#include <basin/core/half.hpp>
#include <basin/io/byte_reader.hpp>
#include <basin/io/safetensors.hpp>
#include <basin/io/shape_text.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace basin {
/// Where tensors and metadata are found by name: SafetensorsFile, SafetensorsModel.
template <class S>
concept SafetensorsSource = requires(const S source, std::string_view name) {
  { source.find(name) } -> std::same_as<const SafetensorsTensor*>;
  { source.metadata(name) } -> std::same_as<std::optional<std::string>>;
  { source.name() } -> std::convertible_to<std::string>;
};
static_assert(SafetensorsSource<SafetensorsFile> && SafetensorsSource<SafetensorsModel>);

namespace detail {
[[nodiscard]] inline Error tensor_error(const SafetensorsTensor& tensor, ErrorCode code, std::string_view why) {
  return {code, concat(tensor.file ? *tensor.file : std::string(), ": tensor \"", tensor.name, "\": ", why),
          tensor.offset};
}

[[nodiscard]] inline Status check_shape(const SafetensorsTensor& tensor, const std::vector<std::int64_t>& wanted) {
  if (tensor.shape == wanted) return Done{};
  return tensor_error(tensor, ErrorCode::shape_mismatch,
                      concat("shape ", shape_text(tensor.shape), ", expected ", shape_text(wanted)));
}

// fp16 bits of a tensor of F16, or of BF16 rounded to fp16; nothing that is not finite.
[[nodiscard]] inline Status read_halves(const SafetensorsTensor& tensor, std::vector<std::uint16_t>& out) {
  if (tensor.type != SafetensorsType::f16 && tensor.type != SafetensorsType::bf16)
    return tensor_error(tensor, ErrorCode::unsupported,
                        concat("dtype ", to_string(tensor.type), "; convert it to F16"));
  out.resize(static_cast<std::size_t>(tensor.num_elements()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto bits = load_little_endian<std::uint16_t>(tensor.data.data() + 2 * i);
    out[i] = tensor.type == SafetensorsType::f16 ? bits : float_to_half(bfloat16_to_float(bits));
    if (!is_finite_half(out[i])) {
      Error error = tensor_error(tensor, ErrorCode::bad_value,
                                 concat("element ", i, " is infinite or NaN in fp16"));
      error.offset += 2 * i;
      return error;
    }
  }
  return Done{};
}
}  // namespace detail

}  // namespace basin
