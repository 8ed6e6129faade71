#include "llama/calibration.hpp"
#include "llama/forward.hpp"
#include "llama/perplexity.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "examples/random_model.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/thread_pool.hpp"

using namespace llama;
using Wide = basin::Matrix<double>;

namespace {
Config tiny_config() {
  return {.hidden = 12, .ffn = 20, .blocks = 2, .heads = 4, .kv_heads = 2, .head_dim = 6, .vocab = 31,
          .context = 400, .norm_epsilon = 1e-5f, .rope_base = 100.0f};
}
std::vector<Token> tiny_tokens(std::size_t n) {
  basin::test::Rng rng(7);
  std::vector<Token> tokens;
  for (std::size_t i = 0; i < n; ++i) tokens.push_back(static_cast<Token>(rng.below(31)));
  return tokens;
}
std::vector<KvCache> caches_for(const Model& model, Index capacity) {
  return std::vector<KvCache>(model.blocks.size(), KvCache(model.config, capacity));
}

/// The definition, one number at a time in double.
Wide reference_norm(const Wide& x, const Vector& gain, double epsilon) {
  Wide y = x;
  for (Index t = 0; t < x.rows(); ++t) {
    double sum = 0;
    for (Index i = 0; i < x.cols(); ++i) sum += x(t, i) * x(t, i);
    for (Index i = 0; i < x.cols(); ++i)
      y(t, i) = x(t, i) / std::sqrt(sum / double(x.cols()) + epsilon) * double(gain[i]);
  }
  return y;
}
Wide reference_linear(const Linear& linear, const Wide& x) {
  const Matrix& w = linear.weight();
  Wide y = Wide::Zero(x.rows(), w.rows());
  for (Index t = 0; t < x.rows(); ++t)
    for (Index o = 0; o < w.rows(); ++o)
      for (Index i = 0; i < w.cols(); ++i) y(t, o) += x(t, i) * double(w(o, i));
  return y;
}
void reference_rotate(Wide& x, const Config& c) {
  const Index half = c.head_dim / 2;
  for (Index t = 0; t < x.rows(); ++t)
    for (Index head = 0; head < x.cols() / c.head_dim; ++head)
      for (Index i = 0; i < half; ++i) {
        const double angle = double(t) / std::pow(double(c.rope_base), 2 * double(i) / double(c.head_dim));
        double& a = x(t, head * c.head_dim + i);
        double& b = x(t, head * c.head_dim + i + half);
        const double turned = a * std::cos(angle) - b * std::sin(angle);
        b = b * std::cos(angle) + a * std::sin(angle);
        a = turned;
      }
}
Wide reference_attention(const Wide& q, const Wide& k, const Wide& v, const Config& c) {
  Wide out = Wide::Zero(q.rows(), q.cols());
  for (Index t = 0; t < q.rows(); ++t)
    for (Index head = 0; head < c.heads; ++head) {
      const Index at = head * c.head_dim, kv = head / (c.heads / c.kv_heads) * c.head_dim;
      std::vector<double> weight;
      for (Index s = 0; s <= t; ++s) {
        double dot = 0;
        for (Index i = 0; i < c.head_dim; ++i) dot += q(t, at + i) * k(s, kv + i);
        weight.push_back(std::exp(dot / std::sqrt(double(c.head_dim))));
      }
      const double sum = std::accumulate(weight.begin(), weight.end(), 0.0);
      for (Index s = 0; s <= t; ++s)
        for (Index i = 0; i < c.head_dim; ++i)
          out(t, at + i) += weight[std::size_t(s)] / sum * v(s, kv + i);
    }
  return out;
}
/// What each stage leaves in `input`, and at last the block's output.
std::vector<Wide> reference_block(const Block& b, const Config& c, Wide hidden) {
  std::vector<Wide> seen;
  seen.push_back(reference_norm(hidden, b.attention_norm, double(c.norm_epsilon)));
  Wide q = reference_linear(b.parts[q_proj], seen[0]), k = reference_linear(b.parts[k_proj], seen[0]);
  reference_rotate(q, c);
  reference_rotate(k, c);
  seen.push_back(reference_attention(q, k, reference_linear(b.parts[v_proj], seen[0]), c));
  hidden += reference_linear(b.parts[o_proj], seen[1]);
  seen.push_back(reference_norm(hidden, b.ffn_norm, double(c.norm_epsilon)));
  Wide act = reference_linear(b.parts[gate_proj], seen[2]);
  const Wide up = reference_linear(b.parts[up_proj], seen[2]);
  for (Index t = 0; t < act.rows(); ++t)
    for (Index i = 0; i < act.cols(); ++i) act(t, i) *= up(t, i) / (1 + std::exp(-act(t, i)));
  seen.push_back(act);
  hidden += reference_linear(b.parts[down_proj], act);
  seen.push_back(hidden);
  return seen;
}
double worst(const Matrix& got, const Wide& want) {
  REQUIRE(got.rows() == want.rows());
  REQUIRE(got.cols() == want.cols());
  return (got.cast<double>() - want).cwiseAbs().maxCoeff() / want.cwiseAbs().maxCoeff();
}
// Sums of at most 300 products, three layers deep: a few hundred float roundings.
constexpr double tolerance = 300 * 6e-8;
}  // namespace

