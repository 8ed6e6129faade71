// Continues a prompt, or answers it as a chat, with a key/value cache.
#include "../support/console.hpp"
#include "../support/program.hpp"
#include "../support/thread_pool.hpp"
#include "load.hpp"
#include "sampling.hpp"
#include "forward.hpp"

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
}  // namespace llama

int main(int argc, char** argv) {
  std::string model_path, prompt;
  std::string system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";
  int count = 64, threads = 0;
  double temperature = 0;
  std::uint64_t seed = 0;
  bool chat = false;
  llama::Product product = llama::Product::dense;
  CLI::App app("Writes text with a language model", "generate");
  app.add_option("--model", model_path, "GGUF file, or directory in AQLM layout")->required();
  app.add_option("--prompt", prompt, "what to continue or, with --chat, to answer")->required();
  app.add_option("--tokens", count, "tokens to write at most (64)")->check(CLI::Range(1, 1 << 20));
  app.add_option("--temperature", temperature, "0 takes the likeliest token (0)")->check(CLI::Range(0.0, 100.0));
  app.add_option("--seed", seed, "of the random draws (0)");
  llama::add_product_option(app, product);
  app.add_option("--threads", threads, "threads; 0 for one per processor (0)")->check(CLI::Range(0, 4096));
  app.add_flag("--chat", chat, "the prompt is a user's message to a chat model");
  app.add_option("--system", system, "the chat's system message; may be empty");

  return support::run_program(app, argc, argv, [&] {
    using namespace llama;
    const auto [model, tokenizer] = load_model(model_path, product);
    std::vector<Token> next =
        chat ? chat_prompt(tokenizer, system, prompt) : tokenizer.encode(prompt);
    if (next.empty() && tokenizer.vocabulary().bos >= 0) next.push_back(tokenizer.vocabulary().bos);
    if (next.empty()) support::fail("--prompt: there is nothing to continue; give at least one character");

    support::ThreadPool pool(threads);
    const Index positions = Index(next.size()) + count;
    const Stages stages(model.config, positions, pool);
    std::vector<KvCache> caches(model.blocks.size(), KvCache(model.config, positions));
    basin::SplitMix64 random(seed);
    if (!chat) std::fputs(prompt.c_str(), stdout);
    const support::Stopwatch reading;
    double read_seconds = 0, write_seconds = 0;
    const std::size_t prompt_length = next.size();
    int written = 0;
    support::Stopwatch writing;
    while (written < count) {
      const Matrix hidden = forward(model, stages, next, caches);
      const Token token = sample(logits(model, stages, hidden.bottomRows(1)), temperature, random);
      if (written++ == 0) {
        read_seconds = reading.seconds();
        writing = {};
      }
      write_seconds = writing.seconds();
      if (token == tokenizer.vocabulary().eos) break;
      const std::string text = tokenizer.decode(token);
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
      next = {token};
    }
    std::fputc('\n', stdout);
    std::fprintf(stderr, "prompt: %zu tokens in %.2f s; text: %d tokens", prompt_length, read_seconds, written);
    if (written > 1) std::fprintf(stderr, ", %.1f tokens/s", (written - 1) / write_seconds);
    std::fputc('\n', stderr);
  });
}
