#include "tests/isa/ring0/image.h"

#include <algorithm>

#include "accel/x86/descriptor.h"
#include "accel/x86/paging.h"
#include "accel/x86/registers.h"

namespace kite::ring0 {
namespace {

class Builder {
 public:
  Builder(Mode mode, unsigned cpl) : mode_(mode), cpl_(cpl), ram_(kRamSize, 0xf4) {}

  Ram build() {
    std::fill_n(ram_.begin() + kIvt, 0x1000, u8{0});
    std::fill_n(ram_.begin() + kGdt, 0x4000, u8{0});
    descriptors();
    std::copy_n(ram_.begin() + kGdt, kTableLimit + 1, ram_.begin() + kLdt);
    vectors();
    tasks();
    data();
    if (is_paged(mode_)) page_tables();
    return std::move(ram_);
  }

 private:
  template <class T>
  void put(u32 address, T value) {
    store<T>(ram_.data() + address, value);
  }

  void segments() {
    constexpr u8 kFlat32 = 0xc, kFlat64 = 0xa, k16 = 0;
    put<u64>(kGdt + kCode0, describe(0, 0xfffff, 0x9b, kFlat32));
    put<u64>(kGdt + kData0, describe(0, 0xfffff, 0x93, kFlat32));
    put<u64>(kGdt + kCode3, describe(0, 0xfffff, 0xfb, kFlat32));
    put<u64>(kGdt + kData3, describe(0, 0xfffff, 0xf3, kFlat32));
    put<u64>(kGdt + kCode64, describe(0, 0xfffff, 0x9b, kFlat64));
    put<u64>(kGdt + kCode64User, describe(0, 0xfffff, 0xfb, kFlat64));
    put<u64>(kGdt + kCode16, describe(0, 0xffff, 0x9b, k16));
    put<u64>(kGdt + kData16, describe(0, 0xffff, 0x93, k16));
    put<u64>(kGdt + kCode16User, describe(0, 0xffff, 0xfb, k16));
    put<u64>(kGdt + kData16User, describe(0, 0xffff, 0xf3, k16));
    put<u64>(kGdt + kConforming, describe(0, 0xfffff, 0x9f, is_long(mode_) ? kFlat64 : kFlat32));
    put<u64>(kGdt + kAbsentCode, describe(0, 0xfffff, 0x7b, kFlat32));
    put<u64>(kGdt + kAbsentData, describe(0, 0xfffff, 0x73, kFlat32));
    put<u64>(kGdt + kExpandDown, describe(0, 0x4, 0xf7, kFlat32));
    put<u64>(kGdt + kReadOnlyData, describe(0, 0xfffff, 0xf1, kFlat32));
    put<u64>(kGdt + kExecuteOnly, describe(0, 0xfffff, 0xf9, kFlat32));
    put<u64>(kGdt + kCode1, describe(0, 0xfffff, 0xbb, is_long(mode_) ? kFlat64 : kFlat32));
    put<u64>(kGdt + kData1, describe(0, 0xfffff, 0xb3, kFlat32));
    put<u64>(kGdt + kNotAccessed, describe(0, 0xfffff, 0xf2, kFlat32));
    put<u64>(kGdt + kSmallData, describe(kUserPage, 0xf, 0xf3, 4));
  }

  void descriptors() {
    segments();
    put<u64>(kGdt + kTssSelector, describe(kTss, kTssLimit, 0x8b, 0));
    put<u64>(kGdt + kLdtSelector, describe(kLdt, kTableLimit, 0x82, 0));
    put<u64>(kGdt + kTss2Selector, describe(kTss2, 0x67, 0x89, 0));
    put<u64>(kGdt + kTss16Selector, describe(kTss2, 0x2b, 0x81, 0));
    put<u64>(kGdt + kTaskGate, u64{kTss2Selector} << 16 | u64{0xe5} << 40);
    const u16 code = is_long(mode_) ? kCode64 : kCode0;
    put<u64>(kGdt + kGate, kTarget | u64{code} << 16 | u64{0xec} << 40);
    put<u64>(kGdt + kOtherGate, kTarget | u64{kCode1} << 16 | u64{0xec} << 40 | u64{1} << 32);
  }

