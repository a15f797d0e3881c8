#include "tests/isa/oracle/compare.h"

#include <fmt/format.h>

#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "tests/isa/oracle/rules.h"

namespace kite::oracle {
namespace {

std::string hex_of(const u8* bytes, unsigned size) {
  std::string text;
  for (unsigned i = size; i-- > 0;) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

std::string stop_of(const Outcome& outcome) {
  if (outcome.vector == Outcome::kWentOn) return "goes on";
  if (outcome.vector == Outcome::kLanded) return fmt::format("lands at {:#x}", outcome.rip);
  if (outcome.vector == Outcome::kDied) return "kills the process";
  return fmt::format("vector {} ({:#x}) CR2 {:#x} at {:#x}", outcome.vector, outcome.error_code,
                     outcome.cr2, outcome.rip);
}

bool same_stop(const Outcome& a, const Outcome& b) {
  return a.vector == b.vector && a.error_code == b.error_code && a.cr2 == b.cr2 && a.rip == b.rip;
}

std::string show(const Selectors& s) {
  return fmt::format("ES {:#x} DS {:#x} FS {:#x} at {:#x} GS {:#x} at {:#x}", s.values[0],
                     s.values[1], s.values[2], s.fs_base, s.values[3], s.gs_base);
}

std::string memory_difference(const Outcome& silicon, const Outcome& ours) {
  const u32 count = std::min(ours.change_count, Outcome::kMaxChanges);
  const bool same =
      silicon.change_count == ours.change_count &&
      std::equal(ours.changes.begin(), ours.changes.begin() + count, silicon.changes.begin());
  if (same) return {};
  std::string text = fmt::format("\n  memory: {} words changed, silicon {}", ours.change_count,
                                 silicon.change_count);
  const auto show = [&](const char* who, const Outcome& outcome) {
    for (u32 i = 0; i < std::min(outcome.change_count, 4u); ++i)
      text += fmt::format("\n    {} +{:#x} = {:#018x}", who, outcome.changes[i].offset,
                          outcome.changes[i].value);
  };
  show("ours", ours);
  show("silicon", silicon);
  return text;
}

std::string part_difference(const Image& silicon, const Image& ours, std::string_view name,
                            unsigned from, unsigned size) {
  const u8 *a = ours.bytes.data() + from, *b = silicon.bytes.data() + from;
  if (std::memcmp(a, b, size) == 0) return {};
  return fmt::format("\n  {} {}, silicon {}", name, hex_of(a, size), hex_of(b, size));
}

std::string image_difference(const Image& silicon, const Image& ours) {
  std::string text = x87_difference(silicon, ours);
  const auto part = [&](const std::string& name, unsigned from, unsigned size) {
    text += part_difference(silicon, ours, name, from, size);
  };
  part("MXCSR", Image::kMxcsr, 4);
  for (unsigned i = 0; i < 16; ++i) {
    part(fmt::format("XMM{}", i), Image::kXmm + 16 * i, 16);
    part(fmt::format("YMM{} above", i), Image::kYmm + 16 * i, 16);
  }
  return text;
}

}  // namespace

std::string x87_difference(const Image& silicon, const Image& ours) {
  std::string text;
  const auto part = [&](const std::string& name, unsigned from, unsigned size) {
    text += part_difference(silicon, ours, name, from, size);
  };
  part("FCW", 0, 2);
  part("FSW", 2, 2);
  part("tags", 4, 1);
  part("FOP", Image::kFop, 2);
  part("FIP", Image::kFip, 8);
  part("FDP", Image::kFdp, 8);
  for (unsigned i = 0; i < 8; ++i) part(fmt::format("ST{}", i), Image::kSt + 16 * i, 10);
  return text;
}

std::string difference(const Origin& origin, const Case& test, Maker maker, const Outcome& silicon,
                       Outcome& ours) {
  forgive(origin, test, maker, silicon, ours);
  return difference(test, defined_flags(origin, test), silicon, ours);
}

std::string difference(const Case& test, u64 flags, const Outcome& silicon, const Outcome& ours) {
  std::string text;
  if (!same_stop(silicon, ours))
    text += fmt::format("\n  {}, silicon {}", stop_of(ours), stop_of(silicon));
  for (unsigned i = 0; i < 16; ++i)
    if (silicon.gpr[i] != ours.gpr[i])
      text += fmt::format("\n  register {} = {:#x}, silicon {:#x}", i, ours.gpr[i], silicon.gpr[i]);
  constexpr u64 kSeen = rflags::kTf | rflags::kDf | rflags::kNt | rflags::kAc | rflags::kId;
  const u64 mask = flags | kSeen;
  if ((silicon.rflags ^ ours.rflags) & mask)
    text +=
        fmt::format("\n  flags {:#x}, silicon {:#x}", ours.rflags & mask, silicon.rflags & mask);
  text += memory_difference(silicon, ours);
  if (test.vectors) text += image_difference(silicon.image, ours.image);
  if (test.segments && silicon.selectors != ours.selectors)
    text +=
        fmt::format("\n  segments {}, silicon {}", show(ours.selectors), show(silicon.selectors));
  if (!text.empty() && same_stop(silicon, ours)) text += "\n  both: " + stop_of(silicon);
  return text;
}

std::string describe(const Case& test, const Pool& pool) {
  std::string text = "  bytes";
  for (unsigned i = 0; i < test.length; ++i) text += fmt::format(" {:02x}", test.code[i]);
  text += fmt::format(" at {:#x}, flags {:#x}\n ", test.rip, test.rflags);
  for (unsigned i = 0; i < 16; ++i) text += fmt::format(" r{}={:#x}", i, test.gpr[i]);
  if (!test.vectors) return text;
  const u8* image = pool.images[test.image].bytes.data();
  text += fmt::format("\n  FCW {} FSW {} tags {} MXCSR {}", hex_of(image, 2), hex_of(image + 2, 2),
                      hex_of(image + 4, 1), hex_of(image + Image::kMxcsr, 4));
  for (unsigned i = 0; i < 8; ++i)
    text +=
        fmt::format("{}ST{}={}", i % 4 ? " " : "\n  ", i, hex_of(image + Image::kSt + 16 * i, 10));
  for (unsigned i = 0; i < 16; ++i)
    text += fmt::format("{}YMM{}={}'{}", i % 2 ? " " : "\n  ", i,
                        hex_of(image + Image::kYmm + 16 * i, 16),
                        hex_of(image + Image::kXmm + 16 * i, 16));
  return text;
}

}  // namespace kite::oracle
