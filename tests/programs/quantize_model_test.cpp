#include <basin/core/random.hpp>
#include <basin/kernels/cpu.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "examples/random_model.hpp"
#include "io/io_support.hpp"
#include "llama/aqlm_model.hpp"
#include "support/catch.hpp"
#include "support/process.hpp"

namespace fs = std::filesystem;
using basin::test::contains_text;
using basin::test::Ended;
using basin::test::Process;
using namespace std::chrono_literals;

namespace {
/// A small model and a text, and runs of quantize_model on them.
struct Runs {
  basin::test::TempFolder folder;

  Runs() {
    const llama::Config config{.hidden = 64, .ffn = 48, .blocks = 3, .heads = 2, .kv_heads = 1, .head_dim = 32, .vocab = 259,
                               .context = 64, .norm_epsilon = 1e-5f, .rope_base = 100.0f};
    llama::write_aqlm_model(folder / "model", llama::build_model(config, llama::RandomSource{}), llama::tiny_vocabulary(), basin::Scheme{2, 3, 8}, {});
    std::ofstream text(folder / "text");
    basin::test::Rng rng(1);
    for (int i = 0; i < 4000; ++i) text << static_cast<char>('a' + rng.below(26)) << (rng.below(5) == 0 ? " " : "");
  }

  [[nodiscard]] std::vector<std::string> command(const std::string& out, const std::vector<std::string>& options) const {
    std::vector<std::string> all{BASIN_TEST_BIN_DIR "/quantize_model", "--model", (folder / "model").string(), "--calibration", (folder / "text").string(),
                                 "--tokens", "2048", "--context", "64", "--scheme", "2x3g8", "--out", (folder / out).string()};
    all.insert(all.end(), options.begin(), options.end());
    return all;
  }
  [[nodiscard]] Process start(const std::string& out, const std::vector<std::string>& options = {}, const Process::Environment& environment = {}) const {
    return Process(command(out, options), folder / (out + ".log"), environment);
  }
  [[nodiscard]] Ended run(const std::string& out, const std::vector<std::string>& options = {}, const Process::Environment& environment = {}) const {
    return start(out, options, environment).wait();
  }
  /// The files that a model consists of.
  [[nodiscard]] std::map<std::string, std::string> model(const std::string& out) const {
    std::map<std::string, std::string> files;
    for (const char* name : {"model.safetensors", "config.json", "tokenizer.json"}) {
      std::ifstream in(folder / out / name, std::ios::binary);
      if (in) files[name] = {std::istreambuf_iterator<char>(in), {}};
    }
    return files;
  }
  [[nodiscard]] int num_records(const std::string& out) const {
    std::error_code error;  // the folder may go away meanwhile
    int found = 0;
    for (fs::directory_iterator at(folder / out / "checkpoint", error), end; !error && at != end; at.increment(error))
      found += at->path().extension() == ".ckpt";
    return found;
  }
  [[nodiscard]] std::vector<std::string> names(const std::string& out) const {
    std::vector<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder / out)) all.push_back(entry.path().filename().string());
    return all;
  }
};

using Options = std::vector<std::string>;
const std::vector<Options> methods{{}, {"--method", "qift"}, {"--method", "qift", "--compensation", "gptaq", "--activation-bits", "4", "--kv-bits", "4"}};
}  // namespace

TEST_CASE("quantize_model leaves the same bytes for any number of threads and any path of the kernels", "[programs][property]") {
  const Options options = methods[GENERATE(range(0u, 3u))];
  const Runs runs;
  REQUIRE(runs.run("one", Options{options}).status == 0);
  const auto wanted = runs.model("one");
  REQUIRE(wanted.size() == 3);
  for (const char* threads : {"1", "2", "3", "7"}) {
    CAPTURE(threads);
    Options own = options;
    own.insert(own.end(), {"--threads", threads});
    CHECK(runs.run("other", own).status == 0);
    CHECK(runs.model("other") == wanted);
  }
  int paths = 0;
  for (const char* arch : {"scalar", "avx2", "avx2vnni", "avx512bw", "avx512vnni", "avx512vbmi", "neon64", "neon64dot"}) {
    CAPTURE(arch);
    const Ended ended = runs.run("other", options, {{"BASIN_ARCH", arch}});
    if (ended.status != 0) {
      CHECK_THAT(ended.output, contains_text("BASIN_ARCH"));  // not of this CPU
      continue;
    }
    ++paths;
    CHECK(runs.model("other") == wanted);
  }
  CHECK(paths >= 1);
}