TEST_CASE("Every stage of a block matches plain loops in double", "[examples][reference]") {
  const std::size_t n = GENERATE(1u, 5u, 130u, 300u);  // attention works in chunks of 128
  support::ThreadPool pool(GENERATE(1, 3));
  const Model model = build_model(tiny_config(), RandomSource{});
  const Stages stages(model.config, Index(n), pool);
  Activations a{embed(model, tiny_tokens(n)), {}};
  const std::vector<Wide> want = reference_block(model.blocks[0], model.config, a.hidden.cast<double>());
  KvCache cache(model.config, Index(n));
  for (const Stage stage : all_stages) {
    stages.run(stage, model.blocks[0], a, cache);
    const auto i = static_cast<std::size_t>(stage);
    CAPTURE(n, i);
    CHECK(worst(stage == Stage::finish ? a.hidden : a.input, want[i]) <= tolerance);
  }
}

TEST_CASE("Layers of one stage may see their inputs each in its own way", "[examples][property]") {
  support::ThreadPool pool(2);
  Model model = build_model(tiny_config(), RandomSource{});
  Block& block = model.blocks[0];
  const InputPath path(12, {.rotation_seed = 1, .activation_bits = 8}), other(12, {.rotation_seed = 2, .activation_bits = 4});
  basin::LevelLayer levels{20, 12, {-1.5f, -0.5f, 0.5f, 1.5f}, {}, {}, {}};
  for (int i = 0; i < 20 * 12; ++i) levels.codes.push_back(static_cast<std::uint8_t>(i * 7 % 4));
  levels.scales.assign(20, basin::float_to_half(0.5f));
  // k as it was, beside v of one path; gate of one beside up of another, in codes.
  block.parts[v_proj] = Linear(block.parts[v_proj].weight(), path);
  block.parts[gate_proj] = Linear(block.parts[gate_proj].weight(), path);
  block.parts[up_proj] = Linear(PackedLevelLinear(levels, best_kernels()), other);

  const Stages stages(model.config, 9, pool);
  Activations a{embed(model, tiny_tokens(9)), {}};
  KvCache cache(model.config, 9);
  Matrix k, v, gate, up;
  stages.attention_input(block, a);
  block.parts[k_proj].apply(a.input, k, pool);
  block.parts[v_proj].apply(a.input, v, pool);
  stages.attend(block, a, cache);
  CHECK(cache.keys.row(0) == k.row(0));  // position 0 is not turned
  CHECK(cache.values == v);
  stages.ffn_input(block, a);
  block.parts[gate_proj].apply(a.input, gate, pool);
  block.parts[up_proj].apply(a.input, up, pool);
  stages.activate(block, a);
  const Wide g = gate.cast<double>(), want = (g.array() / (1 + (-g.array()).exp()) * up.cast<double>().array()).matrix();
  CHECK(worst(a.input, want) <= tolerance);
}

