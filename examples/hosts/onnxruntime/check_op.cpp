// A model with a packed layer inside, run by ONNX Runtime and held to the formula in double.
#include "lut_matvec_op.hpp"
#include "model.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

namespace {
constexpr basin::Scheme scheme{.num_codebooks = 2, .bits_per_code = 8, .in_group_size = 8};
constexpr std::int64_t n_out = 300, n_in = 500, groups = scheme.num_in_groups(n_in), batch = 11;

struct Layer {
  std::vector<std::uint8_t> codes = std::vector<std::uint8_t>(n_out * groups * 2);
  std::vector<std::uint16_t> codebooks = std::vector<std::uint16_t>(2 * 256 * 8), scales = std::vector<std::uint16_t>(n_out);
  std::vector<float> x = std::vector<float>(batch * n_in);

  Layer() {
    std::mt19937 random(20260822);
    std::normal_distribution<float> normal;
    for (std::uint8_t& code : codes) code = static_cast<std::uint8_t>(random());
    for (std::uint16_t& value : codebooks) value = basin::float_to_half(normal(random));
    for (std::uint16_t& scale : scales) scale = basin::float_to_half(normal(random));
    for (float& value : x) value = normal(random);
  }
  [[nodiscard]] std::string packed() const {
    const std::size_t size = basin::packed_layer_bytes(scheme, n_out, n_in);
    const std::unique_ptr<std::byte, basin_onnx::FreeAligned> memory(static_cast<std::byte*>(::operator new(size, std::align_val_t{64})));
    const basin::BasicAdditiveView<std::uint8_t> view{scheme, n_out, n_in, codes.data(), codebooks.data(), scales.data()};
    const basin::PackResult result = basin::pack_layer(view, {memory.get(), size});
    if (result.error != basin::PackError::none) std::printf("%s\n", basin::describe(result.error)), std::exit(EXIT_FAILURE);
    return {reinterpret_cast<const char*>(memory.get()), size};
  }
  // The largest |y - W x| over its bound, the Accuracy line of basin::kernels::LutMatvec.
  [[nodiscard]] double largest_error(const float* y) const {
    double largest = 0;
    for (std::int64_t b = 0; b < batch; ++b)
      for (std::int64_t row = 0; row < n_out; ++row) {
        double sum = 0, magnitudes = 0;
        for (std::int64_t i = 0; i < n_in; ++i)
          for (std::int64_t m = 0; m < 2; ++m) {
            const std::size_t code = codes[static_cast<std::size_t>((row * groups + i / 8) * 2 + m)];
            const double product = double{basin::half_to_float(codebooks[(static_cast<std::size_t>(m) * 256 + code) * 8 + static_cast<std::size_t>(i % 8)])} *
                                   double{x[static_cast<std::size_t>(b * n_in + i)]};
            sum += product;
            magnitudes += std::fabs(product);
          }
        const double scale = basin::half_to_float(scales[static_cast<std::size_t>(row)]);
        const double bound = 2.0 * (n_in + 2 * groups + 8) * 0x1p-24 * std::fabs(scale) * magnitudes;
        largest = std::max(largest, std::fabs(y[b * n_out + row] - scale * sum) / bound);
      }
    return largest;
  }
};

// Runs the model on x of these columns; the error's text where it is refused.
std::string run(Ort::Env& env, const basin_onnx::Operators& operators, const std::string& packed, std::vector<float> x, std::int64_t columns,
                std::vector<float>& y) try {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(4);
  options.Add(operators.domain);
  const std::string bytes = model::one_layer(packed);
  Ort::Session session(env, bytes.data(), bytes.size(), options);
  const std::int64_t shape[] = {static_cast<std::int64_t>(x.size()) / columns, columns};
  const auto cpu = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const Ort::Value input = Ort::Value::CreateTensor<float>(cpu, x.data(), x.size(), shape, 2);
  const char* const input_name = "x";
  const char* const output_name = "y";
  const std::vector<Ort::Value> outputs = session.Run(Ort::RunOptions{}, &input_name, &input, 1, &output_name, 1);
  const float* const from = outputs[0].GetTensorData<float>();
  y.assign(from, from + outputs[0].GetTensorTypeAndShapeInfo().GetElementCount());
  return {};
} catch (const Ort::Exception& error) {
  return error.what();
}
}  // namespace

int main() {
  Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "basin");
  const basin_onnx::Operators operators;
  const Layer layer;
  const std::string packed = layer.packed();
  std::vector<float> y;
  int failures = 0;
  const auto check = [&](bool holds, const std::string& what) {
    if (!holds) ++failures, std::printf("FAILED: %s\n", what.c_str());
  };

  const std::string error = run(env, operators, packed, layer.x, n_in, y);
  check(error.empty(), error);
  check(y.size() == batch * n_out, std::to_string(y.size()) + " outputs");
  if (failures == 0) {
    const double largest = layer.largest_error(y.data());
    std::printf("2x8g8, %lld x %lld, %lld inputs: largest error %.3f of the bound\n", static_cast<long long>(n_out), static_cast<long long>(n_in),
                static_cast<long long>(batch), largest);
    check(largest <= 1, "beyond the bound");
  }
  const auto check_refusal = [&](const std::string& got, const std::string& reason) {
    check(got.find(reason) != std::string::npos, "expected \"" + reason + "\", got \"" + got + "\"");
  };
  check_refusal(run(env, operators, packed, std::vector<float>(499), 499, y), "x must be [..., 500]");
  check_refusal(run(env, operators, packed.substr(0, packed.size() - 1), layer.x, n_in, y), "smaller than packed_layer_bytes()");
  check_refusal(run(env, operators, std::string(4096, '\0'), layer.x, n_in, y), "not a packed layer");
  std::printf("ONNX Runtime %s, %d failures\n", OrtGetApiBase()->GetVersionString(), failures);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
