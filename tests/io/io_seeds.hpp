#pragma once

#include <basin/core/half.hpp>
#include <basin/io/gguf_writer.hpp>
#include <basin/io/npy_header.hpp>
#include <basin/io/q2_k.hpp>
#include <basin/io/safetensors_types.hpp>

#include <string>
#include <string_view>

#include "io/io_support.hpp"

// Small valid files, most of them written byte by byte: what readers are tested on and fuzzers start from.
namespace basin::test {

inline Bytes safetensors_bytes(std::string_view header, std::span<const std::byte> data = {}) {
  ByteWriter out;
  out.string(header);
  Bytes bytes = out.bytes();
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

inline Bytes small_safetensors() {
  ByteWriter data;
  data.put(1.5f).put(-2.0f).put(float_to_half(0.5f)).put(float_to_half(-3.0f)).put<std::int8_t>(-1);
  return safetensors_bytes(
      R"({"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},"c":{"dtype":"I8","shape":[],"data_offsets":[12,13]},)"
      R"("empty":{"dtype":"I64","shape":[0,3],"data_offsets":[13,13]}}   )",
      data.bytes());
}

/// One value of every metadata type, and tensors of F32 [2, 3], Q4_0 [1, 32], Q8_0 [2, 32].
inline Bytes small_gguf(std::uint32_t alignment = 32) {
  ByteWriter out;
  out.text("GGUF").put<std::uint32_t>(3).put<std::int64_t>(3).put<std::int64_t>(16);
  const auto key = [&](std::string_view name, std::uint32_t type) -> ByteWriter& {
    return out.string(name).put(type);
  };
  key("general.alignment", 4).put(alignment);
  key("u8", 0).put<std::uint8_t>(200);
  key("i8", 1).put<std::int8_t>(-5);
  key("u16", 2).put<std::uint16_t>(60000);
  key("i16", 3).put<std::int16_t>(-300);
  key("i32", 5).put<std::int32_t>(-70000);
  key("f32", 6).put(1.25f);
  key("bool", 7).put<std::uint8_t>(1);
  key("name", 8).string("tiny");
  key("tokens", 9).put<std::uint32_t>(8).put<std::uint64_t>(3).string("a").string("").string("bcd");
  key("types", 9).put<std::uint32_t>(5).put<std::uint64_t>(2).put<std::int32_t>(-1).put<std::int32_t>(7);
  key("scores", 9).put<std::uint32_t>(6).put<std::uint64_t>(2).put(0.5f).put(-0.25f);
  key("none", 9).put<std::uint32_t>(8).put<std::uint64_t>(0);
  key("u64", 10).put(~std::uint64_t{0});
  key("i64", 11).put(std::int64_t{-1} << 40);
  key("f64", 12).put(0.1);
  const auto tensor = [&](std::string_view name, std::initializer_list<std::int64_t> ne, std::uint32_t type,
                          std::uint64_t offset) {
    out.string(name).put(static_cast<std::uint32_t>(ne.size()));
    for (const std::int64_t n : ne) out.put(n);
    out.put(type).put(offset);
  };
  const auto up = [&](std::uint64_t n) { return (n + alignment - 1) / alignment * alignment; };
  tensor("plain", {3, 2}, 0, 0);
  tensor("q4", {32}, 2, up(24));
  tensor("q8", {32, 2}, 8, up(24) + up(18));
  out.pad_to(alignment);
  for (int i = 0; i < 6; ++i) out.put(static_cast<float>(i));
  out.pad_to(alignment).put(float_to_half(0.5f));
  for (int i = 0; i < 16; ++i) out.put(static_cast<std::uint8_t>(i | (15 - i) << 4));
  out.pad_to(alignment);
  for (int block = 0; block < 2; ++block) {
    out.put(float_to_half(block == 0 ? 1.0f : -0.25f));
    for (int i = 0; i < 32; ++i) out.put(static_cast<std::int8_t>(i - 16 * (block + 1)));
  }
  return out.bytes();
}

