#include <fmt/format.h>

#include <iterator>

#include "accel/x86/msr.h"
#include "accel/x86/registers.h"
#include "tests/isa/ring0/families.h"

namespace kite::ring0 {
namespace {

// A control register's next value: mostly the old one with a few bits changed.
u64 next_control(Draft& d, unsigned number) {
  const X86State& s = d.c.state;
  u64 value = number == 0 ? s.cr0 : number == 3 ? s.cr3 : s.cr4;
  if (number == 2 || number == 8) return d.random.one_in(2) ? d.random.below(20) : d.value();
  if (number == 3) {
    if (d.random.one_in(3)) value |= d.random.below(0x1000);
    return d.random.one_in(6) ? value ^ bit(static_cast<unsigned>(d.random.below(64))) : value;
  }
  for (u64 flips = d.random.below(3) + 1; flips; --flips)
    value ^= bit(static_cast<unsigned>(d.random.below(d.random.one_in(8) ? 64 : 32)));
  return value;
}

void mov_cr(Draft& d) {
  constexpr u8 kUsual[] = {0, 2, 3, 4, 0, 4, 8};
  u8 number = d.random.one_in(12) ? d.low(4) : kUsual[d.random.below(d.is_long() ? 7 : 6)];
  if (!d.is_long()) number &= 7;
  const bool to = d.random.one_in(2);
  if (number >= 8) d.bytes({0x44});
  d.bytes({0x0f, static_cast<u8>(to ? 0x22 : 0x20)});
  const Gpr gpr = d.register_operand(number);
  d.c.name = fmt::format("mov {} cr{}", to ? "to" : "from", number);
  if (!to) return;
  d.c.gpr(gpr) = next_control(d, number);
  if (!d.is_long()) d.c.gpr(gpr) &= 0xffffffff;
}

void mov_dr(Draft& d) {
  const u8 number = d.low(3);
  const bool to = d.random.one_in(2);
  X86State& s = d.c.state;
  for (u64& dr : s.dr) dr = d.data_address();
  if (d.random.one_in(6)) s.dr7 |= dr7::kGd;
  if (d.random.one_in(4)) s.dr6 |= d.random() & 0xe00f;
  d.bytes({0x0f, static_cast<u8>(to ? 0x23 : 0x21)});
  const Gpr gpr = d.register_operand(number);
  d.c.name = fmt::format("mov {} dr{}", to ? "to" : "from", number);
  if (!to) return;
  d.c.gpr(gpr) = d.value();
  // No breakpoint that could be met: the enables stay off.
  if (number == 7 || number == 5) d.c.gpr(gpr) &= ~u64{0xff};
  if (!d.is_long() || d.random.one_in(2)) d.c.gpr(gpr) &= 0xffffffff;
}

void lmsw_smsw_clts(Draft& d) {
  switch (d.random.below(3)) {
    case 0: {
      d.c.name = "lmsw";
      d.bytes({0x0f, 0x01});
      return d.operand(6, d.random(), 2);
    }
    case 1: {
      d.c.name = "smsw";
      d.size_prefix();
      d.bytes({0x0f, 0x01});
      return d.operand(4, d.random(), 2);
    }
    default:
      d.c.name = "clts";
      d.bytes({0x0f, 0x06});
  }
}

constexpr u32 kMsrs[] = {msr::kEfer,
                         msr::kStar,
                         msr::kLstar,
                         msr::kCstar,
                         msr::kSfmask,
                         msr::kFsBase,
                         msr::kGsBase,
                         msr::kKernelGsBase,
                         msr::kSysenterCs,
                         msr::kSysenterEsp,
                         msr::kSysenterEip,
                         msr::kPat,
                         msr::kTscAux,
                         msr::kMtrrDefType,
                         msr::kMtrrPhysBase0,
                         msr::kMtrrPhysBase0 + 1,
                         msr::kMtrrPhysBase0 + 6,
                         msr::kMtrrPhysBase0 + 7,
                         msr::kMtrrFix64k,
                         msr::kMtrrFix16k,
                         msr::kMtrrFix4k + 3,
                         msr::kMtrrCap,
                         0x12345};

u64 msr_value(Draft& d, u32 index) {
  if (index == msr::kEfer) {
    const u64 flip = d.pick<u64>({efer::kSce, efer::kLme, efer::kNxe, efer::kLma, bit(15), u64{0}});
    return d.c.state.efer ^ flip;
  }
  if (index == msr::kPat || (index >= msr::kMtrrFix64k && index < msr::kMtrrDefType)) {
    u64 types = 0;
    for (unsigned i = 0; i < 8; ++i)
      types |= u64{d.random.one_in(24) ? d.low(8) : d.pick<u8>({0, 1, 4, 5, 6, 7})} << 8 * i;
    return types;
  }
  if (index >= msr::kMtrrPhysBase0 && index < msr::kMtrrFix64k)
    return index & 1 ? 0xfff00800 | (d.random.one_in(4) ? d.value() : 0)
                     : 0x10000000 | d.low(3) | (d.random.one_in(4) ? d.value() : 0);
  if (index == msr::kMtrrDefType)
    return d.pick<u64>({0xc06u, 0x806u, 6u, 0u, 0xc00u, 0x400u, 0x1c06u});
  return d.value();
}

void rdmsr_wrmsr(Draft& d) {
  const u32 index = kMsrs[d.random.below(std::size(kMsrs))];
  const bool write = d.random.one_in(2);
  d.c.gpr(kRcx) = index | (d.is_long() && d.random.one_in(4) ? d.random() << 32 : 0);
  if (write) {
    const u64 value = msr_value(d, index);
    d.c.gpr(kRax) = value & 0xffffffff;
    d.c.gpr(kRdx) = value >> 32;
  }
  d.c.name = fmt::format("{} {:x}", write ? "wrmsr" : "rdmsr", index);
  d.bytes({0x0f, static_cast<u8>(write ? 0x30 : 0x32)});
}

void tlb_and_caches(Draft& d) {
  switch (d.random.below(5)) {
    case 0:
    case 1:
      d.c.name = "invlpg";
      d.bytes({0x0f, 0x01});
      return d.random.one_in(8) ? void(d.register_operand(7))
                                : d.memory_operand(7, d.data_address());
    case 2: {
      d.c.name = "invpcid";
      const u64 at = d.data_address();
      d.bytes({0x66, 0x0f, 0x38, 0x82});
      d.memory_operand(kRax, at);
      d.c.gpr(kRax) = d.random.below(5);
      d.store_at(at, d.random.one_in(4) ? d.random() : d.random.below(3), 8);
      return d.store_at(at + 8, d.canonical_or_not(), 8);
    }
    case 3:
      d.c.name = "wbinvd";
      return d.bytes({0x0f, 0x09});
    default:
      d.c.name = "invd";
      return d.bytes({0x0f, 0x08});
  }
}

void xcr(Draft& d) {
  d.c.gpr(kRcx) = d.random.one_in(6) ? d.random.below(3) : 0;
  if (d.random.one_in(2)) {
    d.c.name = "xgetbv";
    return d.bytes({0x0f, 0x01, 0xd0});
  }
  d.c.name = "xsetbv";
  d.c.gpr(kRax) = d.random.below(16) | (d.random.one_in(8) ? d.value() & 0xffffffff : 0);
  d.c.gpr(kRdx) = d.random.one_in(8) ? d.random.below(2) : 0;
  d.bytes({0x0f, 0x01, 0xd1});
}

void time(Draft& d) {
  switch (d.random.below(3)) {
    case 0:
      d.c.name = "rdtsc";
      return d.bytes({0x0f, 0x31});
    case 1:
      d.c.name = "rdtscp";
      return d.bytes({0x0f, 0x01, 0xf9});
    default:
      d.c.name = "rdpmc";
      d.c.gpr(kRcx) = d.random.below(4);
      return d.bytes({0x0f, 0x33});
  }
}

void bases(Draft& d) {
  if (d.random.one_in(3)) {
    d.c.name = "swapgs";
    return d.bytes({0x0f, 0x01, 0xf8});
  }
  const u8 which = d.low(2);
  constexpr std::string_view kNames[] = {"rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase"};
  d.c.name = kNames[which];
  d.bytes({0xf3});
  if (d.is_long() && d.random.one_in(2)) d.bytes({0x48});
  d.bytes({0x0f, 0xae});
  const Gpr gpr = d.register_operand(which);
  d.c.gpr(gpr) = d.is_long() ? d.canonical_or_not() : d.c.gpr(gpr);
}

constexpr Family kFamilies[] = {
    {"control registers", mov_cr},
    {"debug registers", mov_dr},
    {"machine status", lmsw_smsw_clts},
    {"MSRs", rdmsr_wrmsr},
    {"TLB and caches", tlb_and_caches},
    {"XCR0", xcr},
    {"time", time},
    {"FS and GS bases", bases},
};

}  // namespace

std::span<const Family> control_families() {
  return kFamilies;
}

}  // namespace kite::ring0