TEST_CASE("Token by token through the cache equals the whole sequence", "[examples][property]") {
  support::ThreadPool pool(2);
  const Model model = build_model(tiny_config(), RandomSource{});
  const std::vector<Token> tokens = tiny_tokens(150);
  const Stages stages(model.config, 150, pool);
  std::vector<KvCache> whole = caches_for(model, 150), parts = caches_for(model, 150);
  const Matrix want = logits(model, stages, forward(model, stages, tokens, whole));
  Index done = 0;
  for (const std::size_t step : {1u, 1u, 7u, 130u, 1u, 10u}) {
    const auto next = std::span(tokens).subspan(std::size_t(done), step);
    const Matrix got = logits(model, stages, forward(model, stages, next, parts));
    CHECK(worst(got, want.middleRows(done, Index(step)).cast<double>()) <= tolerance);
    done += Index(step);
  }
  CHECK(done == 150);
}

TEST_CASE("The forward pass does not depend on the number of threads", "[examples][property]") {
  const Model model = build_model(tiny_config(), RandomSource{.untied = true});
  CHECK(model.output);
  const std::vector<Token> tokens = tiny_tokens(200);
  support::ThreadPool one(1), four(4);
  const double want = window_nll(model, Stages(model.config, 200, one), tokens);
  CHECK(window_nll(model, Stages(model.config, 200, four), tokens) == want);
}

TEST_CASE("window_nll is the mean loss of the logits", "[examples][reference]") {
  support::ThreadPool pool(2);
  const Model model = build_model(tiny_config(), RandomSource{});
  const std::vector<Token> tokens = tiny_tokens(140);
  const Stages stages(model.config, 140, pool);
  std::vector<KvCache> caches = caches_for(model, 140);
  const Matrix scores = logits(model, stages, forward(model, stages, tokens, caches));
  double sum = 0;
  for (Index t = 0; t + 1 < 140; ++t)
    sum += std::log(scores.row(t).cast<double>().array().exp().sum()) -
           double(scores(t, tokens[std::size_t(t + 1)]));
  CHECK(std::abs(window_nll(model, stages, tokens) - sum / 139) <= 1e-6 * sum / 139);
}

TEST_CASE("Calibration sees what a rerun behind the replaced layers would see", "[examples][property]") {
  support::ThreadPool pool(2);
  Model model = build_model(tiny_config(), RandomSource{});
  const std::vector<Token> tokens = tiny_tokens(3 * 20 + 5);  // the remainder is dropped
  const Stages stages(model.config, 20, pool);
  Calibration calibration(model, stages, tokens, 20);
  REQUIRE(calibration.num_windows() == 3);
  basin::test::Rng rng(5);
  std::size_t parts_seen = 0;
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    Block& block = model.blocks[b];
    for (const Stage stage : all_stages) {
      std::vector<Matrix> inputs;
      calibration.advance(stage, block, [&](std::size_t w) { inputs.push_back(calibration.input(w)); });
      CHECK(inputs.size() == (stage == Stage::finish ? 0u : 3u));
      for (std::size_t w = 0; w < inputs.size(); ++w) {  // from the embedding on, as the model is now
        Activations fresh{embed(model, std::span(tokens).subspan(20 * w, 20)), {}};
        KvCache cache(model.config, 20);
        for (std::size_t before = 0; before < b; ++before, cache.length = 0)
          stages.run(model.blocks[before], fresh, cache);
        cache.length = 0;
        for (const Stage s : all_stages) {
          if (s > stage) break;
          stages.run(s, block, fresh, cache);
        }
        CHECK(inputs[w] == fresh.input);
      }
      for (const Part part : parts_behind(stage)) {
        ++parts_seen;
        const Shape shape = part_shape(model.config, part);
        CHECK(inputs.front().cols() == shape.cols);
        block.parts[part] = Linear(basin::test::normal_matrix<float>(shape.rows, shape.cols, rng) / 4);
      }
    }
  }
  CHECK(parts_seen == model.blocks.size() * num_parts);
}

