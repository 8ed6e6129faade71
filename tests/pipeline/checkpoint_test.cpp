#include <basin/pipeline/checkpoint.hpp>  // first: proves the header stands alone

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "laws/storage_laws.hpp"
#include "pipeline/record_seeds.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using basin::AdditiveLayer;
using basin::FinishedLayer;
using basin::LevelLayer;
using basin::QuantizationReport;
using basin::RunIdentity;
using basin::test::contains_text;

namespace {
using Memory = basin::test::RecordMemory;
static_assert(basin::CheckpointStorage<Memory>);

QuantizationReport report() {
  QuantizationReport r;
  r.scheme = "2x3g8";
  r.n_out = 6;
  r.n_in = 11;
  r.rho = 0.1;
  r.bits_per_weight = {2, 0.25, 1.0 / 3};
  r.relative_error_after_init = 0.5;
  r.loss_trace = {0.5, 0.25, 0.125};
  r.relative_error_before_storing = 0.1251;
  r.relative_error = 0.125;
  r.squared_weight_error = 3;
  r.squared_weight_norm = 7;
  r.epochs = 2;
  r.seconds = {1, 2, 3, 6.5};
  r.notes = {{"best_of", "1"}, {"", "empty"}};
  return r;
}
void check_same(const QuantizationReport& a, const QuantizationReport& b) {
  CHECK(a.scheme == b.scheme);
  CHECK(a.n_out == b.n_out);
  CHECK(a.n_in == b.n_in);
  CHECK(a.rho == b.rho);
  CHECK(a.bits_per_weight.codes == b.bits_per_weight.codes);
  CHECK(a.bits_per_weight.codebooks == b.bits_per_weight.codebooks);
  CHECK(a.bits_per_weight.scales == b.bits_per_weight.scales);
  CHECK(a.relative_error_after_init == b.relative_error_after_init);
  CHECK(a.loss_trace == b.loss_trace);
  CHECK(a.relative_error_before_storing == b.relative_error_before_storing);
  CHECK(a.relative_error == b.relative_error);
  CHECK(a.squared_weight_error == b.squared_weight_error);
  CHECK(a.squared_weight_norm == b.squared_weight_norm);
  CHECK(a.epochs == b.epochs);
  CHECK(a.seconds.init == b.seconds.init);
  CHECK(a.seconds.update == b.seconds.update);
  CHECK(a.seconds.search == b.seconds.search);
  CHECK(a.seconds.total == b.seconds.total);
  CHECK(a.notes == b.notes);
}
AdditiveLayer additive() {
  AdditiveLayer layer;
  layer.scheme = {2, 3, 8};
  layer.n_out = 6;
  layer.n_in = 11;
  for (int i = 0; i < 6 * 2 * 2; ++i) layer.codes.push_back(static_cast<std::uint16_t>(i % 8));
  for (int i = 0; i < 2 * 8 * 8; ++i) layer.codebooks.push_back(static_cast<std::uint16_t>(i * 331));
  for (int i = 0; i < 6; ++i) layer.scales.push_back(static_cast<std::uint16_t>(0x3c00 + i));
  return layer;
}
LevelLayer levels() { return {2, 3, {-1.5f, -0.5f, 0.5f, 1.5f}, {0, 1, 2, 3, 2, 1}, {0x3c00, 0x3800}, {1, 2}}; }
RunIdentity identity() { return RunIdentity().add("scheme", "2x3g8").add("seed", 7); }
}  // namespace

TEST_CASE("A host's storage in memory keeps the laws of storage", "[pipeline][property]") { basin::test::check_storage_laws(Memory{}); }

