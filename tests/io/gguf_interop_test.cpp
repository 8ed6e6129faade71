// Files go both ways between basin and the `gguf` Python package; see gguf_interop_test.py.
#include <basin/io/gguf_export.hpp>
#include <basin/io/npy.hpp>

#include <cmath>
#include <tuple>
#include <utility>

#include "io/interop_support.hpp"
#include "support/catch.hpp"

#if defined(__unix__) && defined(BASIN_TEST_SOURCE_DIR)
namespace {
using basin::GgufFile;
using basin::GgufType;
using basin::GgufWriter;

std::vector<float> normals(std::size_t count, float scale, basin::SplitMix64& rng) {
  std::vector<float> values(count);
  for (float& value : values) value = scale * static_cast<float>(rng.normal());
  return values;
}

// Tensors of F32 whose names say what becomes of them.
void write_source(const std::filesystem::path& path, basin::SplitMix64& rng) {
  GgufWriter writer;
  REQUIRE(writer.set("general.architecture", "basin-test"));
  for (const auto& [name, rows, n_in] :
       {std::tuple{"q2_k.levels", 33, 768}, {"q4_0.levels", 5, 96}, {"q8_0.levels", 17, 64}, {"f16.levels", 3, 50},
        {"q8_0.floats", 40, 320}, {"f16.floats", 7, 33}, {"f32.kept", 4, 5}}) {
    const auto values = normals(static_cast<std::size_t>(rows * n_in), 0.1f, rng);
    basin::test::Bytes bytes(4 * values.size());
    for (std::size_t i = 0; i < values.size(); ++i) basin::store_little_endian(values[i], bytes.data() + 4 * i);
    REQUIRE(writer.add(name, 0, {rows, n_in}, std::move(bytes)));
  }
  REQUIRE(writer.write(path));
}
}  // namespace

TEST_CASE("Files of basin and of the gguf package are the same both ways", "[io][interop]") {
  basin::SplitMix64 rng(11);
  const basin::test::TempFolder folder;
  write_source(folder / "source.gguf", rng);
  const auto source = GgufFile::open(folder / "source.gguf");
  REQUIRE(source.has_value());
  basin::GgufExport out(*source);
  for (const basin::GgufTensor& tensor : source->tensors()) {
    const bool is_f16 = tensor.name.starts_with("f16"), is_q4_0 = tensor.name.starts_with("q4_0");
    const GgufType type = is_f16 ? GgufType::f16 : is_q4_0 ? GgufType::q4_0 : GgufType::q8_0;
    const std::vector<float> values = *source->dequantize(tensor);
    if (tensor.name.ends_with("floats")) {
      REQUIRE(basin::write_npy<float>(folder / (tensor.name + ".source.npy"), tensor.shape, values));
      REQUIRE(out.convert(tensor.name, type));
    }
    if (!tensor.name.ends_with("levels")) continue;
    basin::GgufExport::Levels levels;
    for (std::int64_t r = 0; r < tensor.shape[0]; ++r)
      levels.scales.push_back(basin::round_no_zero_scale(static_cast<float>(std::exp(rng.normal() - 4))));
    for (std::size_t i = 0; i < values.size(); ++i) levels.codes.push_back(static_cast<std::uint8_t>(rng.below(4)));
    REQUIRE(out.set_levels(tensor.name, [levels] { return basin::Expected(levels); }, type));
  }
  auto writer = out.prepare();
  REQUIRE(writer.has_value());
  REQUIRE(writer->set("test.u8", std::uint8_t{200}));
  REQUIRE(writer->set("test.i8", std::int8_t{-5}));
  REQUIRE(writer->set("test.u16", std::uint16_t{60000}));
  REQUIRE(writer->set("test.i16", std::int16_t{-300}));
  REQUIRE(writer->set("test.u32", std::uint32_t{4000000000}));
  REQUIRE(writer->set("test.i32", std::int32_t{-70000}));
  REQUIRE(writer->set("test.u64", ~std::uint64_t{0}));
  REQUIRE(writer->set("test.i64", std::int64_t{-1} << 40));
  REQUIRE(writer->set("test.f32", 1.25f));
  REQUIRE(writer->set("test.f64", 0.1));
  REQUIRE(writer->set("test.bool", true));
  REQUIRE(writer->set("test.string", "t\xc3\xa4st"));
  REQUIRE(writer->set_array("test.strings", std::vector<std::string>{"a", "", "bcd"}));
  REQUIRE(writer->set_array("test.floats", std::vector<float>{0.5f, -0.25f}));
  REQUIRE(writer->write(folder / "model.gguf"));
  const auto file = GgufFile::open(folder / "model.gguf");
  REQUIRE(file.has_value());
  for (const basin::GgufTensor& tensor : file->tensors())
    REQUIRE(basin::write_npy<float>(folder / (tensor.name + ".npy"), tensor.shape, *file->dequantize(tensor)));

  const auto script = basin::test::run_python("tests/io/gguf_interop_test.py", folder);
  if (script.skipped()) {
    WARN("The comparison with the gguf package was skipped: " << script.log);
    return;
  }
  INFO(script.log);
  REQUIRE(script.status == 0);

  const auto theirs = GgufFile::open(folder / "python.gguf");
  REQUIRE(theirs.has_value());
  CHECK(*theirs->metadata().get_strings("strings") == std::vector<std::string>{"x", "", "y\xc3\xa9"});
  for (const basin::GgufTensor& tensor : theirs->tensors()) {
    CAPTURE(tensor.name);
    const auto want = basin::read_npy<float>(folder / ("python." + tensor.name + ".npy"));
    REQUIRE(want.has_value());
    CHECK(tensor.shape == want->shape);
    CHECK(*theirs->dequantize(tensor) == want->data);
  }
  REQUIRE(basin::GgufExport(*theirs).write(folder / "copy.gguf"));
  CHECK(basin::test::read_file(folder / "copy.gguf") == basin::test::read_file(folder / "python.gguf"));
}
#endif