TEST_CASE("StageTargets bring a damaged model's outputs back to the original's", "[examples][property]") {
  support::ThreadPool pool(2);
  const Model original = build_model(tiny_config(), RandomSource{});
  Model damaged = original;
  const basin::RunContext context{.executor = pool};
  const std::vector<Token> tokens = tiny_tokens(4 * 60);
  const Stages stages(original.config, 60, pool);
  Calibration reference(original, stages, tokens, 60), now(damaged, stages, tokens, 60);
  basin::test::Rng rng(6);
  std::size_t compared = 0;
  for (std::size_t b = 0; b < damaged.blocks.size(); ++b)
    for (const Stage stage : all_stages) {
      Block& block = damaged.blocks[b];
      StageTargets targets(stage, original.blocks[b], {.strength = 1, .damping = 1e-8});
      StageTargets plain(stage, original.blocks[b], {});
      reference.advance(stage, original.blocks[b]);
      now.advance(stage, block, [&](std::size_t w) {
        targets.add(now.input(w), context);
        targets.compare(reference, now, w, context);
        plain.add(now.input(w), context);
      });
      for (const Part part : parts_behind(stage)) {
        const Matrix& weight = original.blocks[b].parts[part].weight();
        CHECK(plain.target(part, plain.hessian(), context) == weight);
        const Matrix target = targets.target(part, targets.hessian(), context);
        // What the layer leaves in the model: its output, or the residual stream it joins.
        const bool joins = part == o_proj || part == down_proj;
        const auto error = [&](const Matrix& w) {
          double sum = 0;
          for (std::size_t i = 0; i < now.num_windows(); ++i) {
            Matrix lacks = reference.input(i) * weight.transpose() - now.input(i) * w.transpose();
            if (joins) lacks += reference.hidden(i) - now.hidden(i);
            sum += lacks.cast<double>().squaredNorm();
          }
          return sum;
        };
        CAPTURE(b, part);
        if (b == 0 && stage == Stage::attention_input) {
          CHECK(target == weight);  // nothing was damaged yet
        } else {
          ++compared;
          CHECK(error(target) < 0.999 * error(weight));
          for (int i = 0; i < 5; ++i)  // a least-squares fit: any step away is worse
            CHECK(error(target) < error(target + 1e-2f * basin::test::normal_matrix<float>(weight.rows(), weight.cols(), rng)));
        }
        block.parts[part] = Linear(target + 0.1f * basin::test::normal_matrix<float>(weight.rows(), weight.cols(), rng));
      }
    }
  CHECK(compared == damaged.blocks.size() * num_parts - 3);
}

TEST_CASE("StageTargets collect the drift of the inputs for asymmetric calibration", "[examples][reference]") {
  support::ThreadPool pool(2);
  const Model original = build_model(tiny_config(), RandomSource{});
  Model damaged = original;
  Matrix embedding = original.embedding.weight();
  for (Index i = 0; i < embedding.size(); ++i) embedding.data()[i] *= 1.1f + 0.1f * float(i % 3);
  damaged.embedding = Linear(embedding);
  const Stages stages(original.config, 50, pool);
  const std::vector<Token> tokens = tiny_tokens(2 * 50);
  Calibration reference(original, stages, tokens, 50), now(damaged, stages, tokens, 50);
  const double strength = GENERATE(0.0, 1.0);
  StageTargets targets(Stage::attention_input, original.blocks[0], {.strength = strength}, true);
  StageTargets without(Stage::attention_input, original.blocks[0], {.strength = strength});
  Wide want = Wide::Zero(12, 12);
  reference.advance(Stage::attention_input, original.blocks[0]);
  now.advance(Stage::attention_input, damaged.blocks[0], [&](std::size_t w) {
    for (StageTargets* each : {&targets, &without}) {
      each->add(now.input(w), {.executor = pool});
      each->compare(reference, now, w, {.executor = pool});
    }
    const Wide drift = (reference.input(w) - now.input(w)).cast<double>();
    want += drift.transpose() * now.input(w).cast<double>() / 100;
  });
  CHECK_FALSE(without.drift());
  REQUIRE(targets.drift());
  CHECK((*targets.drift() - want).cwiseAbs().maxCoeff() < 1e-6 * want.cwiseAbs().maxCoeff());
  const Matrix& before = original.blocks[0].parts[q_proj].weight();
  CHECK((targets.target(q_proj, targets.hessian(), {}) == before) == (strength == 0));
}

