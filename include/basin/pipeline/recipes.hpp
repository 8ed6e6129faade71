#pragma once

#include <basin/codebook/adam.hpp>
#include <basin/codebook/least_squares.hpp>
#include <basin/init/greedy.hpp>
#include <basin/init/oa_em.hpp>
#include <basin/metric/conditional_blocks.hpp>
#include <basin/metric/diagonal_blocks.hpp>
#include <basin/pipeline/quantizer.hpp>
#include <basin/search/beam.hpp>
#include <basin/search/joint_beam.hpp>

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

}  // namespace basin::recipes
