#pragma once

/// The online half: decoding inside somebody else's engine. No Eigen, no allocation, no throw.

#include <basin/kernels/choose.hpp>
#include <basin/kernels/choose_dequantize.hpp>
#include <basin/kernels/choose_matmul.hpp>
#include <basin/kernels/dequantize_matmul.hpp>
#include <basin/kernels/dispatch.hpp>
#include <basin/kernels/kv4.hpp>
#include <basin/kernels/level_matmul.hpp>
#include <basin/kernels/level_matvec.hpp>
#include <basin/kernels/lut_dequantize.hpp>
#include <basin/kernels/lut_matvec.hpp>
#include <basin/kernels/quantize_activations.hpp>
#include <basin/layout/pack_int4.hpp>
#include <basin/layout/pack_layer.hpp>
#include <basin/layout/pack_levels.hpp>
#include <basin/layout/pack_w2.hpp>
