#include "tests/isa/ring0/generate.h"

#include <array>

#include "accel/x86/registers.h"
#include "tests/isa/ring0/families.h"
#include "tests/isa/ring0/image.h"

namespace kite::ring0 {
namespace {

std::vector<Family> all_families() {
  std::vector<Family> all;
  for (auto part : {control_families(), segment_families(), transfer_families(), access_families()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

// Memory and registers of a mode and level, made once.
struct Start {
  Ram ram;
  X86State state;
};
const Start& start_of(Mode mode, unsigned cpl) {
  static const std::array<std::array<Start, 2>, kModes> starts = [] {
    std::array<std::array<Start, 2>, kModes> made;
    for (unsigned m = 0; m < kModes; ++m)
      for (unsigned level : {0u, 3u})
        made[m][level / 3] = {memory_for(static_cast<Mode>(m), level),
                              state_for(static_cast<Mode>(m), level)};
    return made;
  }();
  return starts[static_cast<unsigned>(mode)][cpl / 3];
}

// Modes that systems use most come up most.
Mode choose_mode(Random& random) {
  constexpr Mode kChoice[] = {Mode::kReal,    Mode::kV86,  Mode::kProtected16, Mode::kProtected32,
                              Mode::kPaged32, Mode::kPae,  Mode::kCompat,      Mode::kLong,
                              Mode::kLong,    Mode::kLong, Mode::kCompat};
  return kChoice[random.below(std::size(kChoice))];
}

void place_code(Case& test, Random& random) {
  u32 at = kCodePage + static_cast<u32>(random.below(0x80)) * 16;
  if (random.one_in(24)) at = kTarget - static_cast<u32>(random.below(test.code.size() + 1));
  test.state.rip += at - kCodePage;
  for (u8 byte : test.code) test.put8(at++, byte);
}

}  // namespace

void plain_case(Mode mode, unsigned cpl, std::initializer_list<u8> code, Case& test) {
  const Start& start = start_of(mode, cpl);
  test.mode = mode;
  test.cpl = cpl;
  test.ram = start.ram;
  test.state = start.state;
  test.state.gpr[kRsp] = kStackPage + 0x800;
  test.code = code;
  for (u32 at = kCodePage; u8 byte : code) test.put8(at++, byte);
}

void generate(u64 seed, u64 number, const CpuModel& model, Case& test) {
  static const std::vector<Family> families = all_families();
  Random random(oracle::mix(seed) ^ number * 0x9e3779b97f4a7c15);
  test.mode = choose_mode(random);
  test.cpl = test.mode == Mode::kReal ? 0 : test.mode == Mode::kV86 || random.one_in(3) ? 3 : 0;
  const Start& start = start_of(test.mode, test.cpl);
  test.ram = start.ram;
  test.state = start.state;
  test.code.clear();
  Draft draft(test, random, model);
  draft.surroundings();
  const Family& family = families[random.below(families.size())];
  test.family = family.name;
  family.write(draft);
  place_code(test, random);
}

std::vector<std::string_view> family_names() {
  std::vector<std::string_view> names;
  for (const Family& family : all_families()) names.push_back(family.name);
  return names;
}

}  // namespace kite::ring0
