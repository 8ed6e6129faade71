#pragma once

/// Everything but io/: the offline half and the formats it writes. An engine that only decodes
/// includes <basin/kernels.hpp>, which needs neither Eigen nor exceptions.

#include <basin/codebook/adam.hpp>
#include <basin/codebook/least_squares.hpp>
#include <basin/core/bits_per_weight.hpp>
#include <basin/core/scheme_text.hpp>
#include <basin/core/version.hpp>
#include <basin/init/greedy.hpp>
#include <basin/init/oa_em.hpp>
#include <basin/kernels.hpp>
#include <basin/layout/packed_codes.hpp>
#include <basin/metric/compensated_weight.hpp>
#include <basin/metric/conditional_blocks.hpp>
#include <basin/metric/cross_gram.hpp>
#include <basin/metric/diagonal_blocks.hpp>
#include <basin/metric/euclidean.hpp>
#include <basin/metric/euclidean_blocks.hpp>
#include <basin/metric/gram.hpp>
#include <basin/metric/hessian_mahalanobis.hpp>
#include <basin/metric/tempered_blocks.hpp>
#include <basin/pipeline/best_of.hpp>
#include <basin/pipeline/quantizer.hpp>
#include <basin/pipeline/recipes.hpp>
#include <basin/pipeline/store.hpp>
#include <basin/search/beam.hpp>
#include <basin/search/coordinate_refinement.hpp>
#include <basin/search/error_feedback.hpp>
#include <basin/search/exhaustive.hpp>
#include <basin/search/joint_beam.hpp>
#include <basin/search/level_beam.hpp>
#include <basin/search/subset_beam.hpp>
#include <basin/transform/identity.hpp>
