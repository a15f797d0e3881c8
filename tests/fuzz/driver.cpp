// Runs a fuzz target without libFuzzer: `target [inputs [seed]]` pseudo-random inputs of up to 4
// KiB, or `target FILE…`.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "base/types.h"

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size);

namespace {

int run_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::fprintf(stderr, "cannot read '%s'\n", path), 66;
  std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
  LLVMFuzzerTestOneInput(reinterpret_cast<const kite::u8*>(bytes.data()), bytes.size());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  char* end = nullptr;
  const unsigned long inputs = argc > 1 ? std::strtoul(argv[1], &end, 0) : 20000;
  if (end && *end) {
    for (int i = 1; i < argc; ++i)
      if (int status = run_file(argv[i])) return status;
    return 0;
  }
  const unsigned long seed = argc > 2 ? std::strtoul(argv[2], nullptr, 0) : 1;
  std::mt19937_64 random(seed);
  std::vector<kite::u8> input;
  for (unsigned long i = 0; i < inputs; ++i) {
    input.resize(random() % (i % 16 == 0 ? 4096 : 256));
    for (auto& byte : input) byte = static_cast<kite::u8>(random());
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%lu inputs, seed %lu: 1 passed, 0 failed\n", inputs, seed);
}
