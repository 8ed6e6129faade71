#include <basin/transform/fuse_rotation.hpp>  // first: proves the header stands alone

#include <cmath>
#include <cstddef>
#include <limits>
#include <stop_token>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/random.hpp"

using namespace basin;

namespace {
struct Sizes {
  Index hidden, ffn, heads, kv_heads, head_dim, vocab = 13;
};

/// A model in the memory of a host.
template <class T>
struct Host {
  struct Block {
    Vector<T> attention_norm, ffn_norm;
    Matrix<T> q, k, v, o, gate, up, down;
  };
  Sizes sizes;
  Matrix<T> embedding, head;
  Vector<T> final_norm;
  std::vector<Block> blocks;

  explicit Host(const Sizes& s, Index num_blocks = 2) : sizes(s) {
    test::Rng rng(1);
    const auto matrix = [&](Index rows, Index cols) -> Matrix<T> {
      return test::normal_matrix<T>(rows, cols, rng) / static_cast<T>(std::sqrt(static_cast<double>(cols)));
    };
    const auto norm = [&]() -> Vector<T> { return Vector<T>::Ones(s.hidden) + T(0.3) * test::normal_vector<T>(s.hidden, rng); };
    embedding = matrix(s.vocab, s.hidden);
    head = matrix(s.vocab, s.hidden);
    final_norm = norm();
    for (Index b = 0; b < num_blocks; ++b)
      blocks.push_back({norm(), norm(), matrix(s.heads * s.head_dim, s.hidden), matrix(s.kv_heads * s.head_dim, s.hidden),
                        matrix(s.kv_heads * s.head_dim, s.hidden), matrix(s.hidden, s.heads * s.head_dim), matrix(s.ffn, s.hidden),
                        matrix(s.ffn, s.hidden), matrix(s.hidden, s.ffn)});
  }
  LlamaTensors<T> tensors() {
    LlamaTensors<T> views{embedding, {}, final_norm, head};
    for (Block& b : blocks)
      views.blocks.push_back({b.attention_norm, b.q, b.k, b.v, b.o, b.ffn_norm, b.gate, b.up, b.down});
    return views;
  }
};

template <class T>
Matrix<T> normed(const Matrix<T>& x, const Vector<T>& gain) {
  Matrix<T> y = x;
  for (Index t = 0; t < x.rows(); ++t)
    y.row(t) = x.row(t).cwiseProduct(gain.transpose()) / std::sqrt(x.row(t).squaredNorm() / static_cast<T>(x.cols()) + T(1e-5));
  return y;
}
template <class T>
void rotary(Matrix<T>& x, Index head_dim) {
  const Index half = head_dim / 2;
  for (Index t = 0; t < x.rows(); ++t)
    for (Index at = 0; at < x.cols(); at += head_dim)
      for (Index i = 0; i < half; ++i) {
        const T angle = static_cast<T>(t) * static_cast<T>(std::pow(100.0, -static_cast<double>(i) / static_cast<double>(half)));
        const T a = x(t, at + i), b = x(t, at + i + half);
        x(t, at + i) = a * std::cos(angle) - b * std::sin(angle);
        x(t, at + i + half) = b * std::cos(angle) + a * std::sin(angle);
      }
}
/// Logits of a few tokens; `online` is what an engine adds for a rotated model.
template <class T>
Matrix<T> logits(const Host<T>& model, const std::vector<OnlineTransform>& online) {
  const Sizes& s = model.sizes;
  const auto run = [&](OnlineStage stage, Matrix<T>& x) {
    for (const OnlineTransform& part : online)
      if (part.stage == stage)
        for (Index t = 0; t < x.rows(); ++t) part.apply(x.row(t).data(), x.cols());
  };
  Matrix<T> hidden = model.embedding.topRows(7);
  for (const auto& block : model.blocks) {
    Matrix<T> input = normed<T>(hidden, block.attention_norm);
    Matrix<T> q = input * block.q.transpose(), k = input * block.k.transpose();
    const Matrix<T> v = input * block.v.transpose();
    rotary(q, s.head_dim);
    rotary(k, s.head_dim);
    run(OnlineStage::queries_and_keys, q);
    run(OnlineStage::queries_and_keys, k);
    Matrix<T> attended(q.rows(), q.cols());
    for (Index h = 0; h < s.heads; ++h) {
      const Index kv = h / (s.heads / s.kv_heads) * s.head_dim;
      Matrix<T> scores = q.middleCols(h * s.head_dim, s.head_dim) * k.middleCols(kv, s.head_dim).transpose();
      for (Index t = 0; t < scores.rows(); ++t) {
        scores.row(t).head(t + 1) = (scores.row(t).head(t + 1).array() / std::sqrt(static_cast<T>(s.head_dim))).exp();
        scores.row(t).tail(scores.cols() - t - 1).setZero();
        scores.row(t) /= scores.row(t).sum();
      }
      attended.middleCols(h * s.head_dim, s.head_dim) = scores * v.middleCols(kv, s.head_dim);
    }
    run(OnlineStage::attention_output, attended);
    hidden += attended * block.o.transpose();
    input = normed<T>(hidden, block.ffn_norm);
    const Matrix<T> gate = input * block.gate.transpose(), up = input * block.up.transpose();
    Matrix<T> activation = gate.array() / (1 + (-gate.array()).exp()) * up.array();
    run(OnlineStage::ffn_activation, activation);
    hidden += activation * block.down.transpose();
  }
  return normed<T>(hidden, model.final_norm) * model.head.transpose();
}
}  // namespace