/// What GgufWriter makes: a key, and no-zero levels as a tensor of Q2_K [8, 256], which fills its alignment.
inline Bytes small_q2_k_gguf() {
  SplitMix64 rng(3);
  std::vector<std::uint8_t> codes(8 * 256);
  for (std::uint8_t& code : codes) code = static_cast<std::uint8_t>(rng.below(4));
  const std::vector<float> scales{1, 2, 0.5f, -3, 0, 0.25f, 8, 0.125f};
  auto packed = pack_q2_k_levels({256, codes, scales});
  GgufWriter writer;
  Bytes bytes;
  static_cast<void>(writer.set("general.file_type", std::uint32_t{10}));
  static_cast<void>(writer.add("levels", 10, {8, 256}, std::move(*packed)));
  static_cast<void>(writer.write_to([&](std::span<const std::byte> next) {
    bytes.insert(bytes.end(), next.begin(), next.end());
    return Status(Done{});
  }));
  return bytes;
}

inline Bytes npy_bytes(std::string_view dict, std::span<const std::byte> data, std::uint8_t version = 1) {
  ByteWriter out;
  out.text("\x93NUMPY").put(version).put<std::uint8_t>(0);
  if (version == 1) out.put(static_cast<std::uint16_t>(dict.size()));
  else out.put(static_cast<std::uint32_t>(dict.size()));
  out.text(dict);
  Bytes bytes = out.bytes();
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

inline Bytes small_npy(std::uint8_t version = 1, bool fortran_order = false) {
  ByteWriter data;
  for (int i = 0; i < 6; ++i) data.put(static_cast<float>(i));
  const std::string_view order = fortran_order ? "True" : "False";
  return npy_bytes("{'descr': '<f4', 'fortran_order': " + std::string(order) + ", 'shape': (2, 3), }   \n",
                   data.bytes(), version);
}

/// Layer "p" of 1x4g4o1 over 2 x 8 weights, in the tensors of the `aqlm` package.
inline Bytes small_aqlm() {
  ByteWriter data;
  for (int i = 0; i < 64; ++i) data.put(float_to_half(static_cast<float>(i) / 8));
  data.put(float_to_half(1.0f)).put(float_to_half(-2.0f));
  for (const int code : {0, 7, -8, -1}) data.put(static_cast<std::int8_t>(code));
  return safetensors_bytes(
      R"({"__metadata__":{"basin.p.n_in":"7","format":"pt"},)"
      R"("p.codebooks":{"dtype":"F16","shape":[1,16,1,4],"data_offsets":[0,128]},)"
      R"("p.scales":{"dtype":"F16","shape":[2,1,1,1],"data_offsets":[128,132]},)"
      R"("p.codes":{"dtype":"I8","shape":[2,2,1],"data_offsets":[132,136]}})",
      data.bytes());
}

inline constexpr std::string_view small_aqlm_config =
    R"({"hidden_size": 8, "quantization_config": {"quant_method": "aqlm", "nbits_per_codebook": 4,)"
    R"( "num_codebooks": 1, "in_group_size": 4, "out_group_size": 1,)"
    R"( "linear_weights_not_to_quantize": ["lm_head.weight"]}})";

/// Layer "p" of three levels over 2 x 5 weights, with zero points. A code of two bits can be out of range.
inline Bytes small_level_checkpoint() {
  ByteWriter data;
  for (const float level : {-1.0f, 0.0f, 1.0f}) data.put(level);
  data.put(float_to_half(1.0f)).put(float_to_half(-2.0f));
  for (const int byte : {0xa4, 0x01, 0, 0, 0, 0, 0, 0, 0x06, 0x02, 0, 0, 0, 0, 0, 0}) data.put(static_cast<std::uint8_t>(byte));
  data.put<std::uint8_t>(0).put<std::uint8_t>(2);
  return safetensors_bytes(
      R"({"p.levels":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},)"
      R"("p.scales":{"dtype":"F16","shape":[2],"data_offsets":[12,16]},)"
      R"("p.level_codes":{"dtype":"U8","shape":[2,8],"data_offsets":[16,32]},)"
      R"("p.zero_points":{"dtype":"U8","shape":[2],"data_offsets":[32,34]}})",
      data.bytes());
}

inline constexpr std::string_view small_json = R"({"a": [1, -2, 3.5e1, true, null, "\u00e9", {}], "b": {"c": [[]]}})";

/// What lies beside small_index under the names that it gives.
inline Bytes small_shard(std::string_view tensor) {
  ByteWriter data;
  data.put(1.0f).put(2.0f);
  return safetensors_bytes("{\"" + std::string(tensor) + R"(":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", data.bytes());
}
inline constexpr std::string_view small_index =
    R"({"metadata": {"total_size": 16}, "weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})";

}  // namespace basin::test
