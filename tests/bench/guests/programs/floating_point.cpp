// Floating point: vectors, scalars, the C library's functions, x87.
#include <immintrin.h>

#include <bit>
#include <cmath>

#include "tests/bench/guests/programs/programs.h"

namespace programs {
namespace {

using std::uint64_t;

uint64_t digest_of(std::span<const double> numbers) {
  uint64_t digest = kDigest;
  for (double number : numbers) digest = mix(digest, std::bit_cast<uint64_t>(number));
  return digest;
}

// Numbers in [0, 1).
void fill(std::span<double> numbers) {
  Random random;
  for (double& number : numbers) number = static_cast<double>(random.next() >> 11) * 0x1p-53;
}

// ---- SSE2: a product of matrices ----

constexpr std::size_t kSide = 48;
alignas(32) std::array<double, kSide * kSide> left, right, product;

uint64_t multiply() {
  if (left[0] == 0) fill(left), fill(right);
  for (std::size_t row = 0; row < kSide; ++row)
    for (std::size_t column = 0; column < kSide; column += 4) {
      __m128d low = _mm_setzero_pd(), high = _mm_setzero_pd();
      for (std::size_t k = 0; k < kSide; ++k) {
        const __m128d factor = _mm_set1_pd(left[row * kSide + k]);
        const double* from = &right[k * kSide + column];
        low = _mm_add_pd(low, _mm_mul_pd(factor, _mm_load_pd(from)));
        high = _mm_add_pd(high, _mm_mul_pd(factor, _mm_load_pd(from + 2)));
      }
      _mm_store_pd(&product[row * kSide + column], low);
      _mm_store_pd(&product[row * kSide + column + 2], high);
    }
  return std::bit_cast<uint64_t>(product[kSide + 1]);
}

uint64_t check_product() {
  return digest_of(product);
}

// ---- AVX2 and FMA: streams through arrays that the second-level cache holds ----

constexpr std::size_t kStream = 8192;
alignas(32) std::array<double, kStream> xs, ys, zs;

bool have_fma() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

[[gnu::target("avx2,fma")]] uint64_t stream() {
  if (xs[0] == 0) fill(xs), fill(ys);
  const __m256d factor = _mm256_set1_pd(1.0009765625);
  const __m256i sign = _mm256_set1_epi64x(1ll << 52);
  for (std::size_t i = 0; i < kStream; i += 4) {
    const __m256d x = _mm256_load_pd(&xs[i]), y = _mm256_load_pd(&ys[i]);
    const __m256d sum = _mm256_fmadd_pd(factor, x, y);
    const __m256i bits = _mm256_add_epi64(_mm256_castpd_si256(sum), sign);  // doubles it
    _mm256_store_pd(&zs[i], _mm256_fnmadd_pd(x, y, _mm256_castsi256_pd(bits)));
  }
  return std::bit_cast<uint64_t>(zs[77]);
}

uint64_t check_stream() {
  return digest_of(zs);
}

// ---- scalar SSE: planets about a star, by Euler's method ----

struct Body {
  double x, y, z, vx, vy, vz, mass;
};

void attract(Body& a, Body& b) {
  const double dx = a.x - b.x, dy = a.y - b.y, dz = a.z - b.z;
  const double square = dx * dx + dy * dy + dz * dz;
  const double force = 0.01 / (square * __builtin_sqrt(square));
  a.vx -= dx * b.mass * force, a.vy -= dy * b.mass * force, a.vz -= dz * b.mass * force;
  b.vx += dx * a.mass * force, b.vy += dy * a.mass * force, b.vz += dz * a.mass * force;
}

constexpr int kSteps = 500;

uint64_t bodies() {
  std::array<Body, 4> all = {{{0, 0, 0, 0, 0, 0, 40},
                              {5, 0, 0.1, 0, 2.8, 0, 0.04},
                              {0, 9, -0.2, -2.1, 0, 0, 0.01},
                              {-15, 2, 0, 0.1, -1.6, 0.05, 0.002}}};
  for (int step = 0; step < kSteps; ++step) {
    for (std::size_t i = 0; i < all.size(); ++i)
      for (std::size_t j = i + 1; j < all.size(); ++j) attract(all[i], all[j]);
    for (Body& body : all)
      body.x += 0.01 * body.vx, body.y += 0.01 * body.vy, body.z += 0.01 * body.vz;
  }
  uint64_t digest = kDigest;
  for (const Body& body : all) digest = mix(digest, digest_of({&body.x, 6}));
  return digest;
}

// ---- the C library: it has several variants, by CPUID, which differ in the last digit ----

constexpr int kCalls = 1000;

uint64_t sine_and_exponential() {
  uint64_t digest = kDigest;
  for (int i = 0; i < kCalls; ++i) {
    double x = 0.001 * i;
    asm volatile("" : "+x"(x));
    digest = mix(digest, std::bit_cast<std::uint32_t>(static_cast<float>(sin(x) * exp(-x))));
  }
  return digest;
}

// ---- x87: the continued fraction of tan(x), and roots ----

constexpr int kTerms = 2000;

uint64_t x87() {
  long double sum = 0;
  for (int i = 1; i <= kTerms; ++i) {
    const long double x = i * (1.0L / kTerms);
    long double value = 9 - x * x / 11;
    value = 7 - x * x / value;
    value = 5 - x * x / value;
    sum += __builtin_sqrtl(x / (1 - x * x / (3 - x * x / value)));
  }
  return mix(kDigest, std::bit_cast<uint64_t>(static_cast<double>(sum)));
}

constexpr Program kVectors[] = {
    {"SSE2 matrix product", "48 x 48", 1, nullptr, multiply, check_product},
    {"AVX2 and FMA stream", "3 x 64 KB", 1, have_fma, stream, check_stream},
};
constexpr Program kScalars[] = {
    {"scalar bodies", "step", kSteps, nullptr, bodies, nullptr},
    {"sin x exp", "pair", kCalls, nullptr, sine_and_exponential, nullptr},
};
constexpr Program kX87[] = {{"x87 tan and sqrt", "pair", kTerms, nullptr, x87, nullptr}};

}  // namespace

std::span<const Program> vector_programs() {
  return kVectors;
}
std::span<const Program> scalar_programs() {
  return kScalars;
}
std::span<const Program> x87_programs() {
  return kX87;
}

}  // namespace programs
