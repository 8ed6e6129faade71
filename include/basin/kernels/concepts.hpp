#pragma once

namespace basin::kernels {
/// The path that every other one is measured against: plain loops, any CPU.
struct scalar {};
}  // namespace basin::kernels
