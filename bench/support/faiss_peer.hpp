#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

/// faiss as a line to read our figures by, where the build found it. It runs one thread.
namespace basin::bench {
/// False where the build did not find faiss; then nothing below may be called.
[[nodiscard]] bool has_faiss() noexcept;

/// IndexFlatL2 over `size` codewords: the nearest of each of n vectors.
class FaissFlatIndex {
 public:
  FaissFlatIndex(const float* codewords, std::size_t size, std::size_t dim);
  ~FaissFlatIndex();
  void search(const float* vectors, std::size_t n, float* distances, std::int64_t* codes) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// `iterations` of its k-means over all n vectors, from the given codewords.
void faiss_k_means(const float* vectors, std::size_t n, std::size_t dim, std::size_t size, int iterations,
                   const std::vector<float>& start);

/// Its ResidualQuantizer with our codebooks: [M, K, dim], K = 2^bits.
class FaissResidualQuantizer {
 public:
  FaissResidualQuantizer(const std::vector<float>& codebooks, std::size_t dim, std::size_t num_codebooks, std::size_t bits,
                         int beam_size);
  ~FaissResidualQuantizer();
  [[nodiscard]] std::size_t code_size() const;
  void encode(const float* vectors, std::size_t n, std::uint8_t* codes) const;
  void decode(const std::uint8_t* codes, std::size_t n, float* vectors) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace basin::bench
