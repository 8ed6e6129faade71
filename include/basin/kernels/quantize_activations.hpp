#pragma once

#include <basin/kernels/activation_format.hpp>
#include <basin/kernels/concepts.hpp>

#include <cstddef>

namespace basin::kernels {
/// Activations as integers of 8 or 4 bits, once for all layers that read them.
///
///     run(format, x, x_stride, n_in, batch, first_token, last_token, workspace)
///     run_int4(format, packed, steps, n_in, batch, first_token, last_token, workspace)
///
/// run quantizes as ActivationFormat says. run_int4 takes integers of 4 bits that are there already, [batch,
/// int4_bytes(n_in)] as of pack_int4.hpp, and their steps, [batch, groups].
///
/// Shapes    x: [batch, n_in], rows x_stride floats apart. The workspace is the host's: activation_bytes(), 64-byte
///           aligned. Ranges of tokens may be shared out to threads.
/// Accuracy  the same bits on every path: one rounding of each of clip * max, its quotient and x / step.
/// Values    A group with an input that is not finite has a step of NaN and integers of 0: what is computed from its
///           token is NaN. A group whose step would vanish counts as zero.
/// Source    QuaRot, arXiv:2404.00456.
template <class Arch>
struct QuantizeActivations;

}  // namespace basin::kernels
