// Small valid files with every byte changed and every end cut off, and the files that take the most memory for their
// size: a reader gives an error or a value, and never holds more than a stated multiple of the file.
#include <basin/io/aqlm.hpp>
#include <basin/io/gguf.hpp>
#include <basin/io/level_checkpoint.hpp>
#include <basin/io/npy.hpp>
#include <basin/layout/pack_layer.hpp>
#include <basin/layout/pack_levels.hpp>

#include <cstring>
#include <functional>

#include "io/io_seeds.hpp"
#include "kernels/random_layer.hpp"
#include "kernels/random_levels.hpp"
#include "pipeline/record_seeds.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

using basin::test::AlignedBytes;
using basin::test::Bytes;

namespace {
using View = std::span<const std::byte>;

/// Whether bytes are taken. Throws where what was taken breaks its word.
using Reader = std::function<bool(View)>;

struct Format {
  const char* name;
  Bytes small;
  std::size_t multiple;  ///< bytes held at once for each byte of the file; docs/security.md has the same
  Reader read;
};

/// For paths, messages and the buffer of a stream.
constexpr std::size_t extra_bytes = 16384;

void must(bool word) {
  if (!word) throw std::logic_error("a value broke its word");
}

template <class T>
bool refused_well(const basin::Expected<T>& result) {
  must(!result.error().message.empty());
  return false;
}

bool read_safetensors(View bytes) {
  const auto file = basin::SafetensorsFile::parse(bytes, "f");
  if (!file) return refused_well(file);
  std::size_t total = 0;
  for (const basin::SafetensorsTensor& tensor : file->tensors()) {
    must(file->find(tensor.name) == &tensor);
    total += tensor.data.size();
    if (const auto values = basin::read_floats(tensor)) must(values->size() == static_cast<std::size_t>(tensor.num_elements()));
  }
  must(total <= bytes.size());
  return true;
}

bool read_npy(View bytes) {
  const auto array = basin::parse_npy<double>(bytes, "f");
  if (!array) return refused_well(array);
  must(array->data.size() <= bytes.size());
  return true;
}

bool read_gguf(View bytes) {
  const auto file = basin::GgufFile::parse(bytes, "f");
  if (!file) return refused_well(file);
  const basin::GgufMetadata& metadata = file->metadata();
  for (const std::string& key : metadata.keys()) {
    static_cast<void>(metadata.get_i64(key));
    static_cast<void>(metadata.get_f32(key));
    static_cast<void>(metadata.get_bool(key));
    static_cast<void>(metadata.get_string(key));
    static_cast<void>(metadata.get_strings(key));
    static_cast<void>(metadata.get_integers(key));
    static_cast<void>(metadata.get_floats(key));
  }
  for (const basin::GgufTensor& tensor : file->tensors()) {
    must(file->find(tensor.name) == &tensor);
    if (const auto values = file->dequantize(tensor)) must(std::cmp_equal(values->size(), tensor.num_elements()));
  }
  return true;
}

bool read_json(View bytes) {
  const auto document = basin::parse_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "f");
  return document ? true : refused_well(document);
}

bool read_aqlm_config(View bytes) {
  const auto document = basin::parse_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "f");
  if (!document) return refused_well(document);
  const auto config = basin::parse_aqlm_config(*document, "f");
  if (!config) return refused_well(config);
  must(config->scheme.is_valid());
  return true;
}

bool read_aqlm(View bytes) {
  const auto file = basin::SafetensorsFile::parse(bytes, "f");
  if (!file) return refused_well(file);
  const auto layer = basin::read_aqlm_layer(*file, "p", {{1, 4, 4, 1}, {}});
  if (!layer) return refused_well(layer);
  for (const std::uint16_t code : layer->codes) must(code < 16);
  return true;
}

bool read_levels(View bytes, std::int64_t n_in) {
  const auto file = basin::SafetensorsFile::parse(bytes, "f");
  if (!file) return refused_well(file);
  const auto layer = basin::read_level_layer(*file, "p", n_in);
  if (!layer) return refused_well(layer);
  must(std::cmp_equal(layer->codes.size(), layer->n_out * n_in));
  for (const std::uint8_t code : layer->codes) must(code < layer->levels.size());
  return true;
}

