#pragma once

#include <basin/codebook/adam.hpp>
#include <basin/codebook/least_squares.hpp>
#include <basin/codebook/level_scales.hpp>
#include <basin/init/fixed_levels.hpp>
#include <basin/init/greedy.hpp>
#include <basin/init/oa_em.hpp>
#include <basin/levels/mirror_no_zero.hpp>
#include <basin/levels/symmetric_integer.hpp>
#include <basin/metric/conditional_blocks.hpp>
#include <basin/metric/diagonal_blocks.hpp>
#include <basin/metric/euclidean_blocks.hpp>
#include <basin/pipeline/quantizer.hpp>
#include <basin/pipeline/searched.hpp>
#include <basin/search/beam.hpp>
#include <basin/search/error_feedback.hpp>
#include <basin/search/joint_beam.hpp>
#include <basin/search/level_beam.hpp>
#include <basin/search/subset_beam.hpp>
#include <basin/transform/hadamard.hpp>

#include <cstdint>

namespace basin::recipes {
/// Our best: row-weighted OA-EM under conditional blocks with two sweeps, joint search in shuffled
/// order, exact least squares.
using Recommended = Quantizer<ConditionalBlocks, OaEm, JointBeam, LeastSquares>;
[[nodiscard]] inline Recommended recommended(const QuantizerOptions& options = {}) {
  return {ConditionalBlocks{}, OaEm{.row_weighting = true, .sweeps = 2}, JointBeam{.order = VisitOrder::shuffled},
          LeastSquares{}, options};
}

/// AQLM as published: residual k-means, Adam, one code at a time.
using Aqlm = Quantizer<DiagonalBlocks, Greedy, BeamSearch, AdamUpdate>;
[[nodiscard]] inline Aqlm aqlm(const QuantizerOptions& options = {}) {
  return {DiagonalBlocks{}, Greedy{}, BeamSearch{.beam_size = 4}, AdamUpdate{}, options};
}

/// OA-EM as published: Adam in the M-step, blocks of the Hessian's diagonal damped by 1 %.
using PaperOaEm = Quantizer<DiagonalBlocks, OaEm, BeamSearch, AdamUpdate>;
[[nodiscard]] inline PaperOaEm paper_oa_em(const QuantizerOptions& options = {}) {
  return {DiagonalBlocks{}, OaEm{.rounds = 3, .m_step = MStep::adam, .kmeans = {.max_iterations = 100}},
          BeamSearch{.beam_size = 4}, AdamUpdate{}, options};
}

/// Scalar levels of rotated inputs, our best: several hypotheses per row to start with, then subsets of the codes at
/// hand, scales by least squares between. The result is the weight of inputs that went through
/// HadamardTransform(n_in, {.sign_seed = options.seed}); any level set goes in.
///
///     recipes::qift(W.cols()).quantize(W, H, MirrorNoZero{})
using Qift = Quantizer<EuclideanBlocks, Searched<FixedLevels, LevelBeam>, SubsetBeam, LevelScales, HadamardTransform>;
[[nodiscard]] inline Qift qift(Index n_in, const QuantizerOptions& options = {}) {
  return {EuclideanBlocks{}, Searched{FixedLevels{.refinements = 10}, LevelBeam{}}, SubsetBeam{}, LevelScales{}, options,
          HadamardTransform(n_in, {.sign_seed = options.seed})};
}

/// Qift as published: scales of the clip search, one pass of GPTQ.
using PaperQift = Quantizer<EuclideanBlocks, FixedLevels, ErrorFeedback, LevelScales, HadamardTransform>;
[[nodiscard]] inline PaperQift paper_qift(Index n_in, std::uint64_t seed = 0) {
  return {EuclideanBlocks{}, FixedLevels{}, ErrorFeedback{}, LevelScales{}, {.max_epochs = 0, .seed = seed},
          HadamardTransform(n_in, {.sign_seed = seed})};
}

/// What an engine keeps of one of Qift's models: weights by `quantizer`, inputs of its layers in activation_bits, keys and
/// values in kv_bits; 16: as they are.
struct QiftSystem {
  Qift quantizer;
  int activation_bits = 16;
  int kv_bits = 16;

  /// As Quantizer::quantize.
  template <class Levels = MirrorNoZero>
  [[nodiscard]] auto quantize(ConstMatrixRef<float> weight, ConstMatrixRef<double> hessian, const RunContext& context = {}) const {
    return quantizer.quantize(weight, hessian, Levels{}, context);
  }
};
/// Two-bit weights, activations as they are.
[[nodiscard]] inline QiftSystem qift_w2a16(Index n_in, const QuantizerOptions& options = {}) { return {qift(n_in, options), 16, 16}; }
/// Two-bit weights, and activations, keys and values in four.
[[nodiscard]] inline QiftSystem qift_w2a4(Index n_in, const QuantizerOptions& options = {}) { return {qift(n_in, options), 4, 4}; }

/// Two-bit weights in most blocks, four-bit integers in those that most_sensitive or within_budget chose.
struct QiftMixed {
  QiftSystem system;

  /// The same type of weight either way.
  template <class Low = MirrorNoZero, class High = SymmetricInteger<4>>
  [[nodiscard]] auto quantize(ConstMatrixRef<float> weight, ConstMatrixRef<double> hessian, bool is_high, const RunContext& context = {}) const {
    return is_high ? system.quantize<High>(weight, hessian, context) : system.quantize<Low>(weight, hessian, context);
  }
};
[[nodiscard]] inline QiftMixed qift_mixed(Index n_in, const QuantizerOptions& options = {}) { return {qift_w2a4(n_in, options)}; }

}  // namespace basin::recipes
