// Nearest codewords, a k-means iteration and the greedy residual encoding, beside faiss.
//   assign/g<g>/fp32/native/<K>x<n>    k_means/...    greedy_encode/<scheme>/...
#include <basin/codebook/assign.hpp>
#include <basin/codebook/weighted_em.hpp>
#include <basin/core/scheme_text.hpp>
#include <basin/metric/euclidean_blocks.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/bench.hpp"
#include "support/faiss_peer.hpp"

namespace {
using basin::Index;
using Codes = std::vector<basin::Codes::value_type>;
using Matrix = basin::Matrix<float>;
namespace bench = basin::bench;

constexpr Index num_vectors = Index{1} << 17;

Matrix normal_matrix(Index rows, Index cols, std::uint64_t seed) {
  const bench::Buffer<float> values = bench::normal_floats(static_cast<std::size_t>(rows * cols), seed);
  return basin::ConstMatrixMap<float>(values.data(), rows, cols);
}

/// The argmin by two loops in double, and how far away it is.
std::pair<Index, double> plain_nearest(const float* v, const float* codewords, Index size, Index dim) {
  std::pair<Index, double> nearest{0, std::numeric_limits<double>::infinity()};
  for (Index k = 0; k < size; ++k) {
    double distance = 0;
    for (Index d = 0; d < dim; ++d) {
      const double difference = static_cast<double>(v[d]) - static_cast<double>(codewords[k * dim + d]);
      distance += difference * difference;
    }
    if (distance < nearest.second) nearest = {k, distance};
  }
  return nearest;
}

/// Every 7th code is the plain argmin's.
bool is_nearest(const Matrix& vectors, const Matrix& codewords, const Codes& codes) {
  for (Index n = 0; n < vectors.rows(); n += 7)
    if (plain_nearest(vectors.row(n).data(), codewords.data(), codewords.rows(), vectors.cols()).first !=
        codes[static_cast<std::size_t>(n)])
      return false;
  return true;
}

/// vectors_per_ns is 1000 M/s; x_faiss compares with faiss doing the same in this process, 0 without it.
void set_counters(benchmark::State& state, double nanoseconds, double faiss_nanoseconds, Index vectors = num_vectors) {
  state.counters["million_vectors_per_s"] = static_cast<double>(vectors) / nanoseconds * 1e3;
  if (faiss_nanoseconds > 0) state.counters["x_faiss"] = faiss_nanoseconds / nanoseconds;
}

/// What `measure` returns, once per name and process.
template <class Measure>
double once(const std::string& name, Measure&& measure) {
  static std::map<std::string, double> measured;
  const auto [entry, is_new] = measured.try_emplace(name);
  if (is_new) entry->second = measure();
  return entry->second;
}

double faiss_search_time(const Matrix& vectors, const Matrix& codewords) {
  if (!bench::has_faiss()) return 0;
  return once(bench::text("search ", codewords.rows(), ' ', codewords.cols()), [&] {
    const bench::FaissFlatIndex index(codewords.data(), static_cast<std::size_t>(codewords.rows()),
                                      static_cast<std::size_t>(codewords.cols()));
    const auto n = static_cast<std::size_t>(vectors.rows());
    std::vector<float> distances(n);
    std::vector<std::int64_t> codes(n);
    return bench::median_call([&] { index.search(vectors.data(), n, distances.data(), codes.data()); }, 3);
  });
}

void assign(benchmark::State& state, Index g, Index size) {
  const Matrix vectors = normal_matrix(num_vectors, g, 1), codewords = normal_matrix(size, g, 2);
  const basin::HessianBlocks blocks = basin::EuclideanBlocks::identity(g, g);
  Codes codes(static_cast<std::size_t>(num_vectors));
  basin::assign<float>(vectors, codewords, blocks, codes);
  if (!is_nearest(vectors, codewords, codes)) return bench::skip(state, "differs from the plain argmin in double");
  bench::CallTimes times;
  for (auto _ : state) times.measure([&] { basin::assign<float>(vectors, codewords, blocks, codes); });
  set_counters(state, times.median(), faiss_search_time(vectors, codewords));
}

void faiss_assign(benchmark::State& state, Index g, Index size) {
  const Matrix vectors = normal_matrix(num_vectors, g, 1), codewords = normal_matrix(size, g, 2);
  const bench::FaissFlatIndex index(codewords.data(), static_cast<std::size_t>(size), static_cast<std::size_t>(g));
  std::vector<float> distances(static_cast<std::size_t>(num_vectors));
  std::vector<std::int64_t> codes(distances.size());
  bench::CallTimes times;
  for (auto _ : state) times.measure([&] { index.search(vectors.data(), distances.size(), distances.data(), codes.data()); });
  set_counters(state, times.median(), 0);
}

/// One round of Lloyd's: means of the codes at hand, then new codes.
void k_means(benchmark::State& state, Index g, Index size) {
  const Matrix vectors = normal_matrix(num_vectors, g, 1);
  const basin::HessianBlocks blocks = basin::EuclideanBlocks::identity(g, g);
  basin::Clustering<float> start{vectors.topRows(size), Codes(static_cast<std::size_t>(num_vectors))};
  basin::assign<float>(vectors, start.codewords, blocks, start.codes);
  const basin::WeightedEm lloyd{.max_rounds = 1};
  basin::Clustering<float> moved = start;
  lloyd.refine<float>(vectors, blocks, {}, moved);
  basin::Matrix<double> means = basin::Matrix<double>::Zero(size, g);
  std::vector<double> counts(static_cast<std::size_t>(size));
  for (Index n = 0; n < num_vectors; ++n) {
    means.row(start.codes[static_cast<std::size_t>(n)]) += vectors.row(n).cast<double>();
    ++counts[start.codes[static_cast<std::size_t>(n)]];
  }
  for (Index k = 0; k < size; ++k) means.row(k) /= counts[static_cast<std::size_t>(k)];
  if (!((moved.codewords.cast<double>() - means).cwiseAbs().maxCoeff() < 1e-6))
    return bench::skip(state, "codewords differ from plain means");
  if (!is_nearest(vectors, moved.codewords, moved.codes)) return bench::skip(state, "differs from the plain argmin in double");

  bench::CallTimes times;
  for (auto _ : state) {
    moved = start;
    times.measure([&] { lloyd.refine<float>(vectors, blocks, {}, moved); });
  }
  const double faiss_time = !bench::has_faiss() ? 0 : once(bench::text("k_means ", size, ' ', g), [&] {
    const std::vector<float> first(start.codewords.data(), start.codewords.data() + start.codewords.size());
    const auto run = [&](int iterations) {
      return bench::median_call(
          [&] {
            bench::faiss_k_means(vectors.data(), static_cast<std::size_t>(num_vectors), static_cast<std::size_t>(g),
                                 static_cast<std::size_t>(size), iterations, first);
          },
          3);
    };
    return (run(6) - run(2)) / 4;  // of an iteration, without what comes before the first
  });
  set_counters(state, times.median(), faiss_time);
}

/// left[n] = vectors[n] - codewords[codes[n]]; left may be vectors.
template <int Dim>
void subtract_codewords(const float* vectors, const Matrix& codewords, std::span<const basin::Codes::value_type> codes, float* left) {
  using Row = Eigen::Array<float, 1, Dim>;
  const Index dim = codewords.cols();
  for (std::size_t n = 0; n < codes.size(); ++n, vectors += dim, left += dim)
    Eigen::Map<Row>(left, 1, dim) = Eigen::Map<const Row>(vectors, 1, dim) - Eigen::Map<const Row>(codewords.data() + codes[n] * dim, 1, dim);
}

/// Each codebook encodes what the earlier ones leave, in runs of vectors that stay in the second-level cache.
void greedy_encode(const Matrix& vectors, const std::vector<Matrix>& codebooks, const basin::HessianBlocks& blocks,
                   std::vector<Codes>& codes) {
  constexpr Index run = 1 << 14;
  const Index dim = vectors.cols();
  Matrix residual(run, dim);
  for (Index begin = 0; begin < vectors.rows(); begin += run) {
    const Index count = std::min(run, vectors.rows() - begin);
    const float* left = vectors.row(begin).data();
    for (std::size_t m = 0; m < codebooks.size(); ++m) {
      const std::span<basin::Codes::value_type> own(codes[m].data() + begin, static_cast<std::size_t>(count));
      basin::assign<float>(basin::ConstMatrixMap<float>(left, count, dim), codebooks[m], blocks, own);
      if (m + 1 == codebooks.size()) break;
      if (dim == 8)
        subtract_codewords<8>(left, codebooks[m], own, residual.data());
      else
        subtract_codewords<Eigen::Dynamic>(left, codebooks[m], own, residual.data());
      left = residual.data();
    }
  }
}

/// Codebooks that k-means finds for what the earlier ones leave of other vectors than those encoded.
std::vector<Matrix> trained_codebooks(const basin::Scheme& scheme) {
  const basin::HessianBlocks blocks = basin::EuclideanBlocks::identity(scheme.in_group_size, scheme.in_group_size);
  std::vector<Matrix> codebooks;
  Matrix residual = normal_matrix(32768, scheme.in_group_size, 3);
  for (int m = 0; m < scheme.num_codebooks; ++m) {
    basin::Clustering<float> found{residual.topRows(scheme.codebook_size()), Codes(static_cast<std::size_t>(residual.rows()))};
    basin::assign<float>(residual, found.codewords, blocks, found.codes);
    basin::WeightedEm{.max_rounds = 10}.refine<float>(residual, blocks, {}, found);
    for (Index n = 0; n < residual.rows(); ++n) residual.row(n) -= found.codewords.row(found.codes[static_cast<std::size_t>(n)]);
    codebooks.push_back(found.codewords);
  }
  return codebooks;
}

/// |v - decoded|^2 / |v|^2 over all vectors.
double relative_error(const Matrix& vectors, const std::vector<Matrix>& codebooks, const std::vector<Codes>& codes) {
  double error = 0;
  for (Index n = 0; n < vectors.rows(); ++n) {
    basin::Matrix<double> left = vectors.row(n).cast<double>();
    for (std::size_t m = 0; m < codebooks.size(); ++m) left -= codebooks[m].row(codes[m][static_cast<std::size_t>(n)]).cast<double>();
    error += left.squaredNorm();
  }
  return error / vectors.cast<double>().squaredNorm();
}

std::vector<float> joined(const std::vector<Matrix>& codebooks) {
  std::vector<float> values;
  for (const Matrix& codebook : codebooks) values.insert(values.end(), codebook.data(), codebook.data() + codebook.size());
  return values;
}

double faiss_encode_time(const Matrix& vectors, const std::vector<Matrix>& codebooks, const basin::Scheme& scheme) {
  if (!bench::has_faiss()) return 0;
  return once(bench::text("encode ", basin::to_string(scheme)), [&] {
    const auto n = static_cast<std::size_t>(vectors.rows());
    const bench::FaissResidualQuantizer peer(joined(codebooks), static_cast<std::size_t>(scheme.in_group_size), codebooks.size(),
                                             static_cast<std::size_t>(scheme.bits_per_code), 1);
    std::vector<std::uint8_t> codes(n * peer.code_size());
    return bench::median_call([&] { peer.encode(vectors.data(), n, codes.data()); }, 3);
  });
}

void greedy_encode(benchmark::State& state, const basin::Scheme& scheme) {
  const Index g = scheme.in_group_size;
  const Matrix vectors = normal_matrix(num_vectors, g, 1);
  const std::vector<Matrix> codebooks = trained_codebooks(scheme);
  const basin::HessianBlocks blocks = basin::EuclideanBlocks::identity(g, g);
  std::vector<Codes> codes(codebooks.size(), Codes(static_cast<std::size_t>(num_vectors)));
  greedy_encode(vectors, codebooks, blocks, codes);
  Matrix residual = vectors;
  for (std::size_t m = 0; m < codebooks.size(); ++m) {
    if (!is_nearest(residual, codebooks[m], codes[m])) return bench::skip(state, "differs from the plain argmin in double");
    for (Index n = 0; n < num_vectors; ++n) residual.row(n) -= codebooks[m].row(codes[m][static_cast<std::size_t>(n)]);
  }
  bench::CallTimes times;
  for (auto _ : state) times.measure([&] { greedy_encode(vectors, codebooks, blocks, codes); });
  set_counters(state, times.median(), faiss_encode_time(vectors, codebooks, scheme));
  state.counters["relative_error"] = relative_error(vectors, codebooks, codes);
}

/// The same codebooks in faiss: encoding with a beam, or decoding what it encoded.
void faiss_residual(benchmark::State& state, const basin::Scheme& scheme, int beam_size, bool decodes) {
  const Matrix vectors = normal_matrix(num_vectors / 8, scheme.in_group_size, 1);
  const std::vector<Matrix> codebooks = trained_codebooks(scheme);
  const bench::FaissResidualQuantizer peer(joined(codebooks), static_cast<std::size_t>(scheme.in_group_size), codebooks.size(),
                                           static_cast<std::size_t>(scheme.bits_per_code), beam_size);
  const auto n = static_cast<std::size_t>(vectors.rows());
  std::vector<std::uint8_t> codes(n * peer.code_size());
  Matrix decoded(vectors.rows(), vectors.cols());
  peer.encode(vectors.data(), n, codes.data());
  peer.decode(codes.data(), n, decoded.data());
  bench::CallTimes times;
  for (auto _ : state)
    times.measure([&] {
      if (decodes)
        peer.decode(codes.data(), n, decoded.data());
      else
        peer.encode(vectors.data(), n, codes.data());
    });
  set_counters(state, times.median(), 0, vectors.rows());
  state.counters["relative_error"] = static_cast<double>((vectors - decoded).squaredNorm() / vectors.squaredNorm());
}

void add_all() {
  const std::vector<std::pair<Index, Index>> sizes = {{8, 256}, {8, 16}, {8, 64}, {8, 4096}, {4, 256}, {16, 256}};
  for (const auto& [g, size] : sizes) {
    const auto name = [g = g, size = size](const char* operation, const char* path) {
      return bench::text(operation, "/g", g, "/fp32/", path, '/', size, 'x', num_vectors);
    };
    bench::add(name("assign", "native"), [g = g, size = size](benchmark::State& state) { assign(state, g, size); });
    if (bench::has_faiss())
      bench::add(name("assign", "faiss"), [g = g, size = size](benchmark::State& state) { faiss_assign(state, g, size); });
    if (size < 4096)
      bench::add(name("k_means", "native"), [g = g, size = size](benchmark::State& state) { k_means(state, g, size); });
  }
  for (const basin::Scheme scheme : {basin::Scheme{2, 8, 8}, basin::Scheme{4, 4, 8}, basin::Scheme{2, 6, 8}}) {
    const auto name = [scheme](const char* operation, const char* path) {
      return bench::text(operation, '/', basin::to_string(scheme), "/fp32/", path, '/', scheme.codebook_size(), 'x', num_vectors);
    };
    bench::add(name("greedy_encode", "native"), [scheme](benchmark::State& state) { greedy_encode(state, scheme); });
    if (!bench::has_faiss()) continue;
    for (const int beam_size : {1, 8})
      bench::add(bench::text(name("residual_encode", "faiss"), "/beam", beam_size),
                 [scheme, beam_size](benchmark::State& state) { faiss_residual(state, scheme, beam_size, false); });
    bench::add(name("residual_decode", "faiss"), [scheme](benchmark::State& state) { faiss_residual(state, scheme, 1, true); });
  }
}
}  // namespace

int main(int argc, char** argv) {
  return basin::bench::run(argc, argv, add_all);
}