/// An index beside its two shards.
class IndexReader {
 public:
  IndexReader() {
    basin::test::write_file(folder_ / "1.safetensors", basin::test::small_shard("a"));
    basin::test::write_file(folder_ / "2.safetensors", basin::test::small_shard("b"));
  }
  bool operator()(View bytes) const {
    const std::filesystem::path path = folder_ / "model.safetensors.index.json";
    basin::test::write_file(path, bytes);
    const auto model = basin::SafetensorsModel::open(path);
    if (!model) return refused_well(model);
    for (const basin::SafetensorsTensor* tensor : model->tensors()) must(model->find(tensor->name) == tensor);
    return true;
  }

 private:
  basin::test::TempFolder folder_;
};

/// The header's hash keeps most mutants from getting any further; `repair` makes it fit.
template <class Open>
bool open_packed(View bytes, bool repair, Open open) {
  const AlignedBytes memory(bytes.size());
  std::memcpy(memory.data(), bytes.data(), bytes.size());
  auto* const header = reinterpret_cast<std::uint8_t*>(memory.data());
  if (repair && bytes.size() >= 64) basin::detail::put_header_field(header + 56, basin::detail::header_hash(header), 8);
  return open(memory.span());
}
bool open_layer(View memory) {
  const basin::PackResult opened = basin::open_packed_layer(memory);
  if (opened.error != basin::PackError::none) return false;
  const basin::PackedLayer& layer = opened.layer;
  const auto* const end = reinterpret_cast<const std::uint8_t*>(memory.data() + memory.size());
  must(layer.n_out > 0 && layer.n_in > 0 && layer.scheme.is_valid());
  if (layer.family == basin::CodeFamily::planes)
    for (std::ptrdiff_t block = 0; block < basin::num_input_blocks(layer); ++block)
      for (std::ptrdiff_t row = 0; row < layer.padded_rows; row += basin::PackedLayer::rows_per_block) {
        const std::ptrdiff_t codes = basin::groups_in_block(layer, block) * layer.scheme.num_codebooks;
        must(tile_codes(layer, block, row) + basin::rows_in_block(layer, row) * basin::num_planes(codes, layer.scheme.bits_per_code) <= end);
      }
  else
    must(layer.codes + layer.n_out / layer.scheme.out_group_size * layer.row_bytes <= end);
  return true;
}
bool open_levels(View memory) {
  const basin::LevelsResult opened = basin::open_packed_levels(memory);
  if (opened.error != basin::LevelsError::none) return false;
  const basin::PackedLevels& layer = opened.layer;
  must(basin::level_words(layer, layer.padded_rows) <= reinterpret_cast<const std::uint8_t*>(memory.data() + memory.size()));
  must(layer.n_out <= layer.padded_rows && layer.n_in <= basin::PackedLevels::max_inputs);
  return true;
}

Bytes bytes_of(const AlignedBytes& memory) { return {memory.data(), memory.data() + memory.size()}; }

Bytes version_2(Bytes gguf) {
  gguf[4] = std::byte{2};
  return gguf;
}

