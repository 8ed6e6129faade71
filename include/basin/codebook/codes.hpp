#pragma once

#include <basin/core/config.hpp>
#include <basin/core/types.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace basin {
/// Which codeword every codebook contributes to every weight group: z[o, j, m] in [0, 2^b).
class Codes {
 public:
  using value_type = std::uint16_t;

  Codes() = default;
  Codes(Index num_out_groups, Index num_in_groups, Index num_codebooks)
      : out_groups_(num_out_groups),
        in_groups_(num_in_groups),
        codebooks_(num_codebooks),
        values_(static_cast<std::size_t>(num_out_groups * num_in_groups * num_codebooks)) {}

  [[nodiscard]] Index num_out_groups() const noexcept { return out_groups_; }
  [[nodiscard]] Index num_in_groups() const noexcept { return in_groups_; }
  [[nodiscard]] Index num_codebooks() const noexcept { return codebooks_; }

  [[nodiscard]] value_type& operator()(Index o, Index j, Index m) noexcept { return row(o)[j * codebooks_ + m]; }
  [[nodiscard]] value_type operator()(Index o, Index j, Index m) const noexcept {
    return row(o)[j * codebooks_ + m];
  }
  /// All codes of output group o, [J, M].
  [[nodiscard]] value_type* row(Index o) noexcept {
    BASIN_ASSERT(o >= 0 && o < out_groups_);
    return values_.data() + o * in_groups_ * codebooks_;
  }
  [[nodiscard]] const value_type* row(Index o) const noexcept {
    BASIN_ASSERT(o >= 0 && o < out_groups_);
    return values_.data() + o * in_groups_ * codebooks_;
  }
  /// The code tuple of group (o, j), [M].
  [[nodiscard]] std::span<const value_type> tuple(Index o, Index j) const noexcept {
    return {row(o) + j * codebooks_, static_cast<std::size_t>(codebooks_)};
  }
  [[nodiscard]] std::span<value_type> values() noexcept { return values_; }
  [[nodiscard]] std::span<const value_type> values() const noexcept { return values_; }

  friend bool operator==(const Codes&, const Codes&) = default;

 private:
  Index out_groups_ = 0, in_groups_ = 0, codebooks_ = 0;
  std::vector<value_type> values_;
};

}  // namespace basin
