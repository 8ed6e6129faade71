// Calls the operators as PyTorch does, by name, and holds them to at::matmul in double.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {
template <class Signature>
auto find_operator(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}
const auto pack = find_operator<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, std::int64_t)>("basin::pack");
const auto lut_matvec = find_operator<at::Tensor(const at::Tensor&, const at::Tensor&)>("basin::lut_matvec");
const auto decode = find_operator<at::Tensor(const at::Tensor&)>("basin::decode");

constexpr int num_threads = 4;
int failures = 0;
void check(bool holds, const std::string& what) {
  if (holds) return;
  ++failures;
  std::printf("FAILED: %s\n", what.c_str());
}

struct Stored {
  at::Tensor codes, codebooks, scales;

  Stored(std::int64_t n_out, std::int64_t groups, std::int64_t num_codebooks, int bits, std::int64_t g)
      : codes(at::randint(0, 1 << bits, {n_out, groups, num_codebooks}, at::kByte)),
        codebooks(at::randn({num_codebooks, 1 << bits, g}).to(at::kHalf)), scales((at::rand({n_out}) + 0.5).to(at::kHalf)) {}

  // s[o] sum_m f(C[m][z[o, j, m]]), [n_out, n_in] in double.
  template <class Function>
  at::Tensor weight(std::int64_t n_in, Function f) const {
    at::Tensor sum = at::zeros({codes.size(0), codes.size(1), codebooks.size(2)}, at::kDouble);
    for (std::int64_t m = 0; m < codes.size(2); ++m)
      sum += f(codebooks[m].to(at::kDouble)).index_select(0, codes.select(2, m).reshape({-1}).to(at::kLong)).view_as(sum);
    return sum.reshape({codes.size(0), -1}).narrow(1, 0, n_in) * scales.to(at::kDouble).unsqueeze(1);
  }
};

void check_layer(std::int64_t n_out, std::int64_t n_in, std::int64_t num_codebooks, int bits, std::int64_t g, std::vector<std::int64_t> batch) {
  const std::int64_t groups = (n_in + g - 1) / g;
  const Stored stored(n_out, groups, num_codebooks, bits, g);
  const at::Tensor packed = pack.call(stored.codes, stored.codebooks, stored.scales, n_in);
  batch.push_back(n_in);
  const at::Tensor x = at::randn(batch);

  const at::Tensor weight = stored.weight(n_in, [](const at::Tensor& codewords) { return codewords; });
  const at::Tensor magnitudes = stored.weight(n_in, [](const at::Tensor& codewords) { return codewords.abs(); });
  const at::Tensor want = at::matmul(x.to(at::kDouble), weight.t());
  // The Accuracy line of basin::kernels::LutMatvec.
  const at::Tensor bound = at::matmul(x.to(at::kDouble).abs(), magnitudes.t()) * (2.0 * static_cast<double>(n_in + num_codebooks * groups + 8) * 0x1p-24);
  const at::Tensor got = lut_matvec.call(packed, x);
  const at::Tensor error = (got.to(at::kDouble) - want).abs();
  const double relative = (error.norm() / want.norm()).item<double>();
  std::printf("%lldx%dg%lld, %lld x %lld, x %s: |y - W x| / |W x| = %.2e, %.3f of the bound\n", static_cast<long long>(num_codebooks), bits,
              static_cast<long long>(g), static_cast<long long>(n_out), static_cast<long long>(n_in), c10::str(x.sizes()).c_str(), relative,
              (error / bound).max().item<double>());
  check(got.sizes() == want.sizes() && error.le(bound).all().item<bool>(), "lut_matvec against at::matmul");
  check(at::allclose(decode.call(packed).to(at::kDouble), weight, 1e-6, 1e-6), "decode against the formula");

  at::set_num_threads(1);
  check(at::equal(got, lut_matvec.call(packed, x)), "one thread gives the same bits as many");
  at::set_num_threads(num_threads);
}

template <class Call>
void check_refusal(Call call, const std::string& reason) {
  try {
    call();
  } catch (const c10::Error& error) {
    check(std::string(error.what()).find(reason) != std::string::npos, "refused, but not for \"" + reason + "\": " + error.what_without_backtrace());
    return;
  }
  check(false, "not refused: " + reason);
}
}  // namespace

int main() {
  at::manual_seed(20260822);
  at::set_num_threads(num_threads);
  check_layer(512, 1024, 2, 8, 8, {});
  check_layer(300, 500, 2, 6, 8, {3});
  check_layer(130, 70, 4, 4, 8, {2, 9});
  check_layer(65, 33, 1, 5, 4, {1});

  const Stored stored(64, 4, 2, 8, 8);
  const at::Tensor packed = pack.call(stored.codes, stored.codebooks, stored.scales, 30);
  check_refusal([&] { lut_matvec.call(packed, at::randn({31})); }, "x must be float32 [..., 30]");
  check_refusal([&] { lut_matvec.call(packed, at::randn({30}, at::kDouble)); }, "got Double [30]");
  check_refusal([&] { lut_matvec.call(packed.to(at::kFloat), at::randn({30})); }, "packed must be a contiguous uint8 vector");
  check_refusal([&] { lut_matvec.call(packed.narrow(0, 0, packed.numel() - 1), at::randn({30})); }, "smaller than packed_layer_bytes()");
  check_refusal([&] { lut_matvec.call(at::zeros({4096}, at::kByte), at::randn({30})); }, "not a packed layer");
  check_refusal([&] { pack.call(stored.codes, stored.codebooks, stored.scales, 24); }, "4 groups of 8 inputs do not hold n_in = 24");
  check_refusal([&] { pack.call(stored.codes, stored.codebooks.narrow(1, 0, 100), stored.scales, 30); }, "2^bits codewords");
  check_refusal([&] { pack.call(stored.codes, stored.codebooks.narrow(1, 0, 16), stored.scales, 30); }, "the codes belong to another scheme");

  std::printf("%d threads, %d failures\n", num_threads, failures);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