TEST_CASE("quantize_model killed at any moment goes on to the same bytes", "[programs][property]") {
  const Options options = methods[GENERATE(range(0u, 2u))];
  const Runs runs;
  REQUIRE(runs.run("undisturbed", options).status == 0);
  const auto wanted = runs.model("undisturbed");

  basin::test::Rng rng(7);
  int killed = 0, resumed = 0;
  constexpr int num_records = 23;  // 21 layers, the run and its level sets
  for (bool is_done = false; !is_done && killed < 200;) {
    Process process = runs.start("disturbed", options);
    const int until = runs.num_records("disturbed") + static_cast<int>(rng.below(4));
    bool ends = false;
    while (runs.num_records("disturbed") < std::min(until, num_records) && !ends) ends = process.ends_within(100us);
    if (!process.ends_within(std::chrono::microseconds(rng.below(5000 * (1 + killed))))) process.send(SIGKILL);
    const Ended ended = process.wait();
    is_done = ended.status == 0;  // it may end on its own just before the signal
    CHECK((is_done || ended.status == 128 + SIGKILL));
    killed += !is_done;
    resumed += ended.output.find("going on from") != std::string::npos;
    for (const auto& [name, bytes] : runs.model("disturbed")) CHECK(bytes == wanted.at(name));  // whole or not there
  }
  CHECK(killed >= 2);
  CHECK(resumed >= 1);
  CHECK(runs.model("disturbed") == wanted);
  for (const std::string& name : runs.names("disturbed")) CHECK_THAT(name, !contains_text("tmp") && !contains_text("ckpt"));
}

TEST_CASE("quantize_model goes on in the same run only", "[programs][bad-input]") {
  const Runs runs;
  const auto stopped = [&](const std::string& out, const Options& options) {
    Process process = runs.start(out, options);
    while (!fs::exists(runs.folder / out / "checkpoint" / "layer-model.layers.0.self_attn.k_proj.ckpt"))
      if (process.ends_within(1ms)) break;
    process.send(SIGKILL);
    return process.wait().status == 128 + SIGKILL;
  };
  REQUIRE(stopped("run", {}));
  const Ended other = runs.run("run", {"--seed", "1"});
  CHECK(other.status == 1);
  CHECK_THAT(other.output, contains_text("--seed: nothing there, 1 here") && contains_text("--restart"));
  const Ended tokens = runs.run("run", {"--init", "greedy", "--threads", "1"});
  CHECK(tokens.status == 1);
  CHECK_THAT(tokens.output, contains_text("--init") && !contains_text("--threads"));
  const Ended restarted = runs.run("run", {"--seed", "1", "--restart"});
  CHECK(restarted.status == 0);
  REQUIRE(runs.run("fresh", {"--seed", "1"}).status == 0);
  CHECK(runs.model("run") == runs.model("fresh"));

  REQUIRE(stopped("damaged", {}));
  const fs::path record = runs.folder / "damaged" / "checkpoint" / "layer-model.layers.0.self_attn.k_proj.ckpt";
  std::fstream(record, std::ios::in | std::ios::out | std::ios::binary).seekp(100).put('!');
  const Ended damaged = runs.run("damaged");
  CHECK(damaged.status == 1);
  CHECK_THAT(damaged.output, contains_text("k_proj") && contains_text("is damaged") && contains_text("damaged/checkpoint") && contains_text("--restart"));
  fs::remove(record);
  CHECK(runs.run("damaged").status == 0);
}