  // Every second vector may be called from ring 3; a few are odd in some way.
  u64 gate(unsigned vector) const {
    const u64 type = vector & 2 ? 15 : 14, dpl = vector >= 32 && (vector & 1) ? 3 : 0;
    u64 access = 0x80 | dpl << 5 | type;
    u64 code = is_long(mode_) ? kCode64 : kCode0;
    u64 ist = 0;
    switch (vector) {
      case 0x50:
        access = 0x6e;
        break;
      case 0x51:
        access = 0xec;
        break;
      case 0x52:
        ist = 1, access = 0xee;
        break;
      case 0x53:
        access = 0xe6;
        break;
      case 0x54:
        code = kConforming, access = 0xee;
        break;
      case 0x55:
        code = kCode3 | 3, access = 0xee;
        break;
      case 0x56:
        code = kNull, access = 0xee;
        break;
      case 0x57:
        code = kTss2Selector, access = 0xe5;
        break;
      case 0x58:
        code = kAbsentCode, access = 0xee;
        break;
      case 0x59:
        code = kData0, access = 0xef;
        break;
      case 0x5a:
        code = kCode1, access = 0xee;
        break;
      case 0x5b:
        code = kLdtSelector + 0x100, access = 0xee;
        break;
      case 0x5c:
        code = (kCode0 | 4), access = 0xef;
        break;
      default:
        break;
    }
    return (kHandlers + vector * 16) | code << 16 | ist << 32 | access << 40;
  }

  void vectors() {
    for (unsigned vector = 0; vector < 256; ++vector) {
      put<u32>(kIvt + vector * 4, vector * 16 | (kHandlers >> 4) << 16);
      put<u64>(kIdt + vector * (is_long(mode_) ? 16 : 8), gate(vector));
    }
  }

  void tasks() {
    if (is_long(mode_)) {
      for (u32 i = 0; i < 3; ++i) put<u64>(kTss + 4 + 8 * i, kInnerStacks + 0xf00 - 0x200 * i);
      for (u32 i = 0; i < 7; ++i) put<u64>(kTss + 0x24 + 8 * i, kInnerStacks + 0x900 - 0x100 * i);
    } else {
      const u16 stacks[] = {kData0, kData1 | 1, kData3 | 2};
      for (u32 i = 0; i < 3; ++i) {
        put<u32>(kTss + 4 + 8 * i, kInnerStacks + 0xf00 - 0x200 * i);
        put<u16>(kTss + 8 + 8 * i, stacks[i]);
      }
      other_task();
    }
    put<u16>(kTss + 0x66, kIoMap);
    for (u32 i = 0; i < 32; ++i) put<u8>(kTss + 0x68 + i, static_cast<u8>(i * 0x35));
    for (u32 i = 0; i < 0x80; ++i)
      put<u8>(kTss + kIoMap + i, static_cast<u8>(i % 3 ? i * 0x1d : 0));
    put<u8>(kTss + kIoMap + 0x80, 0xff);
  }

  void other_task() {
    put<u32>(kTss2 + 4, kInnerStacks + 0xf00);
    put<u16>(kTss2 + 8, kData0);
    put<u32>(kTss2 + 0x1c, mode_ == Mode::kPae ? kPaePdpt : kDirectory32);
    put<u32>(kTss2 + 0x20, kTarget);
    put<u32>(kTss2 + 0x24, 2);
    for (u32 i = 0; i < 8; ++i) put<u32>(kTss2 + 0x28 + 4 * i, 0x1010101 * (i + 1));
    put<u32>(kTss2 + 0x38, kInnerStacks + 0xe00);
    for (u32 i = 0; i < 6; ++i) put<u32>(kTss2 + 0x48 + 4 * i, kData0);
    put<u32>(kTss2 + 0x4c, kCode0);
    put<u32>(kTss2 + 0x60, 0);
    put<u32>(kTss2 + 0x64, 0x68u << 16);
  }

  void data() {
    for (u32 i = 0; i < 0x4000; i += 4) put<u32>(kSystemPage + i, 0x6b2f0000 ^ i * 0x9e3779b1u);
    for (u32 i = 0; i < 0x1000; i += 4) put<u32>(kNoExecutePage + i, i * 0x85ebca6bu);
    for (u32 i = 0; i < 0x1000; i += 4) put<u32>(kStackPage + i, i * 0xc2b2ae35u);
  }

  u64 rights_of(u32 page) const {
    constexpr u64 kSystem = pte::kPresent | pte::kWritable | pte::kAccessed | pte::kDirty;
    switch (page) {
      case kUserPage:
        return kSystem | pte::kUser;
      case kReadOnlyPage:
        return pte::kPresent | pte::kUser | pte::kAccessed;
      case kMissingPage:
        return 0;
      case kUserCode:
        return kSystem | pte::kUser;
      case kStackPage:
      case kCodePage:
        return kSystem | (cpl_ == 3 ? pte::kUser : 0);
      case kNoExecutePage:
        return kSystem | (mode_ >= Mode::kPae ? pte::kNoExecute : 0);
      default:
        return kSystem;
    }
  }

