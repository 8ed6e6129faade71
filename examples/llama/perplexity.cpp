// How well a model predicts a text: exp of the mean negative log-likelihood per token, over
// windows that do not overlap.
#include "perplexity.hpp"

#include "../support/console.hpp"
#include "../support/fail.hpp"
#include "../support/output_file.hpp"
#include "../support/program.hpp"
#include "../support/thread_pool.hpp"
#include "load.hpp"
#include "run_options.hpp"
#include "text_file.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

int main(int argc, char** argv) {
  std::string model_path, text_path, json_path;
  int context = 1024, windows = 32, threads = 0;
  llama::RunOptions options;
  CLI::App app("Measures a model's perplexity on a text", "perplexity");
  app.add_option("--model", model_path, "GGUF file, or directory in AQLM layout or of scalar levels")->required();
  app.add_option("--text", text_path, "UTF-8 text, tokenized as one string")->required();
  app.add_option("--context", context, "tokens per window (1024)")->check(CLI::Range(2, 1 << 20));
  app.add_option("--windows", windows, "windows at most (32)")->check(CLI::Range(1, 1 << 30));
  llama::add_run_options(app, options);
  app.add_option("--threads", threads, "threads; 0 for one per processor (0)")->check(CLI::Range(0, 4096));
  app.add_option("--json", json_path, "write the result to this file");

  return support::run_program(app, argc, argv, [&] {
    std::optional<basin::AtomicFile> json;
    if (!json_path.empty()) json.emplace(support::create_output(json_path));
    const llama::LoadedModel loaded = llama::load_model(model_path, options);
    const std::vector<llama::Token> tokens = loaded.tokenizer.encode(llama::read_text(text_path));
    const auto length = static_cast<std::size_t>(context);
    const std::size_t count = std::min(static_cast<std::size_t>(windows), tokens.size() / length);
    if (count == 0)
      support::fail(text_path, ": ", tokens.size(), " tokens are less than one window of ", context,
                    "; give a longer text or a smaller --context");

    support::ThreadPool pool(threads);
    const llama::Stages stages(loaded.model.config, context, pool);
    support::ProgressLine progress("perplexity");
    std::vector<double> nll;
    double sum = 0;
    for (std::size_t w = 0; w < count; ++w) {
      nll.push_back(llama::window_nll(loaded.model, stages, std::span(tokens).subspan(w * length, length)));
      sum += nll.back();
      const double done = double(w + 1);
      char note[64];
      std::snprintf(note, sizeof note, "window %zu of %zu: %.3f", w + 1, count, std::exp(sum / done));
      progress.update(done / double(count), note);
    }
    const double perplexity = std::exp(sum / double(count));
    if (!std::isfinite(perplexity)) support::fail(model_path, ": the perplexity is not finite");
    std::printf("perplexity %.4f  (%zu windows of %d tokens, %.1f s)\n", perplexity, count, context,
                progress.seconds());
    if (!json) return;
    const nlohmann::json result = {{"model", model_path},
                                   {"text", text_path},
                                   {"tokens", tokens.size()},
                                   {"context", context},
                                   {"windows", count},
                                   {"perplexity", perplexity},
                                   {"nll", nll},
                                   {"seconds", progress.seconds()}};
    support::write_json(*std::move(json), result);
  });
}