TEST_CASE("Keys and values of 4 bits stay near those of 16, and so does what attention makes of them", "[examples][property]") {
  support::ThreadPool pool(2);
  Config config = tiny_config();
  config.head_dim = 32;
  Config rounded = config;
  rounded.kv_bits = 4;
  const Model model = build_model(config, RandomSource{});
  const Stages exact(config, 40, pool), four(rounded, 40, pool);
  KvCache cache(config, 40), cache4(rounded, 40);
  Activations a{embed(model, tiny_tokens(40)), {}}, a4 = a;
  for (const Stage stage : {Stage::attention_input, Stage::attend}) {
    exact.run(stage, model.blocks[0], a, cache);
    four.run(stage, model.blocks[0], a4, cache4);
  }
  const basin::HadamardTransform spread(32);
  Matrix clipped_keys = cache.keys;
  for (Index t = 0; t < 40; ++t)
    for (Index at = 0; at < cache.keys.cols(); at += 32) spread.apply(&clipped_keys(t, at));
  const auto check_rounded = [](const Matrix& got, const Matrix& x) {
    for (Index t = 0; t < x.rows(); ++t)
      for (Index at = 0; at < x.cols(); at += 32) {
        const auto head = x.row(t).segment(at, 32), decoded = got.row(t).segment(at, 32);
        const float low = std::min(0.0f, head.minCoeff()), high = std::max(0.0f, head.maxCoeff());
        // Half a step, a rounded zero point, and what clipping at 0.95 cuts off.
        const float bound = 0.95f * (high - low) / 15 + 0.05f * std::max(high, -low);
        CHECK((decoded - head).cwiseAbs().maxCoeff() <= 1.001f * bound);
        CHECK((decoded.array() != head.array()).any());
      }
  };
  const auto decoded = [](Kv4Heads& heads) {
    Matrix all(40, 64);
    for (Index head = 0; head < 2; ++head) best_kernels().kv4.dequantize(heads.head(head), 0, 40, &all(0, 32 * head), 64);
    return all;
  };
  check_rounded(decoded(cache4.keys4), clipped_keys);
  check_rounded(decoded(cache4.values4), cache.values);
  const float distance = (a4.input - a.input).norm() / a.input.norm();
  CAPTURE(distance);
  CHECK(distance > 0);
  CHECK(distance < 0.2f);  // queries that stayed as they were would not meet turned keys

  Config narrow = tiny_config();  // heads of 6
  narrow.kv_bits = 4;
  CHECK_THROWS_WITH(Stages(narrow, 5, pool), basin::test::contains_text("heads of 6"));
}

