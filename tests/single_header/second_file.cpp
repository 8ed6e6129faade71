// A second file of the engine: what lacks `inline` would be there twice.
#include <basin_decode.hpp>

std::size_t bytes_of_another_file(const basin::Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in) noexcept;
std::size_t bytes_of_another_file(const basin::Scheme& scheme, std::ptrdiff_t n_out, std::ptrdiff_t n_in) noexcept {
  return basin::kernels::available_kernels().empty() ? 0 : basin::packed_layer_bytes(scheme, n_out, n_in);
}
