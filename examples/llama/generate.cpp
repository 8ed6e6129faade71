// Continues a prompt, or answers it as a chat, with a key/value cache.
#include "../support/console.hpp"
#include "../support/program.hpp"
#include "../support/thread_pool.hpp"
#include "forward.hpp"
#include "load.hpp"
#include "run_options.hpp"
#include "sampling.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace llama {
/// The prompt as a user's turn in the ChatML form, up to where the assistant speaks.
std::vector<Token> chat_prompt(const Tokenizer& tokenizer, const std::string& system, const std::string& user) {
  const Token start = tokenizer.id_of("<|im_start|>"), end = tokenizer.id_of("<|im_end|>");
  if (start < 0 || end < 0) support::fail("--chat: the model has no <|im_start|> token; leave out --chat");
  std::vector<Token> tokens;
  const auto text = [&](std::string_view part) {
    const std::vector<Token> ids = tokenizer.encode(part);
    tokens.insert(tokens.end(), ids.begin(), ids.end());
  };
  const auto turn = [&](const std::string& who, const std::string& what) {
    tokens.push_back(start);
    text(who + '\n' + what);
    tokens.push_back(end);
    text("\n");
  };
  if (!system.empty()) turn("system", system);
  turn("user", user);
  tokens.push_back(start);
  text("assistant\n");
  return tokens;
}

struct Speed {
  int written = 0;
  double read_seconds = 0, write_seconds = 0;
  [[nodiscard]] double tokens_per_second() const { return written > 1 ? (written - 1) / write_seconds : 0; }
};

struct Settings {
  int count = 64;
  double temperature = 0;
  std::uint64_t seed = 0;
};

/// Continues `next`, token by token; hear(token) may print it.
template <class Hear>
Speed write_text(const LoadedModel& loaded, const Settings& settings, std::vector<Token> next, support::ThreadPool& pool, Hear hear) {
  const Model& model = loaded.model;
  const Index positions = Index(next.size()) + settings.count;
  const Stages stages(model.config, positions, pool);
  std::vector<KvCache> caches(model.blocks.size(), KvCache(model.config, positions));
  basin::SplitMix64 random(settings.seed);
  Speed speed;
  const support::Stopwatch reading;
  support::Stopwatch writing;
  while (speed.written < settings.count) {
    const Matrix hidden = forward(model, stages, next, caches);
    const Token token = sample(logits(model, stages, hidden.bottomRows(1)), settings.temperature, random);
    if (speed.written++ == 0) {
      speed.read_seconds = reading.seconds();
      writing = {};
    }
    speed.write_seconds = writing.seconds();
    if (token == loaded.tokenizer.vocabulary().eos) break;
    hear(token);
    next = {token};
  }
  return speed;
}
}  // namespace llama

int main(int argc, char** argv) {
  std::string model_path, prompt;
  std::string system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";
  llama::Settings settings;
  llama::RunOptions options;
  int threads = 0;
  bool chat = false, speeds = false;
  CLI::App app("Writes text with a language model", "generate");
  app.add_option("--model", model_path, "GGUF file, or directory in AQLM layout or of scalar levels")->required();
  app.add_option("--prompt", prompt, "what to continue or, with --chat, to answer")->required();
  app.add_option("--tokens", settings.count, "tokens to write at most (64)")->check(CLI::Range(1, 1 << 20));
  app.add_option("--temperature", settings.temperature, "0 takes the likeliest token (0)")->check(CLI::Range(0.0, 100.0));
  app.add_option("--seed", settings.seed, "of the random draws (0)");
  llama::add_run_options(app, options);
  app.add_flag("--speeds", speeds, "afterwards write as much again in every way of --product that makes a difference, and print tokens per second");
  app.add_option("--threads", threads, "threads; 0 for one per processor (0)")->check(CLI::Range(0, 4096));
  app.add_flag("--chat", chat, "the prompt is a user's message to a chat model");
  app.add_option("--system", system, "the chat's system message; may be empty");

  return support::run_program(app, argc, argv, [&] {
    using namespace llama;
    support::ThreadPool pool(threads);
    std::vector<Token> tokens;
    {
      const LoadedModel loaded = load_model(model_path, options);
      const Tokenizer& tokenizer = loaded.tokenizer;
      tokens = chat ? chat_prompt(tokenizer, system, prompt) : tokenizer.encode(prompt);
      if (tokens.empty() && tokenizer.vocabulary().bos >= 0) tokens.push_back(tokenizer.vocabulary().bos);
      if (tokens.empty()) support::fail("--prompt: there is nothing to continue; give at least one character");
      if (!chat) std::fputs(prompt.c_str(), stdout);
      const Speed speed = write_text(loaded, settings, tokens, pool, [&](Token token) {
        const std::string text = tokenizer.decode(token);
        std::fwrite(text.data(), 1, text.size(), stdout);
        std::fflush(stdout);
      });
      std::fputc('\n', stdout);
      std::fflush(stdout);
      std::fprintf(stderr, "prompt: %zu tokens in %.2f s; text: %d tokens", tokens.size(), speed.read_seconds, speed.written);
      if (speed.written > 1) std::fprintf(stderr, ", %.1f tokens/s", speed.tokens_per_second());
      std::fputc('\n', stderr);
    }
    if (!speeds) return;
    for (const auto& [name, product] : product_names()) {
      options.product = product;
      const LoadedModel loaded = load_model(model_path, options);
      if (product != Product::dense && !keeps_codes(loaded.model)) continue;  // dense again
      const Speed speed = write_text(loaded, settings, tokens, pool, [](Token) {});
      std::printf("%-10s  %7.1f tokens/s\n", name.c_str(), speed.tokens_per_second());
    }
  });
}
