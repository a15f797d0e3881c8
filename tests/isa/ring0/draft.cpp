#include "tests/isa/ring0/draft.h"

#include <algorithm>

#include "accel/x86/descriptor.h"
#include "accel/x86/paging.h"
#include "accel/x86/registers.h"
#include "tests/isa/ring0/image.h"

namespace kite::ring0 {

void Draft::immediate(u64 value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) c.code.push_back(static_cast<u8>(value >> (8 * i)));
}

unsigned Draft::size_prefix(bool wide_allowed) {
  if (random.one_in(4)) {
    bytes({0x66});
    if (!is_long() || !random.one_in(4)) return is_16bit() ? 4 : 2;
  }
  if (is_long() && wide_allowed && random.one_in(2)) return bytes({0x48}), 8;
  if (c.code.empty()) return is_16bit() ? 2 : 4;
  return is_16bit() ? 4 : 2;
}

Gpr Draft::register_operand(u8 reg) {
  u8 number = low(3);
  if (number == kRsp) number = kRax;
  bytes({static_cast<u8>(0xc0 | (reg & 7) << 3 | number)});
  return static_cast<Gpr>(number);
}

void Draft::memory_operand(u8 reg, u64 address) {
  bytes({static_cast<u8>((reg & 7) << 3 | (is_16bit() ? 7 : 3))});
  c.gpr(kRbx) = is_long() ? address : address & 0xffffffff;
}

void Draft::operand(u8 reg, u64 value, unsigned size) {
  if (random.one_in(2)) {
    c.gpr(register_operand(reg)) = is_long() ? value : value & 0xffffffff;
  } else {
    const u64 address = data_address();
    memory_operand(reg, address);
    store_at(address, value, size);
  }
}

u64 Draft::value() {
  switch (random.below(8)) {
    case 0:
      return random.below(16);
    case 1:
      return canonical_or_not();
    case 2:
      return random() & 0xffff;
    case 3:
      return bit(static_cast<unsigned>(random.below(64)));
    case 4:
      return static_cast<u64>(sign_extend(random(), 32));
    case 5:
      return random() & 0xffffffff;
    default:
      return random();
  }
}

u64 Draft::canonical_or_not() {
  switch (random.below(6)) {
    case 0:
      return 0x00007fffffffffff - random.below(16);
    case 1:
      return 0x0000800000000000 + random.below(16);
    case 2:
      return 0xffff800000000000 - random.below(16);
    case 3:
      return 0xffff800000000000 | kTarget;
    default:
      return pick({kTarget, kUserCode}) + random.below(256);
  }
}

u64 Draft::data_address() {
  u64 address = pick({kSystemPage, kUserPage, kReadOnlyPage, kMissingPage, kUserCode,
                      kNoExecutePage, kUserPage, kUserPage});
  address += random.one_in(3) ? 0u - random.below(16) : random.below(64) * 8;
  if (random.one_in(24)) address = kGdt + kNotAccessed + random.below(0x30);
  // The end of 64 KiB; under paging the page tables are behind it.
  if (random.one_in(16) && !is_paged(c.mode))
    address = pick({0xffffu, 0xfffeu, 0xfffcu, 0xfff8u, 0xfff1u});
  if (!random.one_in(12)) return address;
  if (is_long()) {
    const u64 top = pick<u64>({u64{0}, 0xffff800000000000, 0x0000800000000000, u64{0x200000}});
    return top ? top + (random.one_in(4) ? 0u - random.below(8) : address)
               : 0x0000800000000000 - random.below(16);
  }
  if (is_paged(c.mode)) return address + pick({0x200000u, 0x400000u, 0x800000u});
  return address;
}

u16 Draft::any_selector() {
  if (!has_selectors(c.mode))
    return pick<u16>({0, 0x500, 0x600, 0x800, static_cast<u16>(random.below(0x800))});
  const u16 index = static_cast<u16>(random.below((kTableLimit + 1) / 8 + 1) * 8);
  u16 rpl = random.one_in(3) ? low(2) : static_cast<u16>(c.cpl);
  if (random.one_in(6)) return static_cast<u16>(random.one_in(3) ? low(2) : kRandom | rpl);
  return static_cast<u16>(index | rpl | (random.one_in(6) ? selector::kTi : 0));
}

u16 Draft::code_selector() {
  if (!has_selectors(c.mode)) return pick<u16>({0, 0xf00, 0x900});
  if (random.one_in(3)) return any_selector();
  const u16 code =
      pick<u16>({kCode0, kCode3, kCode64, kCode64User, kCode16, kCode16User, kConforming, kCode1});
  return static_cast<u16>(code | (random.one_in(4) ? low(2) : c.cpl));
}

