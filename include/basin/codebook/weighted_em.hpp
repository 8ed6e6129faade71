#pragma once

#include <basin/codebook/assign.hpp>
#include <basin/codebook/cluster_statistics.hpp>
#include <basin/codebook/codes.hpp>
#include <basin/codebook/m_step.hpp>
#include <basin/codebook/reseed.hpp>
#include <basin/core/error.hpp>
#include <basin/core/run_context.hpp>
#include <basin/core/types.hpp>
#include <basin/metric/hessian_blocks.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace basin {
/// Codewords and the codes of the vectors they stand for.
template <std::floating_point T>
struct Clustering {
  Matrix<T> codewords;                     ///< [K, D]
  std::vector<Codes::value_type> codes;    ///< [N]
};

/// What weighted_em did.
struct EmReport {
  Index rounds = 0;               ///< M- and E-steps made
  std::vector<double> trace;      ///< F at the start and after every half-step, if recorded
  std::vector<std::uint8_t> dead; ///< [K], 1 where no vector has this code in the end
};

/// Hard EM under one metric per input group: k-means, weighted k-means and OA-EM in one.
///
///     F(C, z) = sum_n w_n d_j(n)(v_n, C[z_n]);   round: M-step (C given z), then E-step (z given C)
///
/// Shapes    vectors: [N, D], N = O * J, group (o, j) in row o * J + j;  codewords: [K, D];
///           codes: [N];  row_weights: [O], empty for ones.
/// Units     F in those of the metric times squared vectors.
/// Cost      a round is one assign() plus N D additions; statistics are streamed, nothing is N K.
/// Accuracy  with MStep::exact F never rises in a half-step. Bit-identical for every executor.
/// Source    OA-EM, arXiv:2604.08118; with one identity block Lloyd's k-means.
struct WeightedEm {
  Index max_rounds = 3;
  MStep m_step = MStep::exact;
  AdamSteps adam{};
  EmptyClusters empty = EmptyClusters::keep;
  /// Stop after a round that lowers F by less than this fraction; 0 never does.
  double tolerance = 0;
  /// Every so many rounds stop if no codeword moves by more than 1e-8 + 1e-6 |c|; 0 never does.
  Index movement_check_interval = 0;
  bool record_trace = false;

  /// Improves a clustering. Stops early where another round would change nothing.
  /// @throws ShapeError if the sizes do not fit. @throws Cancelled between rounds.
  template <std::floating_point T>
  EmReport refine(ConstMatrixRef<T> vectors, const HessianBlocks& blocks, const Vector<double>& row_weights,
                  Clustering<T>& clustering, const RunContext& context = {}) const {
    Matrix<T>& codewords = clustering.codewords;
    std::vector<Codes::value_type>& codes = clustering.codes;
    detail::check_clustering_shapes(vectors.rows(), vectors.cols(), codewords.rows(), codewords.cols(), blocks,
                                    codes.size());
    if (row_weights.size() != 0 && row_weights.size() * blocks.num_groups() != vectors.rows())
      raise<ShapeError>("WeightedEm: needs a weight for each of ", vectors.rows() / blocks.num_groups(),
                        " rows, got ", row_weights.size());
    EmReport report;
    const bool needs_objective = record_trace || tolerance > 0;
    const auto objective = [&] {
      return needs_objective
                 ? clustering_objective<T>(vectors, codewords, codes, blocks, row_weights, context)
                 : 0.0;
    };
    const auto record = [&](double value) {
      if (record_trace) report.trace.push_back(value);
      return value;
    };
    double last = record(objective());
    for (Index round = 0; round < max_rounds; ++round) {
      context.check_stop();
      const bool checks_movement = movement_check_interval > 0 && round % movement_check_interval == 0;
      const Matrix<T> old_codewords = checks_movement ? codewords : Matrix<T>();
      const std::vector<Codes::value_type> old_codes = codes;
      maximize<T>(vectors, blocks, row_weights, clustering, context);
      if (record_trace) record(objective());
      assign<T>(vectors, codewords, blocks, codes, context);
      ++report.rounds;
      const double now = record(objective());
      if (tolerance > 0 && !(last - now > tolerance * last)) break;
      last = now;
      if (m_step == MStep::exact && codes == old_codes) break;
      if (checks_movement && ((codewords - old_codewords).array().abs() <=
                              T(1e-8) + T(1e-6) * old_codewords.array().abs()).all())
        break;
    }
    report.dead.assign(static_cast<std::size_t>(codewords.rows()), 1);
    for (const auto code : codes) report.dead[code] = 0;
    return report;
  }

  /// The M-step alone: codewords for the codes at hand, then empty clusters.
  template <std::floating_point T>
  void maximize(ConstMatrixRef<T> vectors, const HessianBlocks& blocks, const Vector<double>& row_weights,
                Clustering<T>& clustering, const RunContext& context = {}) const {
    auto& [codewords, codes] = clustering;
    const ClusterStatistics statistics =
        cluster_statistics<T>(vectors, codes, codewords.rows(), blocks, row_weights, context);
    if (m_step == MStep::exact)
      exact_m_step(statistics, codewords, context);
    else
      adam_m_step(statistics, adam, vectors.rows(), codewords, context);
    if (empty == EmptyClusters::reseed)
      reseed_empty<T>(vectors, blocks, row_weights, codewords, codes, context);
  }
};

}  // namespace basin
