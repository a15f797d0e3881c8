#include "accel/x86/registers.h"
#include "tests/isa/ring0/families.h"

namespace kite::ring0 {
namespace {

u16 branch_selector(Draft& d) {
  if (!has_selectors(d.c.mode)) return d.code_selector();
  switch (d.random.below(8)) {
    case 0:
      return static_cast<u16>(d.pick<u16>({kGate, kOtherGate}) | d.c.cpl);
    case 1:
      return static_cast<u16>(kRandom | d.c.cpl);
    case 2:
      return static_cast<u16>(d.pick<u16>({kTss2Selector, kTaskGate}) | d.c.cpl);
    default:
      return d.code_selector();
  }
}

void far_branch(Draft& d) {
  const bool call = d.random.one_in(2);
  const u16 selector = branch_selector(d);
  const u64 offset = d.code_offset(selector);
  d.c.name = call ? "call far" : "jmp far";
  const unsigned size = d.size_prefix();
  if (!d.is_long() && d.random.one_in(2)) {
    d.bytes({static_cast<u8>(call ? 0x9a : 0xea)});
    d.immediate(offset, size);
    return d.immediate(selector, 2);
  }
  const u64 at = d.data_address();
  d.bytes({0xff});
  d.memory_operand(call ? 3 : 5, at);
  d.store_at(at, offset, size);
  d.store_at(at + size, selector, 2);
}

// A stack pointer for an outer level.
u64 outer_stack(Draft& d) {
  return d.random.one_in(16) ? d.data_address() : kUserPage + 0x800 + d.random.below(64);
}
u16 stack_selector(Draft& d, u16 code) {
  if (!has_selectors(d.c.mode) || d.random.one_in(4)) return d.any_selector();
  const u16 rpl = d.random.one_in(6) ? d.low(2) : code & 3;
  if (rpl == 0 && d.is_long() && d.random.one_in(3)) return 0;
  const u16 data = d.pick<u16>({rpl == 3   ? kData3
                                : rpl == 0 ? kData0
                                           : kData1,
                                rpl == 3 ? kData16User : kData0});
  return static_cast<u16>(data | rpl);
}

void return_far(Draft& d) {
  const u16 code = d.code_selector();
  const bool release = d.random.one_in(2);
  const u16 count = release ? d.low(4) : 0;
  d.c.name = "ret far";
  const unsigned size = d.size_prefix();
  d.bytes({static_cast<u8>(release ? 0xca : 0xcb)});
  if (release) d.immediate(count, 2);
  d.frame({d.code_offset(code), code}, size);
  const u64 sp = d.c.gpr(kRsp);
  d.c.gpr(kRsp) += 2 * size + count;
  d.frame({outer_stack(d), stack_selector(d, code)}, size);
  d.c.gpr(kRsp) = sp;
}

u64 frame_flags(Draft& d) {
  u64 flags = d.random() & 0x3f7fd7;
  for (u64 rare : {rflags::kTf, rflags::kNt, rflags::kRf, rflags::kVm})
    if (!d.random.one_in(8)) flags &= ~rare;
  if (d.is_long() || d.c.mode == Mode::kCompat) flags &= ~rflags::kVm;
  if (d.random.one_in(16)) flags |= d.random() << 22;
  return flags;
}

void return_from_interrupt(Draft& d) {
  const u64 flags = frame_flags(d);
  const bool to_v86 = flags & rflags::kVm;
  const u16 code = to_v86 ? d.pick<u16>({0, 0xf00, 0x900}) : d.code_selector();
  const u64 ip = to_v86 ? (code ? 0 : u64{kUserCode}) + d.random.below(8) : d.code_offset(code);
  d.c.name = "iret";
  const unsigned size = d.size_prefix();
  d.bytes({0xcf});
  if (d.random.one_in(8)) d.c.state.rflags ^= rflags::kNt;
  d.frame({ip, code, flags, outer_stack(d), stack_selector(d, code), 0x500, 0x600, 0x700, 0x900},
          size);
}

void software_interrupt(Draft& d) {
  switch (d.random.below(8)) {
    case 0:
      d.c.name = "int3";
      return d.bytes({0xcc});
    case 1:
      d.c.name = "into";
      if (d.random.one_in(2)) d.c.state.rflags |= rflags::kOf;
      return d.bytes({0xce});
    case 2:
      d.c.name = "int1";
      return d.bytes({0xf1});
    default: {
      u8 vector = d.random.one_in(2) ? static_cast<u8>(0x50 + d.random.below(0x10)) : d.low(8);
      if (vector == 0x5c + 1) vector = 0x80;
      d.c.name = "int";
      return d.bytes({0xcd, vector});
    }
  }
}

void fast_call(Draft& d) {
  X86State& s = d.c.state;
  switch (d.random.below(4)) {
    case 0:
      d.c.name = "syscall";
      return d.bytes({0x0f, 0x05});
    case 1:
      d.c.name = "sysenter";
      if (d.is_long() && d.random.one_in(8)) s.sysenter_eip = s.sysenter_esp = d.canonical_or_not();
      return d.bytes({0x0f, 0x34});
    case 2: {
      d.c.name = "sysret";
      if (d.is_long() && d.random.one_in(2)) d.bytes({0x48});
      d.c.gpr(kRcx) = d.random.one_in(6) ? d.canonical_or_not() : kUserCode + d.random.below(16);
      d.c.gpr(kR11) = frame_flags(d) & ~rflags::kVm;
      return d.bytes({0x0f, 0x07});
    }
    default: {
      d.c.name = "sysexit";
      if (d.is_long() && d.random.one_in(2)) d.bytes({0x48});
      d.c.gpr(kRdx) =
          d.is_long() && d.random.one_in(6) ? d.canonical_or_not() : kUserCode + d.random.below(16);
      d.c.gpr(kRcx) = d.random.one_in(6) ? d.canonical_or_not() : outer_stack(d);
      if (!d.is_long()) d.c.gpr(kRcx) &= 0xffffffff, d.c.gpr(kRdx) &= 0xffffffff;
      return d.bytes({0x0f, 0x35});
    }
  }
}

void halt(Draft& d) {
  d.c.name = "hlt";
  d.bytes({0xf4});
}

constexpr Family kFamilies[] = {
    {"far branches", far_branch},     {"far returns", return_far},
    {"iret", return_from_interrupt},  {"software interrupts", software_interrupt},
    {"fast system calls", fast_call}, {"hlt", halt},
};

}  // namespace

std::span<const Family> transfer_families() {
  return kFamilies;
}

}  // namespace kite::ring0
