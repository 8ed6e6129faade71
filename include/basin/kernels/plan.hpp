#pragma once

#include <basin/kernels/concepts.hpp>
#include <basin/kernels/dispatch.hpp>
#include <basin/kernels/kernel_set.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

namespace basin::kernels {
/// The precisions of concepts.hpp at run time.
enum class TablePrecision : std::uint8_t { exact, int16, int8 };

[[nodiscard]] constexpr const char* to_string(TablePrecision precision) noexcept {
  switch (precision) {
    case TablePrecision::exact: return exact::name;
    case TablePrecision::int16: return int16::name;
    case TablePrecision::int8: return int8::name;
  }
  return "unknown";
}

[[nodiscard]] constexpr const MatvecKernels& matvec_kernels(const KernelSet& set, TablePrecision precision) noexcept {
  return precision == TablePrecision::int8 ? set.matvec_int8 : precision == TablePrecision::int16 ? set.matvec_int16 : set.matvec_exact;
}

[[nodiscard]] constexpr const MatmulKernels& matmul_kernels(const KernelSet& set, TablePrecision precision) noexcept {
  return precision == TablePrecision::int8 ? set.matmul_int8 : precision == TablePrecision::int16 ? set.matmul_int16 : set.matmul_exact;
}

/// Out: float, bfloat16, half.
template <class Out>
[[nodiscard]] constexpr DequantizeKernel<Out> dequantize_kernel(const KernelSet& set) noexcept {
  static_assert(std::is_same_v<Out, float> || std::is_same_v<Out, bfloat16> || std::is_same_v<Out, half>, "Out: float, bfloat16 or half");
  if constexpr (std::is_same_v<Out, float>) return set.dequantize_fp32;
  else if constexpr (std::is_same_v<Out, bfloat16>) return set.dequantize_bf16;
  else return set.dequantize_fp16;
}

/// How a layer is to be multiplied, or decoded: a plain value that a host may print, store and reload. It does not say
/// which operation it is for.
struct Plan {
  const char* arch = nullptr;  ///< name of a path; null where there is no plan
  TablePrecision precision = TablePrecision::exact;
  float relative_error = 0;  ///< expected |y - y_exact| / |y_exact|, Euclidean norms
  float weights_per_ns = 0;  ///< weights times inputs of the batch, one thread; 0 where not measured
};

/// The kernels of a plan; null where this program or processor lacks them, as after a move to another machine.
template <class Archs = detail::CompiledArchs>
[[nodiscard]] const MatvecKernels* find_matvec(const Plan& plan) noexcept {
  const KernelSet* set = plan.arch == nullptr ? nullptr : find_kernels<Archs>(plan.arch);
  return set == nullptr ? nullptr : &matvec_kernels(*set, plan.precision);
}

template <class Archs = detail::CompiledArchs>
[[nodiscard]] const MatmulKernels* find_matmul(const Plan& plan) noexcept {
  const KernelSet* set = plan.arch == nullptr ? nullptr : find_kernels<Archs>(plan.arch);
  return set == nullptr ? nullptr : &matmul_kernels(*set, plan.precision);
}
template <class Out, class Archs = detail::CompiledArchs>
[[nodiscard]] DequantizeKernel<Out> find_dequantize(const Plan& plan) noexcept {
  const KernelSet* set = plan.arch == nullptr ? nullptr : find_kernels<Archs>(plan.arch);
  return set == nullptr ? nullptr : dequantize_kernel<Out>(*set);
}

/// Characters that hold the text of any plan.
inline constexpr std::size_t plan_text_size = 128;

/// One line without its end, terminated by a zero; returns its length. Empty where there is no plan, or no
/// room for it: plan_text_size always suffices.
///
///     arch=avx512vbmi precision=int8 relative_error=0.0083 weights_per_ns=41.5
inline std::size_t to_text(const Plan& plan, std::span<char> text) noexcept {
  char line[plan_text_size];
  std::size_t at = 0;
  const auto put = [&](std::string_view part) {
    for (const char letter : part)
      if (at < sizeof line) line[at++] = letter;
  };
  const auto put_number = [&](float value) {
    char digits[32];
    put({digits, static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, value).ptr - digits)});
  };
  if (plan.arch != nullptr) {
    put("arch=");
    put(plan.arch);
    put(" precision=");
    put(to_string(plan.precision));
    put(" relative_error=");
    put_number(plan.relative_error);
    put(" weights_per_ns=");
    put_number(plan.weights_per_ns);
  }
  if (at + 1 > text.size()) at = 0;
  for (std::size_t i = 0; i < at; ++i) text[i] = line[i];
  if (!text.empty()) text[at] = '\0';
  return at;
}

namespace detail {
/// The static name of a tag, or null.
template <class... Archs>
[[nodiscard]] constexpr const char* tag_name(ArchList<Archs...>, std::string_view text) noexcept {
  const char* name = nullptr;
  ((text == std::string_view(Archs::name) ? static_cast<void>(name = Archs::name) : static_cast<void>(0)), ...);
  return name;
}
}  // namespace detail

/// Reads what to_text wrote, to the same bits; a line's end may follow. Any other text gives no plan
/// (arch is null): unknown paths, numbers that are not finite or below zero. The path need not be
/// available here; see find_matvec.
[[nodiscard]] inline Plan parse_plan(std::string_view text) noexcept {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const auto word = [&](std::string_view key) {
    if (!text.starts_with(key)) return std::string_view();
    text.remove_prefix(key.size());
    const std::string_view value = text.substr(0, text.find(' '));
    text.remove_prefix(value.size());
    return value;
  };
  const auto number = [&](std::string_view key, float& value) {
    const std::string_view digits = word(key);
    const std::from_chars_result read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool whole = read.ec == decltype(read.ec){} && read.ptr == digits.data() + digits.size();  // <system_error> brings <string>
    return whole && !digits.empty() && value >= 0 && value - value == 0;
  };
  Plan plan;
  const char* arch = detail::tag_name(detail::KnownArchs{}, word("arch="));
  const std::string_view precision = word(" precision=");
  for (const TablePrecision one : {TablePrecision::exact, TablePrecision::int16, TablePrecision::int8})
    if (precision == to_string(one)) {
      plan.precision = one;
      if (number(" relative_error=", plan.relative_error) && number(" weights_per_ns=", plan.weights_per_ns) && text.empty())
        plan.arch = arch;
    }
  return plan.arch != nullptr ? plan : Plan{};
}

}  // namespace basin::kernels