  void page_tables() {
    constexpr u64 kAll = pte::kPresent | pte::kWritable | pte::kUser | pte::kAccessed;
    constexpr u64 kBig = kAll | pte::kDirty | pte::kLarge;
    std::fill(ram_.begin() + kPml4, ram_.end(), u8{0});
    for (u32 page = 0; page < kRamSize; page += 0x1000) {
      put<u64>(page_entry(Mode::kLong, page), page | rights_of(page));
      put<u32>(page_entry(Mode::kPaged32, page),
               static_cast<u32>((page | rights_of(page)) & 0xffffffff));
    }
    put<u64>(kPml4, kPdpt | kAll);
    put<u64>(kPml4 + 256 * 8, kPdpt | kAll);
    put<u64>(kPdpt, kDirectory | kAll);
    put<u64>(kPaePdpt, kDirectory | pte::kPresent);
    put<u64>(kDirectory, kTable | kAll);
    put<u64>(kDirectory + 8, kBig);  // the same memory again, for every level
    put<u32>(kDirectory32, static_cast<u32>(kTable32 | kAll));
    put<u32>(kDirectory32 + 4, static_cast<u32>(kBig));
  }

  const Mode mode_;
  const unsigned cpl_;
  Ram ram_;
};

Segment old_segment(u16 selector, u8 dpl, bool code) {
  return {.selector = selector,
          .base = u64{selector} << 4,
          .limit = 0xffff,
          .type = static_cast<u8>(code && dpl == 0 ? 11 : 3),
          .dpl = dpl};
}

u64 cr0_for(Mode mode) {
  u64 value = cr0::kEt | cr0::kNe;
  if (mode != Mode::kReal) value |= cr0::kPe;
  if (is_paged(mode)) value |= cr0::kPg | cr0::kWp;
  return value;
}

// Code, stack and data segments of the mode and level.
void set_segments(X86State& state, const Ram& ram, Mode mode, unsigned cpl) {
  if (!has_selectors(mode)) {
    const u8 dpl = mode == Mode::kV86 ? 3 : 0;
    const Segment data = old_segment(0, dpl, false);
    for (Segment& segment : state.segments) segment = data;
    state.segments[kCs] = old_segment(0x800, dpl, true);
    state.rip = kCodePage - 0x8000;
    return;
  }
  u16 code = cpl ? kCode3 : kCode0, data = cpl ? kData3 : kData0;
  if (mode == Mode::kProtected16) code = cpl ? kCode16User : kCode16;
  if (mode == Mode::kProtected16) data = cpl ? kData16User : kData16;
  if (mode == Mode::kLong) code = cpl ? kCode64User : kCode64;
  const u16 rpl = static_cast<u16>(cpl);
  const Segment filler = segment_from(ram, mode, data | rpl);
  for (Segment& segment : state.segments) segment = filler;
  state.segments[kCs] = segment_from(ram, mode, code | rpl);
  state.rip = kCodePage;
}

}  // namespace

Ram memory_for(Mode mode, unsigned cpl) {
  return Builder(mode, cpl).build();
}

u32 page_entry(Mode mode, u32 linear) {
  return mode == Mode::kPaged32 ? kTable32 + linear / 0x1000 * 4 : kTable + linear / 0x1000 * 8;
}

Segment segment_from(const Ram& ram, Mode mode, u16 selector) {
  const u32 at = (selector & selector::kTi ? kLdt : kGdt) + selector::index(selector);
  const u64 low = load<u64>(ram.data() + at);
  const bool wide = is_long(mode) && !(low & descriptor::kS);
  return unpack_descriptor(selector, low, wide ? load<u64>(ram.data() + at + 8) : 0);
}

X86State state_for(Mode mode, unsigned cpl) {
  const Ram ram = memory_for(mode, cpl);
  X86State state = X86State::after_reset();
  state.cr0 = cr0_for(mode);
  state.cr4 = mode >= Mode::kPae ? cr4::kPae : mode == Mode::kPaged32 ? cr4::kPse : 0;
  if (is_paged(mode))
    state.cr3 = mode == Mode::kPaged32 ? kDirectory32 : mode == Mode::kPae ? kPaePdpt : kPml4;
  if (is_long(mode)) state.efer = efer::kLme | efer::kLma | efer::kSce;
  if (mode >= Mode::kPae) state.efer |= efer::kNxe;
  set_segments(state, ram, mode, cpl);
  state.gdtr = {kGdt, kTableLimit};
  state.idtr = {kIdt, static_cast<u16>(is_long(mode) ? 0xfff : 0x7ff)};
  state.tr = segment_from(ram, mode, kTssSelector);
  state.ldtr = segment_from(ram, mode, kLdtSelector);
  if (mode == Mode::kReal) {
    state.idtr = {kIvt, 0x3ff};
    state.tr = {.selector = 0, .base = 0, .limit = 0xffff, .type = 11, .s = false};
    state.ldtr = {.selector = 0, .base = 0, .limit = 0xffff, .type = 2, .s = false};
  }
  state.rflags = rflags::kFixed | (mode == Mode::kV86 ? rflags::kVm : 0);
  return state;
}

}  // namespace kite::ring0