u64 Draft::code_offset(u16 selector) {
  if (!has_selectors(c.mode))
    return (selector == 0xf00 || selector == 0x900 ? 0 : kTarget) + random.below(16);
  if (random.one_in(16)) return canonical_or_not();
  if (random.one_in(24)) return 0x10000 + random.below(4);
  return pick({kTarget, kUserCode}) + random.below(16);
}

void Draft::store_at(u64 address, u64 value, unsigned size) {
  address &= 0xfffff;  // the mirrors of memory in the upper half and at 2 and 4 MiB
  for (unsigned i = 0; i < size; ++i)
    if (address + i < kPml4) c.put8(static_cast<u32>(address + i), static_cast<u8>(value >> 8 * i));
}

void Draft::frame(std::initializer_list<u64> values, unsigned size) {
  u64 sp = c.gpr(kRsp);
  for (u64 value : values) {
    store_at(c.state.segments[kSs].base + (is_16bit() ? sp & 0xffff : sp), value, size);
    sp += size;
  }
}

void Draft::registers() {
  for (u64& gpr : c.state.gpr) {
    gpr = value();
    if (!is_long()) gpr &= 0xffffffff;
  }
  c.state.cr2 = 0x1234;
  c.state.dr6 = dr6::kFixed;
}

void Draft::flags() {
  u64& flags = c.state.rflags;
  flags |= random() & rflags::kArithmetic;
  if (random.one_in(2)) flags |= rflags::kIf;
  if (random.one_in(4)) flags |= rflags::kDf;
  if (random.one_in(4)) flags |= rflags::kAc;
  if (random.one_in(8)) flags |= rflags::kId;
  if (random.one_in(2)) flags |= random() & rflags::kIopl;
  if (random.one_in(16)) flags |= rflags::kNt;
  if (random.one_in(24)) flags |= rflags::kTf;
}

void Draft::control_bits() {
  X86State& s = c.state;
  for (u64 one : {cr0::kMp, cr0::kEm, cr0::kTs, cr0::kNe, cr0::kAm, cr0::kWp})
    if (random.one_in(4)) s.cr0 ^= one;
  u64 may = cr4::kTsd | cr4::kDe | cr4::kPge | cr4::kPce | cr4::kOsfxsr | cr4::kUmip |
            cr4::kOsxsave | cr4::kFsgsbase | cr4::kSmep | cr4::kSmap | cr4::kMce;
  if (c.mode <= Mode::kPaged32) may |= cr4::kVme | cr4::kPvi;
  if (is_long() || c.mode == Mode::kCompat) may |= cr4::kPcide;
  for (unsigned i = 0; i < 32; ++i)
    if ((may & model.cr4_bits() & bit(i)) && random.one_in(4)) s.cr4 ^= bit(i);
  if (random.one_in(4)) s.efer ^= efer::kSce;
  constexpr u64 kVectors = xcr0::kX87 | xcr0::kSse;
  if (random.one_in(2) && (model.xcr0_bits() & kVectors) == kVectors) s.fpu.xcr0 = kVectors;
}

void Draft::msrs() {
  X86State& s = c.state;
  const u16 bases[] = {kCode0, kCode64, kData0, kCode3, kCode1, 0x1b, 0x28 | 3};
  s.star = u64{bases[random.below(7)]} << 32 | u64{bases[random.below(7)]} << 48 |
           (kTarget + random.below(16));
  s.lstar = kTarget + random.below(16);
  s.cstar = kTarget + random.below(16);
  s.sfmask = random.one_in(2) ? random() & 0x3fffff : 0;
  s.kernel_gs_base = random.one_in(2) ? kSystemPage : 0xffff800000000000 | random.below(4096);
  s.sysenter_cs = random.one_in(4) ? random.below(4) : bases[random.below(7)];
  s.sysenter_esp = kInnerStacks + 0xf00;
  s.sysenter_eip = kTarget + random.below(16);
  s.tsc_aux = model.has(Feature::kRdtscp) ? random() & 0xffffffff : 0;
}