std::vector<Format> every_format() {
  using namespace basin::test;
  const PackedRandomLayer planes({2, 4, 8, 1}, 3, 20, 1), rows({1, 5, 4, 2}, 4, 10, 1);
  const RandomLevels levels(level_sets[0], 3, 20, 1);
  const RecordMemory checkpoint = small_records();
  const auto index = std::make_shared<IndexReader>();
  std::vector<Format> all = {
      {"npy", small_npy(), 8, read_npy},
      {"npy of version 2", small_npy(2), 8, read_npy},
      {"npy in Fortran order", small_npy(1, true), 8, read_npy},
      {"safetensors", small_safetensors(), 24, read_safetensors},
      {"safetensors index", to_bytes(small_index), 64, [index](View bytes) { return (*index)(bytes); }},
      {"gguf", small_gguf(), 24, read_gguf},
      {"gguf of version 2", version_2(small_gguf(8)), 24, read_gguf},
      {"gguf of Q2_K", small_q2_k_gguf(), 24, read_gguf},
      {"json", to_bytes(small_json), 64, read_json},
      {"aqlm config", to_bytes(small_aqlm_config), 64, read_aqlm_config},
      {"aqlm layer", small_aqlm(), 24, read_aqlm},
      {"level checkpoint", small_level_checkpoint(), 32, [](View bytes) { return read_levels(bytes, 5); }}};
  for (const bool repair : {false, true})
    for (const auto& [name, record] : *checkpoint.records)
      all.push_back({repair ? "record of a checkpoint, hashes repaired" : "record of a checkpoint", record, 24,
                     [repair](View bytes) { return read_record({bytes.begin(), bytes.end()}, repair); }});
  for (const bool repair : {false, true}) {
    const auto layer = [repair](View bytes) { return open_packed(bytes, repair, open_layer); };
    all.push_back({repair ? "packed planes, hash repaired" : "packed planes", bytes_of(planes.memory), 1, layer});
    all.push_back({repair ? "packed rows, hash repaired" : "packed rows", bytes_of(rows.memory), 1, layer});
    all.push_back({repair ? "packed levels, hash repaired" : "packed levels", bytes_of(levels.memory), 1,
                   [repair](View bytes) { return open_packed(bytes, repair, open_levels); }});
  }
  return all;
}

/// Reads a copy that ends where its memory does.
bool read_within(const Format& format, View bytes) {
  const basin::test::ExactBytes exact(bytes);
  const basin::test::AllocationWatch watch;
  const bool taken = format.read(exact.bytes());
  const std::size_t peak = watch.peak(), most = format.multiple * bytes.size() + extra_bytes;
  if (peak > most) FAIL(peak << " bytes held for " << bytes.size() << ", more than " << most);
  return taken;
}
}  // namespace

TEST_CASE("Every byte of a small file is changed", "[hostile][bad-input]") {
  for (const Format& format : every_format()) {
    INFO(format.name);
    CHECK(read_within(format, format.small));
    int taken = 0, refused = 0;
    Bytes mutant = format.small;
    for (std::size_t at = 0; at < mutant.size(); ++at) {
      const std::byte before = mutant[at];
      const auto value = std::to_integer<unsigned>(before);
      for (const unsigned next : {0x00u, 0xffu, value ^ 1u, value ^ 0x80u, value + 1, value - 1}) {
        mutant[at] = static_cast<std::byte>(next);
        if (mutant[at] == before) continue;
        CAPTURE(at, next);
        REQUIRE_NOTHROW(read_within(format, mutant) ? ++taken : ++refused);
      }
      mutant[at] = before;
    }
    CHECK(refused > 0);
    CHECK(taken + refused > static_cast<int>(4 * format.small.size()));
  }
}

TEST_CASE("Every end of a small file is cut off", "[hostile][bad-input]") {
  for (const Format& format : every_format()) {
    INFO(format.name);
    for (std::size_t size = 0; size < format.small.size(); ++size) {
      CAPTURE(size);
      REQUIRE_FALSE(read_within(format, View(format.small).first(size)));
    }
  }
}

namespace {
std::string repeated(std::string_view text, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}
/// "head", what part(i) gives for each i, and "tail".
Bytes listed(std::string_view head, std::size_t count, const std::function<std::string(std::size_t)>& part, std::string_view tail) {
  std::string all(head);
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) all += ',';
    all += part(i);
  }
  return basin::test::to_bytes(all += tail);
}
Bytes listed(std::string_view part, std::size_t count) {
  return listed("[", count, [part](std::size_t) { return std::string(part); }, "]");
}
std::string short_name(std::size_t i) {
  std::string name;
  for (; i > 0; i /= 64) name += static_cast<char>('0' + i % 64 + (i % 64 >= 44));  // no backslash
  return name;
}
Bytes with_header(const Bytes& header, std::size_t data_bytes = 0) {
  return basin::test::safetensors_bytes({reinterpret_cast<const char*>(header.data()), header.size()}, Bytes(data_bytes));
}
basin::test::ByteWriter gguf_head(std::size_t tensors, std::size_t keys) {
  basin::test::ByteWriter out;
  out.text("GGUF").put<std::uint32_t>(3).put(static_cast<std::int64_t>(tensors)).put(static_cast<std::int64_t>(keys));
  return out;
}
}  // namespace

