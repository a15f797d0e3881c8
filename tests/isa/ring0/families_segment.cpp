#include <fmt/format.h>

#include "tests/isa/ring0/families.h"
#include "tests/isa/ring0/image.h"

namespace kite::ring0 {
namespace {

void table_registers(Draft& d) {
  constexpr std::string_view kNames[] = {"sgdt", "sidt", "lgdt", "lidt"};
  const u8 which = d.low(2);
  const u64 at = d.data_address();
  d.c.name = kNames[which];
  d.size_prefix(false);
  d.bytes({0x0f, 0x01});
  d.memory_operand(which, at);
  if (which < 2) return;
  // What it stops with still has its vectors: LIDT's table is the same one, or no table.
  d.store_at(at, which == 3 ? 0xfff : d.random(), 2);
  const u64 base = which == 3 && !(d.is_long() && d.random.one_in(8)) ? d.c.state.idtr.base
                                                                      : d.canonical_or_not();
  d.store_at(at + 2, base, 8);
}

void ldtr_and_tr(Draft& d) {
  constexpr std::string_view kNames[] = {"sldt", "str", "lldt", "ltr"};
  const u8 which = d.low(2);
  d.c.name = kNames[which];
  if (which < 2) d.size_prefix();
  d.bytes({0x0f, 0x00});
  const u16 likely = which == 2 ? kLdtSelector : kTss2Selector;
  d.operand(which, d.random.one_in(2) ? likely : d.any_selector(), 2);
}

void questions(Draft& d) {
  switch (d.random.below(4)) {
    case 0:
    case 1: {
      const bool lar = d.random.one_in(2);
      d.c.name = lar ? "lar" : "lsl";
      d.size_prefix();
      d.bytes({0x0f, static_cast<u8>(lar ? 0x02 : 0x03)});
      return d.operand(d.pick<u8>({0, 1, 2, 5, 6, 7}), d.any_selector(), 2);
    }
    case 2: {
      const bool read = d.random.one_in(2);
      d.c.name = read ? "verr" : "verw";
      d.bytes({0x0f, 0x00});
      return d.operand(read ? 4 : 5, d.any_selector(), 2);
    }
    default:
      if (d.is_long()) return questions(d);
      d.c.name = "arpl";
      d.bytes({0x63});
      return d.operand(d.pick<u8>({0, 1, 2, 5, 6, 7}), d.any_selector(), 2);
  }
}

u16 stack_or_data_selector(Draft& d) {
  if (!has_selectors(d.c.mode) || d.random.one_in(2)) return d.any_selector();
  return static_cast<u16>(d.pick<u16>({kData0, kData3, kData16, kData16User, kNotAccessed}) |
                          (d.random.one_in(4) ? d.low(2) : d.c.cpl));
}

void mov_segment(Draft& d) {
  const u8 number = d.low(3);
  const bool to = !d.random.one_in(4);
  d.c.name = fmt::format("mov {} sreg{}", to ? "to" : "from", number);
  d.size_prefix();
  d.bytes({static_cast<u8>(to ? 0x8e : 0x8c)});
  d.operand(number, stack_or_data_selector(d), 2);
}

void push_pop_segment(Draft& d) {
  const bool pop = !d.random.one_in(3);
  const u8 number = d.pick<u8>({0, 2, 3, 4, 5});
  d.c.name = fmt::format("{} sreg{}", pop ? "pop" : "push", number);
  const unsigned size = d.size_prefix(false);
  if (number >= 4)
    d.bytes({0x0f, static_cast<u8>((number == 4 ? 0xa0 : 0xa8) | pop)});
  else
    d.bytes({static_cast<u8>(number << 3 | 6 | pop)});
  if (pop) d.frame({stack_or_data_selector(d)}, d.is_long() && size == 4 ? 8 : size);
}

void load_far_pointer(Draft& d) {
  constexpr std::string_view kNames[] = {"lss", "lfs", "lgs", "les", "lds"};
  const u64 which = d.random.below(d.is_long() ? 3 : 5);
  const u64 at = d.data_address();
  d.c.name = kNames[which];
  const unsigned size = d.size_prefix();
  switch (which) {
    case 0:
      d.bytes({0x0f, 0xb2});
      break;
    case 1:
      d.bytes({0x0f, 0xb4});
      break;
    case 2:
      d.bytes({0x0f, 0xb5});
      break;
    case 3:
      d.bytes({0xc4});
      break;
    default:
      d.bytes({0xc5});
  }
  d.memory_operand(d.pick<u8>({0, 1, 2, 5, 6, 7}), at);
  d.store_at(at, d.random(), size);
  d.store_at(at + size, stack_or_data_selector(d), 2);
}

constexpr Family kFamilies[] = {
    {"GDTR and IDTR", table_registers},       {"LDTR and TR", ldtr_and_tr},
    {"questions about selectors", questions}, {"mov sreg", mov_segment},
    {"push and pop sreg", push_pop_segment},  {"far pointers", load_far_pointer},
};

}  // namespace

std::span<const Family> segment_families() {
  return kFamilies;
}

}  // namespace kite::ring0