void Draft::random_descriptor(u32 table) {
  const u64 base = pick<u64>({u64{0}, u64{0}, u64{kUserPage}, u64{kTss2}});
  const u32 limit = pick({0u, 0x2bu, 0x67u, 0xfffu, 0xffffu, 0xfffffu});
  u64 entry = describe(base, limit, static_cast<u8>(random() | 0x80), low(4));
  if (random.one_in(8)) entry &= ~descriptor::kPresent;
  if (random.one_in(3))  // some gate
    entry = code_offset(kCode0) | u64{code_selector()} << 16 | random.below(4) << 32 |
            u64{pick<u8>({0xe4, 0xec, 0xe5, 0x8c, 0xee})} << 40;
  c.put64(table + kRandom, entry);
  c.put64(table + kRandom + 8, random.one_in(8) ? random() : 0);
}

void Draft::segments() {
  X86State& s = c.state;
  for (unsigned i : {kEs, kDs, kFs, kGs}) {
    if (!random.one_in(8)) continue;
    if (!has_selectors(c.mode)) {
      const u16 selector = pick<u16>({0x10, 0x50});
      s.segments[i].selector = selector;
      s.segments[i].base = u64{selector} << 4;
      continue;
    }
    const u16 selector =
        pick<u16>({kNull, kReadOnlyData | 3, kExpandDown | 3, kSmallData | 3, kData3 | 3});
    s.segments[i] = selector == kNull ? null_segment(0, 0) : segment_from(c.ram, c.mode, selector);
  }
  if (!::kite::ring0::is_long(c.mode)) return;
  for (unsigned i : {kFs, kGs})
    if (random.one_in(4)) s.segments[i].base = pick<u64>({u64{0x10}, 0xffff800000000000});
}

void Draft::page_tables() {
  if (!is_paged(c.mode) || !random.one_in(6)) return;
  const bool wide = c.mode != Mode::kPaged32;
  const u32 page = pick({kSystemPage, kUserPage, kReadOnlyPage, kStackPage, kUserCode, kTarget});
  u32 entry = page_entry(c.mode, page);
  if (random.one_in(6)) entry = wide ? kDirectory : kDirectory32;
  if (random.one_in(6) && ::kite::ring0::is_long(c.mode)) entry = pick({kPdpt, kPml4});
  u64 flip = pick<u64>({pte::kPresent, pte::kWritable, pte::kUser, pte::kAccessed, pte::kDirty,
                        pte::kNoExecute, bit(51), pte::kGlobal});
  if (!wide && flip > 0xffffffff) flip = pte::kWritable;
  if (wide)
    c.put64(entry, c.get<u64>(entry) ^ flip);
  else
    c.put32(entry, c.get<u32>(entry) ^ static_cast<u32>(flip));
}

// What lies in memory for gates and interrupts, sometimes spoiled.
void Draft::tables() {
  random_descriptor(kGdt);
  random_descriptor(kLdt);
  if (random.one_in(16)) c.put64(kGdt + kGate + 8, bit(static_cast<unsigned>(random.below(64))));
  if (c.mode == Mode::kReal) return;
  if (random.one_in(24)) c.put8(kTss + 4, low(8)), c.put8(kTss + 5, 1 + low(3));
  if (random.one_in(24)) c.put16(kTss + 8, ::kite::ring0::is_long(c.mode) ? 0 : any_selector());
  if (random.one_in(24)) c.state.tr.limit = pick({0x67u, 0x7u, 0xbu, 0x88u, 0x90u});
  if (random.one_in(32)) c.state.idtr.limit = pick<u16>({0x3f, 0x7f, 0x1ff});
  if (random.one_in(16)) c.state.ldtr = null_segment(0, 0), c.state.ldtr.s = false;
}

void Draft::stack() {
  u64 top = kStackPage + 0x400 + random.below(0x80) * 8;
  if (random.one_in(16)) top += random.below(8);
  if (random.one_in(12))
    top = pick({kUserPage, kReadOnlyPage, kMissingPage, kUserCode}) + random.below(17) - 8;
  // Not in real mode, whose vectors a frame that wraps would overwrite.
  if (random.one_in(32) && !is_paged(c.mode) && c.mode != Mode::kReal)
    top = pick({0x10000u, 0xfffeu, 0xffffu, 0xfffcu});
  if (is_16bit()) top &= 0xffff;
  if (is_long() && random.one_in(24)) top |= 0xffff800000000000;
  if (is_long() && random.one_in(48)) top = 0x0000800000000000 + random.below(17) - 8;
  c.gpr(kRsp) = top;
}

void Draft::surroundings() {
  registers();
  flags();
  control_bits();
  msrs();
  tables();
  segments();
  page_tables();
  stack();
}

}  // namespace kite::ring0