TEMPLATE_TEST_CASE("A fused rotation leaves the logits as they are", "[transform][property]", float, double) {
  using T = TestType;
  const Sizes sizes = GENERATE(Sizes{24, 40, 4, 2, 8}, Sizes{16, 48, 2, 2, 16}, Sizes{36, 56, 9, 3, 4},  // 9 heads have none
                               Sizes{18, 22, 3, 1, 6});                                              // nothing has one
  const bool heads = GENERATE(true, false), ffn = GENERATE(true, false), keys = GENERATE(true, false);
  CAPTURE(sizes.hidden, heads, ffn, keys);
  Host<T> model(sizes);
  const Matrix<T> want = logits<T>(model, {});
  const FusedRotation fused = fuse_rotation(model.tensors(), {.head_dim = sizes.head_dim, .seed = 3, .rotate_heads = heads,
                                                              .rotate_ffn = ffn, .rotate_queries_and_keys = keys});
  REQUIRE(fused.online.size() == static_cast<std::size_t>(heads) + static_cast<std::size_t>(ffn) + static_cast<std::size_t>(keys));
  const Matrix<T> got = logits<T>(model, fused.online);
  // A few hundred roundings of T in two blocks.
  CHECK((got - want).norm() <= 300 * std::numeric_limits<T>::epsilon() * want.norm());
  CHECK((model.final_norm.array() == 1).all());
  for (const auto& block : model.blocks) {
    CHECK((block.attention_norm.array() == 1).all());
    CHECK((block.ffn_norm.array() == 1).all());
  }
  // The online parts are needed, except that of queries and keys, which cancels.
  if (heads || ffn) CHECK((logits<T>(model, {}) - want).norm() > 0.01 * want.norm());
}

TEST_CASE("Every weight is rotated, the stream by the seed", "[transform][property]") {
  const Sizes sizes{24, 40, 4, 2, 8};
  const Host<double> start(sizes);
  Host<double> one = start, same = start, other = start;
  (void)fuse_rotation(one.tensors(), {.head_dim = 8, .seed = 1});
  test::Threads threads{3};
  (void)fuse_rotation(same.tensors(), {.head_dim = 8, .seed = 1}, {.executor = threads});
  (void)fuse_rotation(other.tensors(), {.head_dim = 8, .seed = 2});
  CHECK(one.embedding == same.embedding);
  CHECK(one.embedding != other.embedding);
  for (std::size_t b = 0; b < 2; ++b)
    for (const auto part : {&Host<double>::Block::q, &Host<double>::Block::k, &Host<double>::Block::v, &Host<double>::Block::o,
                            &Host<double>::Block::gate, &Host<double>::Block::up, &Host<double>::Block::down}) {
      CHECK(one.blocks[b].*part != start.blocks[b].*part);
      CHECK(one.blocks[b].*part == same.blocks[b].*part);
    }
}

