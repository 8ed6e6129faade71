// Every call of the system and every allocation of a writer or a reader fails in turn.
#include <basin/io/aqlm_config.hpp>
#include <basin/io/gguf_export.hpp>
#include <basin/io/npy.hpp>
#include <basin/io/safetensors.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <exception>
#include <functional>
#include <new>
#include <optional>

#include "io/io_seeds.hpp"
#include "support/catch.hpp"
#include "support/faults.hpp"
#include "support/output_file.hpp"

using basin::Status;
using basin::test::Bytes;
using basin::test::Call;
using basin::test::Fault;
using Path = std::filesystem::path;

namespace {
struct Operation {
  const char* name;
  std::function<Status(const Path&)> run;
};

/// Whether the operation said that it succeeded, and whether a call of it was made to fail.
struct Outcome {
  bool fired, succeeded;
};
Outcome run_with_fault(const Operation& operation, const Path& path, Call call, int nth) {
  const Fault fault(call, nth);
  bool succeeded = false;
  try {
    succeeded = operation.run(path).has_value();
  } catch (const std::bad_alloc&) {
  } catch (const std::runtime_error&) {  // support::fail
  }
  return {fault.fired(), succeeded};
}

Status write_atomic(const Path& path) {
  auto file = basin::AtomicFile::create(path);
  if (!file) return file.error();
  if (const Status wrote = file->write("a first part"); !wrote) return wrote;
  if (const Status wrote = file->write(" and a second"); !wrote) return wrote;
  return file->commit();
}
Status write_floats(const Path& path) {
  return basin::write_npy<float>(path, std::array<std::int64_t, 2>{2, 2}, std::array<float, 4>{1, 2, 3, 4});
}
Status write_safetensors(const Path& path) {
  basin::SafetensorsWriter writer;
  if (const Status added = writer.add("a", basin::SafetensorsType::f32, {2}, Bytes(8)); !added) return added;
  if (const Status added = writer.add("b", basin::SafetensorsType::u8, {3}, Bytes(3)); !added) return added;
  if (const Status set = writer.set_metadata("format", "pt"); !set) return set;
  return writer.write(path);
}
Status write_gguf(const Path& path) {
  basin::GgufWriter writer;
  if (const Status set = writer.set("general.file_type", std::uint32_t{10}); !set) return set;
  if (const Status added = writer.add("a", 0, {2, 3}, Bytes(24)); !added) return added;
  return writer.write(path);
}
Status export_gguf(const Path& path) {
  static const Bytes source = basin::test::small_gguf();
  const auto file = basin::GgufFile::parse(source, "source");
  if (!file) return file.error();
  basin::GgufExport exported(*file);
  if (const Status set = exported.convert("q8", basin::GgufType::f16); !set) return set;
  return exported.write(path);
}
/// A file of its own, changed in place.
Status rewrite_gguf(const Path& path) {
  const auto file = basin::GgufFile::open(path);
  if (!file) return file.error();
  basin::GgufExport exported(*file);
  if (const Status set = exported.convert("q4", basin::GgufType::q8_0); !set) return set;
  return exported.write(path);
}
Status write_config(const Path& path) { return basin::write_aqlm_config(path, {{"hidden_size", 8}}, {{1, 4, 4, 1}, {"lm_head.weight"}}); }
Status write_document(const Path& path) {
  support::write_json(path, nlohmann::json{{"a", {1, 2, 3}}});
  return basin::Done{};
}

/// A failure to make the folder itself durable is not reported: the file is there.
bool may_be_silent(Call call, int nth) { return call == Call::open || (call == Call::fsync && nth == 2); }

/// The old file, or none, in a folder of its own.
struct Place {
  basin::test::TempFolder folder;
  Path path = folder / "file";
  std::optional<Bytes> old;

  void reset() const {
    if (old) basin::test::write_file(path, *old);
    else std::filesystem::remove(path);
  }
  [[nodiscard]] bool is_old() const {
    return old ? basin::test::read_file(path) == *old : !std::filesystem::exists(path);
  }
};

/// Fails each call of a kind in turn, until the operation meets no failure any more.
void fail_each(const Operation& operation, const Place& place, const Bytes& wanted, Call call) {
  CAPTURE(operation.name, basin::test::name_of(call));
  int nth = 1;
  for (;; ++nth) {
    CAPTURE(nth);
    place.reset();
    const Outcome outcome = run_with_fault(operation, place.path, call, nth);
    if (outcome.succeeded) REQUIRE(basin::test::read_file(place.path) == wanted);
    else REQUIRE(place.is_old());
    REQUIRE(place.folder.num_files() == (outcome.succeeded || place.old ? 1 : 0));
    if (!outcome.fired) {
      REQUIRE(outcome.succeeded);
      break;
    }
    REQUIRE(outcome.succeeded == (call == Call::open || call == Call::fsync ? may_be_silent(call, nth) : false));
  }
  const bool is_made = call != Call::open && call != Call::fstat && call != Call::mmap;
  if (is_made) CHECK(nth > 1);  // the fault reached the operation
}

Bytes undisturbed(const Operation& operation, const Place& place) {
  place.reset();
  REQUIRE(operation.run(place.path));
  return basin::test::read_file(place.path);
}

const Operation writers[] = {{"AtomicFile", write_atomic},     {"write_npy", write_floats}, {"SafetensorsWriter", write_safetensors},
                             {"GgufWriter", write_gguf},       {"GgufExport", export_gguf}};
// nlohmann/json allocates while it destroys a document, and cannot report a failure there.
const Operation document_writers[] = {{"write_aqlm_config", write_config}, {"write_json", write_document}};
}  // namespace

