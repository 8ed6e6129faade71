#include "support/faiss_peer.hpp"

#if defined(BASIN_BENCH_FAISS)
#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>
#include <faiss/impl/ResidualQuantizer.h>
#include <omp.h>

#include "support/openblas.hpp"

namespace basin::bench {
namespace {
void use_one_thread() {
  omp_set_num_threads(1);
  use_one_openblas_thread();
}
}  // namespace

bool has_faiss() noexcept {
  return true;
}

struct FaissFlatIndex::Parts {
  faiss::IndexFlatL2 index;
};
FaissFlatIndex::FaissFlatIndex(const float* codewords, std::size_t size, std::size_t dim)
    : parts_(new Parts{faiss::IndexFlatL2(static_cast<std::int64_t>(dim))}) {
  use_one_thread();
  parts_->index.add(static_cast<std::int64_t>(size), codewords);
}
FaissFlatIndex::~FaissFlatIndex() = default;
void FaissFlatIndex::search(const float* vectors, std::size_t n, float* distances, std::int64_t* codes) const {
  parts_->index.search(static_cast<std::int64_t>(n), vectors, 1, distances, codes);
}

void faiss_k_means(const float* vectors, std::size_t n, std::size_t dim, std::size_t size, int iterations,
                   const std::vector<float>& start) {
  use_one_thread();
  faiss::ClusteringParameters parameters;
  parameters.niter = iterations;
  parameters.max_points_per_centroid = static_cast<int>(n / size + 1);
  faiss::Clustering clustering(static_cast<int>(dim), static_cast<int>(size), parameters);
  clustering.centroids = start;
  faiss::IndexFlatL2 index(static_cast<std::int64_t>(dim));
  clustering.train(static_cast<std::int64_t>(n), vectors, index);
}

struct FaissResidualQuantizer::Parts {
  faiss::ResidualQuantizer quantizer;
};
FaissResidualQuantizer::FaissResidualQuantizer(const std::vector<float>& codebooks, std::size_t dim, std::size_t num_codebooks,
                                               std::size_t bits, int beam_size)
    : parts_(new Parts{faiss::ResidualQuantizer(dim, num_codebooks, bits)}) {
  use_one_thread();
  faiss::ResidualQuantizer& quantizer = parts_->quantizer;
  quantizer.codebooks = codebooks;
  quantizer.is_trained = true;
  quantizer.max_beam_size = beam_size;
  quantizer.compute_codebook_tables();
}
FaissResidualQuantizer::~FaissResidualQuantizer() = default;
std::size_t FaissResidualQuantizer::code_size() const {
  return parts_->quantizer.code_size;
}
void FaissResidualQuantizer::encode(const float* vectors, std::size_t n, std::uint8_t* codes) const {
  parts_->quantizer.compute_codes(vectors, codes, n);
}
void FaissResidualQuantizer::decode(const std::uint8_t* codes, std::size_t n, float* vectors) const {
  parts_->quantizer.decode(codes, vectors, n);
}
}  // namespace basin::bench

#else

namespace basin::bench {
bool has_faiss() noexcept {
  return false;
}
struct FaissFlatIndex::Parts {};
FaissFlatIndex::FaissFlatIndex(const float*, std::size_t, std::size_t) {}
FaissFlatIndex::~FaissFlatIndex() = default;
void FaissFlatIndex::search(const float*, std::size_t, float*, std::int64_t*) const {}

void faiss_k_means(const float*, std::size_t, std::size_t, std::size_t, int, const std::vector<float>&) {}

struct FaissResidualQuantizer::Parts {};
FaissResidualQuantizer::FaissResidualQuantizer(const std::vector<float>&, std::size_t, std::size_t, std::size_t, int) {}
FaissResidualQuantizer::~FaissResidualQuantizer() = default;
std::size_t FaissResidualQuantizer::code_size() const {
  return 0;
}
void FaissResidualQuantizer::encode(const float*, std::size_t, std::uint8_t*) const {}
void FaissResidualQuantizer::decode(const std::uint8_t*, std::size_t, float*) const {}
}  // namespace basin::bench

#endif