TEST_CASE("A stopped run that threw a checkpoint away does not tell to do so again", "[programs][property]") {
  const Runs runs;
  Process process = runs.start("run", {"--beam", "64", "--restart"});
  while (!fs::exists(runs.folder / "run" / "checkpoint" / "run.ckpt"))
    if (process.ends_within(1ms)) break;
  process.send(SIGINT);
  CHECK_THAT(process.wait().output, contains_text("the same command without --restart goes on"));
}

TEST_CASE("quantize_model stops soon on request and goes on later", "[programs][property]") {
  const Runs runs;
  REQUIRE(runs.run("undisturbed", {"--beam", "64"}).status == 0);
  const int signal = GENERATE(SIGINT, SIGTERM);
  Process process = runs.start("run", {"--beam", "64"});
  while (!fs::exists(runs.folder / "run" / "checkpoint" / "layer-model.layers.0.self_attn.o_proj.ckpt"))
    if (process.ends_within(1ms)) break;
  const auto asked = std::chrono::steady_clock::now();
  process.send(signal);
  REQUIRE(process.ends_within(10s));
  CHECK(std::chrono::steady_clock::now() - asked < 3s);
  const Ended ended = process.wait();
  CHECK(ended.status == 130);
  CHECK_THAT(ended.output, contains_text("stopped; the same command goes on from"));
  CHECK(runs.model("run").empty());
  const Ended again = runs.run("run", {"--beam", "64"});
  CHECK(again.status == 0);
  CHECK_THAT(again.output, contains_text("going on from"));
  CHECK(runs.model("run") == runs.model("undisturbed"));
}

TEST_CASE("Two processes do not share a checkpoint", "[programs][bad-input]") {
  const Runs runs;
  Process first = runs.start("run", {"--beam", "64"});
  while (!fs::exists(runs.folder / "run" / "checkpoint" / "run.ckpt"))
    if (first.ends_within(1ms)) break;
  const Ended second = runs.run("run", {"--beam", "64"});
  CHECK(second.status == 1);
  CHECK_THAT(second.output, contains_text("another process"));
  CHECK(first.wait().status == 0);
}

TEST_CASE("quantize_model --plan tells and leaves nothing; budgets are kept or refused", "[programs][property]") {
  const Runs runs;
  const Ended plan = runs.run("plan", {"--plan"});
  CHECK(plan.status == 0);
  CHECK_THAT(plan.output, contains_text("all 21 layers") && contains_text("complete") && contains_text("memory:") && contains_text("in all"));
  CHECK(!fs::exists(runs.folder / "plan"));
  const Ended little = runs.run("little", {"--memory", "1M"});
  CHECK(little.status == 1);
  CHECK_THAT(little.output, contains_text("--memory") && contains_text("give more"));
  CHECK(!fs::exists(runs.folder / "little"));
  Options brief = runs.command("brief", {"--plan"});
  std::replace(brief.begin(), brief.end(), std::string("2048"), std::string("63"));
  CHECK_THAT(Process(brief, runs.folder / "brief.log").wait().output, contains_text("at least one window of 64 tokens, got 63"));

  const Options choosing{"--method", "qift", "--target-bits", "3.6", "--mixed-tokens", "128", "--plan"};
  CHECK_THAT(runs.run("choosing", choosing).output, contains_text("choosing levels") && contains_text("int3") && contains_text("int4"));
  // Windows wait in a file without changing anything, wherever they are used.
  for (const Options& way : {Options{"--method", "qift", "--hessians", "original"}, Options{"--method", "qift", "--mixed", "1", "--mixed-tokens", "128"}}) {
    REQUIRE(runs.run("roomy", way).status == 0);
    Options tight = way;
    tight.insert(tight.end(), {"--memory", "19M"});
    CHECK(runs.run("tight", tight).status == 0);
    CHECK(runs.model("tight") == runs.model("roomy"));
  }

  const Ended hurried = runs.run("hurried", {"--time", "0.001s", "--tolerance", "0"});
  CHECK(hurried.status == 0);
  CHECK_THAT(hurried.output, contains_text("--time ended"));
  CHECK(runs.model("hurried").size() == 3);
}

