#include <iterator>

#include "accel/x86/registers.h"
#include "tests/isa/ring0/families.h"

namespace kite::ring0 {
namespace {

void interrupt_flag(Draft& d) {
  switch (d.random.below(4)) {
    case 0:
      d.c.name = "cli";
      return d.bytes({0xfa});
    case 1:
      d.c.name = "sti";
      return d.bytes({0xfb});
    case 2:
      d.c.name = "pushf";
      d.size_prefix(false);
      return d.bytes({0x9c});
    default: {
      d.c.name = "popf";
      const unsigned size = d.size_prefix(false);
      u64 flags = d.random() & 0x3f7fd7;
      if (!d.random.one_in(8)) flags &= ~rflags::kTf;
      d.frame({flags}, d.is_long() && size == 4 ? 8 : size);
      return d.bytes({0x9d});
    }
  }
}

void access_flag(Draft& d) {
  const bool set = d.random.one_in(2);
  d.c.name = set ? "stac" : "clac";
  d.bytes({0x0f, 0x01, static_cast<u8>(set ? 0xcb : 0xca)});
}

void ports(Draft& d) {
  const u16 port = static_cast<u16>(d.random.one_in(12) ? d.random() : d.random.below(0x410));
  d.c.gpr(kRdx) = port;
  d.size_prefix(false);
  switch (d.random.below(4)) {
    case 0:
      d.c.name = "in imm";
      d.bytes({static_cast<u8>(0xe4 | d.low(1)), d.low(8)});
      return;
    case 1:
      d.c.name = "in dx";
      return d.bytes({static_cast<u8>(0xec | d.low(1))});
    case 2:
      d.c.name = "out imm";
      d.bytes({static_cast<u8>(0xe6 | d.low(1)), d.low(8)});
      return;
    default:
      d.c.name = "out dx";
      return d.bytes({static_cast<u8>(0xee | d.low(1))});
  }
}

void port_strings(Draft& d) {
  const bool in = d.random.one_in(2);
  d.c.name = in ? "ins" : "outs";
  d.c.gpr(kRdx) = d.random.below(0x410);
  d.c.gpr(in ? kRdi : kRsi) = d.data_address();
  if (d.random.one_in(3)) {
    d.bytes({0xf3});
    d.c.gpr(kRcx) = d.random.below(4);
  }
  d.bytes({static_cast<u8>((in ? 0x6c : 0x6e) | d.low(1))});
}

void stack_accesses(Draft& d) {
  const u8 reg = d.pick<u8>({0, 1, 2, 3, 5, 6, 7, 4});
  switch (d.random.below(9)) {
    case 0:
      d.c.name = "push";
      d.size_prefix(false);
      return d.bytes({static_cast<u8>(0x50 | reg)});
    case 1:
      d.c.name = "pop";
      d.size_prefix(false);
      return d.bytes({static_cast<u8>(0x58 | reg)});
    case 2:
      d.c.name = "push mem";
      d.size_prefix(false);
      d.bytes({0xff});
      return d.memory_operand(6, d.data_address());
    case 3:
      d.c.name = "pop mem";
      d.size_prefix(false);
      d.bytes({0x8f});
      return d.memory_operand(0, d.data_address());
    case 4:
      d.c.name = "call near";
      d.bytes({0xe8});
      return d.immediate(0x20, d.is_16bit() ? 2 : 4);
    case 5:
      d.c.name = "ret near";
      d.bytes({0xc3});
      return d.frame({d.code_offset(0)}, d.is_long() ? 8 : d.is_16bit() ? 2 : 4);
    case 6:
      d.c.name = "leave";
      d.c.gpr(kRbp) = d.data_address();
      return d.bytes({0xc9});
    case 7:
      d.c.name = "enter";
      d.c.gpr(kRbp) = d.data_address();
      d.bytes({0xc8, d.low(6), 0, static_cast<u8>(d.random.below(4))});
      return;
    default:
      d.c.name = d.random.one_in(2) ? "pusha" : "popa";
      d.size_prefix(false);
      d.bytes({static_cast<u8>(d.c.name == "pusha" ? 0x60 : 0x61)});
  }
}

// Plain loads and stores: SMAP, protection by page and segment, alignment.
void data_accesses(Draft& d) {
  const u8 reg = d.pick<u8>({0, 1, 2, 5, 6, 7});
  const u64 at = d.data_address();
  constexpr u8 kOverrides[] = {0x26, 0x36, 0x64, 0x65, 0x2e, 0x3e};
  if (d.random.one_in(4)) d.bytes({kOverrides[d.random.below(6)]});
  struct Form {
    std::string_view name;
    u8 opcode;
  };
  constexpr Form kForms[] = {{"mov load", 0x8b}, {"mov store", 0x89}, {"add", 0x01},
                             {"xchg", 0x87},     {"cmp", 0x39},       {"mov load8", 0x8a}};
  const Form& form = kForms[d.random.below(std::size(kForms))];
  d.c.name = form.name;
  if (d.is_long() && d.random.one_in(2)) d.bytes({0x48});
  d.bytes({form.opcode});
  d.memory_operand(reg, at);
}

// Branches into pages that may or may not be executed; HLT is what stands there.
void fetches(Draft& d) {
  d.c.name = "jmp near";
  const u64 target =
      d.pick({kSystemPage, kUserPage, kMissingPage, kUserCode, kNoExecutePage, kTarget}) +
      d.random.below(16);
  u64 at = target - d.c.state.segments[kCs].base;
  if (d.is_long() && d.random.one_in(8)) at = d.canonical_or_not();
  if (d.is_16bit()) at &= 0xffff;
  d.store_at(d.c.state.segments[kCs].base + at, 0xf4, 1);
  d.bytes({0xff, 0xe6});  // JMP RSI
  d.c.gpr(kRsi) = at;
}

constexpr Family kFamilies[] = {
    {"flags", interrupt_flag},
    {"AC", access_flag},
    {"ports", ports},
    {"port strings", port_strings},
    {"stack accesses", stack_accesses},
    {"data accesses", data_accesses},
    {"fetches", fetches},
};

}  // namespace

std::span<const Family> access_families() {
  return kFamilies;
}

}  // namespace kite::ring0