TEST_CASE("Attention straight from codes is that over what they stand for", "[examples][reference]") {
  support::ThreadPool pool(2);
  Config config = tiny_config();
  config.head_dim = 32;
  config.kv_bits = 4;
  const Model model = build_model(config, RandomSource{});
  const Stages stages(config, 150, pool);
  KvCache whole(config, 150), parts(config, 150);
  const Activations start{embed(model, tiny_tokens(150)), {}};
  Activations all = start;
  stages.attention_input(model.blocks[0], all);
  stages.attend(model.blocks[0], all, whole);
  // One by one, after a few and after many: keys and values are the same. Queries in steps of max / 127 shift scores by
  // about max |k| / (127 sqrt(12 d)), here 0.006, and what attention gives by as large a part; 8 times that is never seen.
  constexpr float bound = 0.05f;
  for (const Index first : {0, 7, 8, 140}) {
    parts.length = 0;
    Activations few{start.hidden.topRows(first), {}};
    if (first > 0) {
      stages.attention_input(model.blocks[0], few);
      stages.attend(model.blocks[0], few, parts);
    }
    for (Index t = first; t < first + 10; ++t) {
      Activations one{start.hidden.row(t), {}};
      stages.attention_input(model.blocks[0], one);
      stages.attend(model.blocks[0], one, parts);
      CAPTURE(first, t);
      CHECK(parts.length == t + 1);
      CHECK((one.input - all.input.row(t)).norm() <= bound * all.input.row(t).norm());
    }
  }
}

TEST_CASE("A quantized linear layer decodes by its formula", "[examples][reference]") {
  basin::test::Rng rng(3);
  basin::AdditiveLayer layer;
  layer.scheme = {.num_codebooks = 3, .bits_per_code = 2, .in_group_size = 4, .out_group_size = 2};
  layer.n_out = 6;
  layer.n_in = 10;  // the third group is padded by two
  const auto half = [&] { return basin::float_to_half(static_cast<float>(rng.normal())); };
  for (int i = 0; i < 3 * 3 * 3; ++i) layer.codes.push_back(static_cast<std::uint16_t>(rng.below(4)));
  for (int i = 0; i < 3 * 4 * 2 * 4; ++i) layer.codebooks.push_back(half());
  for (int i = 0; i < 3; ++i) layer.scales.push_back(half());
  const Matrix weight = Linear(layer).weight();
  REQUIRE(weight.rows() == 6);
  REQUIRE(weight.cols() == 10);
  for (std::size_t row = 0; row < 6; ++row)
    for (std::size_t col = 0; col < 10; ++col) {
      float sum = 0;
      for (std::size_t m = 0; m < 3; ++m) {
        const std::size_t code = layer.codes[((row / 2) * 3 + col / 4) * 3 + m];
        sum += basin::half_to_float(layer.codebooks[((m * 4 + code) * 2 + row % 2) * 4 + col % 4]);
      }
      CHECK(weight(Index(row), Index(col)) == sum * basin::half_to_float(layer.scales[row / 2]));
    }
}

TEST_CASE("The engine refuses what does not fit", "[examples][bad-input]") {
  using basin::test::contains_text;
  Config config = tiny_config();
  config.kv_heads = 3;
  CHECK_THROWS_WITH(config.check("m.gguf"), contains_text("multiple"));
  config = tiny_config();
  config.hidden = 0;
  CHECK_THROWS_WITH(config.check("m.gguf"), contains_text("m.gguf"));
  support::ThreadPool pool(1);
  const Model model = build_model(tiny_config(), RandomSource{});
  CHECK_THROWS_WITH(Stages(model.config, 401, pool), contains_text("context of 400"));
  CHECK_THROWS_WITH(embed(model, std::vector<Token>{31}), contains_text("token 31"));
  const Stages stages(model.config, 10, pool);
  CHECK_THROWS_WITH(Calibration(model, stages, tiny_tokens(9), 10), contains_text("10 tokens, got 9"));
  std::vector<KvCache> caches = caches_for(model, 4);
  CHECK_THROWS_WITH(forward(model, stages, tiny_tokens(5), caches), contains_text("cache of 4"));
  config = tiny_config();
  config.kv_bits = 4;
  caches.assign(2, KvCache(config, 10));
  CHECK_THROWS_WITH(forward(model, stages, tiny_tokens(5), caches), contains_text("disagree") && contains_text("--kv-bits 16"));
}