TEST_CASE("Rules keep or fix layers, and a target of bits is met", "[programs][property]") {
  const Runs runs;
  CHECK(runs.run("rules", {"--method", "qift", "--layer", "*.0.*=skip", "--layer", "*.down_proj=int4"}).status == 0);
  const llama::AqlmModel model(runs.folder / "rules");
  const auto error_of = [&](const std::string& name, llama::Shape shape) {
    const llama::AqlmModel original(runs.folder / "model");
    const llama::Matrix a = model.linear(name, shape).weight(), b = original.linear(name, shape).weight();
    return double((a - b).norm() / b.norm());
  };
  CHECK(error_of("model.layers.0.self_attn.q_proj", {64, 64}) == 0);
  const basin::SafetensorsModel tensors = *basin::SafetensorsModel::open(runs.folder / "rules");
  CHECK(tensors.find("model.layers.0.mlp.up_proj.weight") != nullptr);
  CHECK(basin::read_level_layer(tensors, "model.layers.1.mlp.up_proj", 64)->levels.size() == 4);
  CHECK(basin::read_level_layer(tensors, "model.layers.0.mlp.down_proj", 48)->levels.size() == 16);

  const Ended unused = runs.run("unused", {"--layer", "*.down=skip"});
  CHECK(unused.status == 1);
  CHECK_THAT(unused.output, contains_text("*.down") && contains_text("matches no layer"));
  CHECK_THAT(runs.run("unknown", {"--method", "qift", "--layer", "*=int5"}).output, contains_text("int5"));
  CHECK_THAT(runs.run("scheme", {"--layer", "*=2x4g8"}).output, contains_text("skip"));

  const Ended target = runs.run("target", {"--method", "qift", "--target-bits", "3.6", "--mixed-tokens", "128"});
  CHECK(target.status == 0);
  std::ifstream in(runs.folder / "target" / "summary.json");
  const nlohmann::json summary = nlohmann::json::parse(in);
  CHECK(summary.at("bits_per_weight").get<double>() <= 3.6);
  CHECK(summary.at("bits_per_weight").get<double>() > 3);
  CHECK_THAT(runs.run("low", {"--method", "qift", "--target-bits", "1"}).output, contains_text("smallest of --candidates"));
  CHECK_THAT(runs.run("named", {"--method", "qift", "--target-bits", "3", "--candidates", "mnz,int5"}).output, contains_text("--candidates: \"int5\""));

  // Fixed layers count, skipped ones do not.
  const Ended both = runs.run("both", {"--method", "qift", "--target-bits", "3.4", "--mixed-tokens", "128", "--layer", "*.down_proj=int4", "--layer", "*.0.*=skip"});
  REQUIRE(both.status == 0);
  std::ifstream both_in(runs.folder / "both" / "summary.json");
  const nlohmann::json both_summary = nlohmann::json::parse(both_in);
  CHECK(both_summary.at("bits_per_weight").get<double>() <= 3.4);
  CHECK(both_summary.at("bits_per_weight").get<double>() == Approx(both_summary.at("mixed").at("bits_per_weight").get<double>()));
  CHECK(both_summary.at("layers") == 14);
  CHECK_THAT(runs.run("fixed", {"--method", "qift", "--mixed", "3", "--mixed-tokens", "128", "--layer", "*.0.*=mnz"}).output,
             contains_text("2 blocks have layers that --layer leaves open"));
}

TEST_CASE("A model quantized behind rotated inputs is not quantized again", "[programs][bad-input]") {
  const Runs runs;
  REQUIRE(runs.run("rotated", {"--method", "qift", "--blocks", "0-1"}).status == 0);
  Options command = runs.command("again", {"--blocks", "2-2"});
  command[2] = (runs.folder / "rotated").string();
  const Ended again = Process(command, runs.folder / "again.log").wait();
  CHECK(again.status == 1);
  CHECK_THAT(again.output, contains_text("rotated") && contains_text("give the original model"));
  CHECK(!fs::exists(runs.folder / "again"));
}