TEST_CASE("A writer whose calls fail in turn leaves the old file or none", "[hostile][bad-input]") {
  Place place;
  if (GENERATE(false, true)) place.old = basin::test::to_bytes("old");
  for (const Operation& operation : writers) {
    const Bytes wanted = undisturbed(operation, place);
    for (const Call call : basin::test::every_call) fail_each(operation, place, wanted, call);
  }
  for (const Operation& operation : document_writers) {
    const Bytes wanted = undisturbed(operation, place);
    for (const Call call : basin::test::every_call)
      if (call != Call::allocate) fail_each(operation, place, wanted, call);
  }
}

TEST_CASE("A GGUF file that is rewritten in place is the old one or the new one", "[hostile][bad-input]") {
  Place place;
  place.old = basin::test::small_gguf();
  const Operation operation{"GgufExport in place", rewrite_gguf};
  const Bytes wanted = undisturbed(operation, place);
  for (const Call call : {Call::allocate, Call::fopen, Call::fwrite, Call::fflush, Call::fsync, Call::fclose, Call::rename})
    fail_each(operation, place, wanted, call);
}

TEST_CASE("A writer of JSON whose allocations fail leaves the old file or none, if it must by ending", "[hostile][bad-input]") {
  Place place;
  if (GENERATE(false, true)) place.old = basin::test::to_bytes("old");
  constexpr int undisturbed_status = 10, succeeded_status = 11, failed_status = 12, ended_status = 13;
  for (const Operation& operation : document_writers) {
    const Bytes wanted = undisturbed(operation, place);
    int nth = 1;
    for (int status = 0; status != undisturbed_status; ++nth) {
      CAPTURE(operation.name, nth);
      place.reset();
      const pid_t child = ::fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        std::set_terminate([] { ::_exit(ended_status); });
        const Outcome outcome = run_with_fault(operation, place.path, Call::allocate, nth);
        ::_exit(!outcome.fired ? undisturbed_status : outcome.succeeded ? succeeded_status : failed_status);
      }
      int result = 0;
      REQUIRE(::waitpid(child, &result, 0) == child);
      REQUIRE(WIFEXITED(result));
      status = WEXITSTATUS(result);
      const bool is_new = basin::test::read_file(place.path) == wanted;
      REQUIRE((is_new || place.is_old()));
      if (status == failed_status) REQUIRE(place.is_old());
      if (status == undisturbed_status || status == succeeded_status) REQUIRE(is_new);
      if (status != ended_status) REQUIRE(place.folder.num_files() == (is_new || place.old ? 1 : 0));
      std::filesystem::remove(place.folder / "file.tmp-0");  // a process that ends leaves it, as AtomicFile says
    }
    CHECK(nth > 3);
  }
}

namespace {
std::ptrdiff_t num_open_files() { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); }

template <class T>
Status status_of(const basin::Expected<T>& result) {
  return result ? Status(basin::Done{}) : Status(result.error());
}
}  // namespace

TEST_CASE("A reader whose calls fail in turn says so and closes its file", "[hostile][bad-input]") {
  const basin::test::TempFolder folder;
  basin::test::write_file(folder / "npy", basin::test::small_npy());
  basin::test::write_file(folder / "safetensors", basin::test::small_safetensors());
  basin::test::write_file(folder / "gguf", basin::test::small_gguf());
  basin::test::write_file(folder / "json", "{}");  // an empty document is destroyed without an allocation
  const Operation readers[] = {{"npy", [](const Path& path) { return status_of(basin::read_npy<float>(path)); }},
                               {"safetensors", [](const Path& path) { return status_of(basin::SafetensorsModel::open(path)); }},
                               {"gguf", [](const Path& path) { return status_of(basin::GgufFile::open(path)); }},
                               {"json", [](const Path& path) { return status_of(basin::read_json(path)); }}};
  const std::ptrdiff_t open_before = num_open_files();
  for (const Operation& reader : readers)
    for (const Call call : {Call::allocate, Call::open, Call::fstat, Call::mmap}) {
      int nth = 1;
      for (;; ++nth) {
        CAPTURE(reader.name, basin::test::name_of(call), nth);
        const Outcome outcome = run_with_fault(reader, folder / reader.name, call, nth);
        REQUIRE(outcome.succeeded == !outcome.fired);
        if (!outcome.fired) break;
      }
      CHECK(nth > 1);
    }
  CHECK(num_open_files() == open_before);
}