TEST_CASE("A checkpoint gives back the layers and texts that were kept", "[pipeline][property]") {
  Memory memory;
  {
    basin::Checkpoint checkpoint(memory, identity());
    CHECK(!checkpoint.is_resumed());
    CHECK(!checkpoint.find("a"));
    checkpoint.keep("a", {additive(), report()});
    checkpoint.keep("b", {levels(), report()});
    CHECK(!checkpoint.find_text("a"));
    checkpoint.keep_text("a", "a decision");
    checkpoint.keep_text("none", "");
  }
  basin::Checkpoint checkpoint(memory, identity());
  CHECK(checkpoint.is_resumed());
  const FinishedLayer a = checkpoint.find("a").value(), b = checkpoint.find("b").value();
  check_same(a.report, report());
  check_same(b.report, report());
  const AdditiveLayer& codes = std::get<AdditiveLayer>(a.layer);
  const AdditiveLayer wanted = additive();
  CHECK(codes.scheme == wanted.scheme);
  CHECK(codes.n_out == wanted.n_out);
  CHECK(codes.n_in == wanted.n_in);
  CHECK(codes.codes == wanted.codes);
  CHECK(codes.codebooks == wanted.codebooks);
  CHECK(codes.scales == wanted.scales);
  const LevelLayer& scalar = std::get<LevelLayer>(b.layer);
  CHECK(scalar.n_out == 2);
  CHECK(scalar.n_in == 3);
  CHECK(scalar.levels == levels().levels);
  CHECK(scalar.codes == levels().codes);
  CHECK(scalar.scales == levels().scales);
  CHECK(scalar.zero_points == levels().zero_points);
  CHECK(checkpoint.find_text("a") == "a decision");
  CHECK(checkpoint.find_text("none") == "");
  CHECK(!checkpoint.find("c"));
}

TEST_CASE("The bytes of a record are fixed", "[pipeline][golden]") {
  Memory memory;
  basin::Checkpoint checkpoint(memory, RunIdentity(std::vector<std::pair<std::string, std::string>>{{"seed", "7"}}));
  const std::vector<std::byte>& run = memory.records->at("run");
  const unsigned char wanted[] = {'b', 'a', 's', 'i', 'n', 'c', 'k', 'p', 1, 0, 0, 0, 1, 0, 0, 0};
  REQUIRE(run.size() == 32 + 8 + 8 + 4 + 8 + 1);
  for (std::size_t i = 0; i < sizeof wanted; ++i) CHECK(std::to_integer<int>(run[i]) == wanted[i]);
  CHECK(basin::load_little_endian<std::uint64_t>(run.data() + 16) == 0xf74fed046baae21du);  // by another program
  const unsigned char fields[] = {1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 's', 'e', 'e', 'd', 1, 0, 0, 0, 0, 0, 0, 0, '7'};
  for (std::size_t i = 0; i < sizeof fields; ++i) CHECK(std::to_integer<int>(run[32 + i]) == fields[i]);
}

TEST_CASE("A checkpoint of another run is refused with every difference", "[pipeline][bad-input]") {
  Memory memory;
  basin::Checkpoint first(memory, identity());
  first.keep("a", {levels(), report()});
  using Kept = basin::Checkpoint<Memory>;
  CHECK_THROWS_WITH(Kept(memory, RunIdentity().add("scheme", "2x8g8").add("seed", 8)),
                    contains_text("scheme: 2x3g8 there, 2x8g8 here") && contains_text("seed: 7 there, 8 here"));
  CHECK_THROWS_WITH(Kept(memory, RunIdentity().add("scheme", "2x3g8")), contains_text("seed: 7 there, nothing here"));
  CHECK_THROWS_AS(Kept(memory, identity().add("more", 1)), basin::ValueError);
  CHECK_NOTHROW(Kept(memory, identity()));
  std::vector<std::pair<std::string, std::string>> reversed = identity().entries();
  std::reverse(reversed.begin(), reversed.end());
  Kept reordered(memory, RunIdentity(std::move(reversed)));
  CHECK(reordered.is_resumed());
  CHECK(reordered.find("a").has_value());

  Memory other;
  basin::Checkpoint second(other, RunIdentity().add("seed", 8));
  (*other.records)["layer-a"] = memory.records->at("layer-a");
  CHECK_THROWS_WITH(second.find("a"), contains_text("\"a\"") && contains_text("belongs to another run"));
  CHECK_THROWS_WITH(RunIdentity().add("a", 1).add("a", 2), contains_text("\"a\""));
}