TEST_CASE("The files that take the most memory for their size stay below their format's multiple", "[hostile][property]") {
  using namespace basin::test;
  constexpr std::size_t n = 32769;  // a vector that doubles has just grown
  const auto read_long_levels = [](View bytes) { return read_levels(bytes, 64 * 4096); };
  std::vector<Format> all;
  for (const std::string_view part : {"0", "\"\"", "[]", "{}", "[0]", "{\"\":0}", "1e9", "\"0123456789abcdef\""})
    all.push_back({"a JSON list", listed(part, n), 64, read_json});
  all.push_back({"a JSON object", listed("{", n, [](std::size_t i) { return "\"" + short_name(i) + "\":0"; }, "}"), 64, read_json});
  all.push_back({"one long JSON string", to_bytes("\"" + repeated("a", n) + "\""), 64, read_json});
  all.push_back({"safetensors without data", with_header(listed("{", n, [](std::size_t i) {
                   return "\"" + short_name(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
                 }, "}")), 24, read_safetensors});
  all.push_back({"safetensors of scalars", with_header(listed("{", n, [](std::size_t i) {
                   const std::string at = std::to_string(i);
                   return "\"" + short_name(i) + R"(":{"dtype":"U8","shape":[],"data_offsets":[)" + at + "," + std::to_string(i + 1) + "]}";
                 }, "}"), n), 24, read_safetensors});
  all.push_back({"safetensors of metadata", with_header(listed(R"({"__metadata__":{)", n, [](std::size_t i) {
                   return "\"" + short_name(i) + "\":\"\"";
                 }, "}}")), 24, read_safetensors});
  all.push_back({"npy of bytes", npy_bytes("{'descr': '|u1', 'fortran_order': False, 'shape': (32769,)}\n", Bytes(n)), 8, read_npy});

  ByteWriter keys = gguf_head(0, n), strings = gguf_head(0, 1), numbers = gguf_head(0, 1), tensors = gguf_head(n, 0), blocks = gguf_head(1, 0);
  for (std::size_t i = 0; i < n; ++i) keys.string(short_name(i)).put<std::uint32_t>(0).put<std::uint8_t>(1);
  strings.string("s").put<std::uint32_t>(9).put<std::uint32_t>(8).put<std::uint64_t>(n).text(repeated(std::string_view("\0\0\0\0\0\0\0\0", 8), n));
  numbers.string("b").put<std::uint32_t>(9).put<std::uint32_t>(0).put<std::uint64_t>(n).text(repeated("a", n));
  // Of a type that is unknown, so that they need no bytes.
  for (std::size_t i = 0; i < n; ++i) tensors.string(short_name(i)).put<std::uint32_t>(0).put<std::uint32_t>(1000).put<std::uint64_t>(0);
  tensors.pad_to(32);
  blocks.string("q").put<std::uint32_t>(1).put<std::int64_t>(256 * 500).put<std::uint32_t>(10).put<std::uint64_t>(0).pad_to(32).text(repeated("a", 84 * 500));
  for (const ByteWriter* writer : {&keys, &strings, &numbers, &tensors, &blocks}) all.push_back({"gguf", writer->bytes(), 24, read_gguf});

  const std::string one_row = R"({"p.levels":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"p.scales":{"dtype":"F16","shape":[1],)"
                              R"("data_offsets":[8,10]},"p.level_codes":{"dtype":"U8","shape":[1,32768],"data_offsets":[10,32778]}})";
  ByteWriter data;
  data.put(0.0f).put(1.0f).put<std::uint16_t>(0).text(repeated(std::string_view("\0\0\0\0\0\0\0\0", 8), 4096));
  all.push_back({"levels of one bit", safetensors_bytes(one_row, data.bytes()), 32, read_long_levels});
  for (const Format& format : all) {
    INFO(format.name << " of " << format.small.size() << " bytes");
    CHECK(read_within(format, format.small));
  }
}