TEST_CASE("The list of online transforms says where, how and of what size", "[transform][property]") {
  Host<float> model({24, 40, 4, 2, 8});
  const FusedRotation fused = fuse_rotation(model.tensors(), {.head_dim = 8, .seed = 5});
  REQUIRE(fused.online.size() == 3);
  CHECK(fused.online[0].stage == OnlineStage::queries_and_keys);
  CHECK(fused.online[0].transform.size() == 8);
  CHECK(fused.online[1].stage == OnlineStage::attention_output);
  CHECK(fused.online[1].transform.size() == 4);
  CHECK(fused.online[1].inner == 8);
  CHECK(fused.online[2].stage == OnlineStage::ffn_activation);
  CHECK(fused.online[2].transform.size() == 40);
  CHECK(fused.description() ==
        "residual stream: Hadamard of order 24 = 12 (Paley I) x 2, random signs from seed 5\n"
        "queries and keys: Hadamard of order 8\n"
        "attention output across heads: Hadamard of order 4\n"
        "feed-forward activation: Hadamard of order 40 = 20 (Paley I) x 2");
}

TEST_CASE("Tensors may be parts of larger ones", "[transform][property]") {
  const Sizes sizes{16, 32, 2, 2, 8};
  Host<double> plain(sizes), padded(sizes);
  Matrix<double> wide = Matrix<double>::Constant(32, 20, 7);
  wide.leftCols(16) = padded.blocks[0].gate;
  auto tensors = padded.tensors();
  auto& b = padded.blocks[0];
  tensors.blocks.clear();
  tensors.blocks.push_back({b.attention_norm, b.q, b.k, b.v, b.o, b.ffn_norm, wide.leftCols(16), b.up, b.down});
  (void)fuse_rotation(tensors, {.head_dim = 8});
  (void)fuse_rotation(plain.tensors(), {.head_dim = 8});
  CHECK(wide.leftCols(16) == plain.blocks[0].gate);
  CHECK((wide.rightCols(4).array() == 7).all());
}

TEST_CASE("fuse_rotation refuses models that do not fit, and changes none of them", "[transform][bad-input]") {
  const Sizes sizes{24, 40, 4, 2, 8};
  const Host<float> start(sizes);
  Host<float> model = start;
  const auto refuses = [&](const FusionOptions& options, const std::string& text) {
    CHECK_THROWS_WITH(fuse_rotation(model.tensors(), options), test::contains_text(text));
    CHECK(model.embedding == start.embedding);
    CHECK(model.blocks[0].q == start.blocks[0].q);
  };
  refuses({.head_dim = 7}, "head dimension of 7 does not divide");
  refuses({}, "head dimension of 0");
  model.blocks[1].down.resize(24, 39);
  refuses({.head_dim = 8}, "down must be [24, 40], got [24, 39]");
  model = start;
  model.blocks[1].v.resize(8, 24);
  refuses({.head_dim = 8}, "v must be [16, 24], got [8, 24]");
  model = start;
  model.final_norm.resize(23);
  refuses({.head_dim = 8}, "the final norm must be [24, 1]");
  model = start;
  model.blocks.clear();
  CHECK_THROWS_WITH(fuse_rotation(model.tensors(), {.head_dim = 8}), test::contains_text("no blocks"));
  model = start;
  auto tied = model.tensors();
  LlamaTensors<float> views{model.embedding, tied.blocks, model.final_norm, model.embedding};
  CHECK_THROWS_WITH(fuse_rotation(views, {.head_dim = 8}), test::contains_text("give it a copy"));
  Host<float> nine({36, 56, 9, 3, 4});
  CHECK_THROWS_WITH(fuse_rotation(nine.tensors(), {.head_dim = 4, .require_hadamard = true}),
                    test::contains_text("no Hadamard matrix of order 9"));
  std::stop_source stopped;
  stopped.request_stop();
  CHECK_THROWS_AS(fuse_rotation(model.tensors(), {.head_dim = 8}, {.stop = stopped.get_token()}), Cancelled);
  CHECK(model.embedding == start.embedding);
}