TEST_CASE("Every damaged byte and every cut of a record is noticed", "[pipeline][bad-input]") {
  Memory memory;
  basin::Checkpoint checkpoint(memory, identity());
  const bool has_levels = GENERATE(false, true);
  if (has_levels) checkpoint.keep("a", {levels(), report()});
  else checkpoint.keep("a", {additive(), report()});
  const std::vector<std::byte> whole = memory.records->at("layer-a");
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (const int change : {1, 0x80, 0xff}) {
      memory.records->at("layer-a")[i] ^= static_cast<std::byte>(change);
      CHECK_THROWS_WITH(checkpoint.find("a"), contains_text("\"a\"") && contains_text("remove it"));
      memory.records->at("layer-a") = whole;
    }
  for (std::size_t size = 0; size < whole.size(); ++size) {
    memory.records->at("layer-a").resize(size);
    CHECK_THROWS_AS(checkpoint.find("a"), basin::ValueError);
    memory.records->at("layer-a") = whole;
  }
  CHECK(checkpoint.find("a").has_value());
}

TEST_CASE("A record whose sizes lie is refused before anything is allocated", "[pipeline][bad-input]") {
  Memory memory;
  basin::Checkpoint checkpoint(memory, identity());
  checkpoint.keep_text("a", "text");
  std::vector<std::byte>& record = memory.records->at("text-a");
  for (const std::uint64_t size : {std::uint64_t{5}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    basin::store_little_endian(size, record.data() + basin::detail::record_header);
    basin::store_little_endian(basin::detail::hash_of(std::span(record).subspan(24)), record.data() + 16);
    CHECK_THROWS_WITH(checkpoint.find_text("a"), contains_text("does not hold a text"));
  }
}

TEST_CASE("A layer whose parts do not fit together is refused", "[pipeline][bad-input]") {
  Memory memory;
  basin::Checkpoint checkpoint(memory, identity());
  const auto refused = [&](const std::variant<AdditiveLayer, LevelLayer>& layer) {
    checkpoint.keep("a", {layer, report()});
    CHECK_THROWS_WITH(checkpoint.find("a"), contains_text("does not hold what a layer has"));
  };
  AdditiveLayer code = additive(), size = additive(), shape = additive(), scheme = additive();
  code.codes.front() = static_cast<std::uint16_t>(code.scheme.codebook_size());
  size.codebooks.pop_back();
  shape.n_in += shape.scheme.in_group_size;
  scheme.scheme.in_group_size = 0;
  for (const AdditiveLayer& layer : {code, size, shape, scheme}) refused(layer);
  LevelLayer level = levels(), scales = levels(), rows = levels();
  level.codes.back() = static_cast<std::uint8_t>(level.levels.size());
  scales.scales.push_back(0);
  rows.n_out = 0;
  for (const LevelLayer& layer : {level, scales, rows}) refused(layer);
}

TEST_CASE("A storage that fails is a StorageError", "[pipeline][bad-input]") {
  Memory memory;
  memory.is_full = true;
  CHECK_THROWS_AS(basin::Checkpoint<Memory>(memory, identity()), basin::StorageError);
  CHECK_THROWS_WITH(basin::Checkpoint<Memory>(memory, identity()), contains_text("no room"));
}

TEST_CASE("Identities tell contents apart", "[pipeline][property]") {
  CHECK(*RunIdentity().add("fused", true).add("mixed", false).find("fused") == "yes");
  std::vector<std::byte> bytes(100);
  const auto text = [&] { return *RunIdentity().add_content("model", bytes).find("model"); };
  const std::string before = text();
  bytes[99] = std::byte{1};
  CHECK(text() != before);
  bytes[99] = std::byte{0};
  CHECK(text() == before);
  bytes.push_back(std::byte{0});
  CHECK(text() != before);
  CHECK(*RunIdentity().find("basin") == std::string(basin::version_text));
}
