#include "machine/boot/entry_state.h"

#include "base/bits.h"
#include "firmware/layout.h"

namespace kite {

namespace {

constexpr u64 kCr0Pe = bit(0), kCr0Et = bit(4), kCr0Pg = bit(31);
constexpr u64 kCr4Pae = bit(5);
constexpr u64 kEferLme = bit(8), kEferLma = bit(10);
constexpr u8 kDataReadWriteAccessed = 3, kCodeExecuteReadAccessed = 11, kBusyTss = 11;
constexpr u16 kTssLimit = 0x67;
constexpr u64 kLargePage = 2 * MiB;
constexpr unsigned kDirectories = 4;  // of 1 GiB each

Segment flat(u16 selector, u8 type) {
  return {.selector = selector, .limit = 0xffffffff, .type = type, .db = true, .g = true};
}

Segment code_segment(EntryMode mode) {
  auto segment = flat(kBootCodeSelector, kCodeExecuteReadAccessed);
  segment.l = mode == EntryMode::kLong;
  segment.db = mode == EntryMode::kProtected;
  return segment;
}

Segment task_segment() {
  return {.selector = kBootTaskSelector, .limit = kTssLimit, .type = kBusyTss, .s = false};
}

// SDM 3A figure 3-8.
u64 descriptor(const Segment& segment) {
  const u64 limit = segment.g ? segment.limit >> 12 : segment.limit;
  return bits(limit, 15, 0) | bits(segment.base, 23, 0) << 16 | u64{segment.type} << 40 |
         u64{segment.s} << 44 | u64{segment.dpl} << 45 | u64{segment.present} << 47 |
         bits(limit, 19, 16) << 48 | u64{segment.avl} << 52 | u64{segment.l} << 53 |
         u64{segment.db} << 54 | u64{segment.g} << 55 | bits(segment.base, 31, 24) << 56;
}

// As firmware leaves it: MTRRs on, memory is write-back unless a range says otherwise.
constexpr u64 kMtrrsWriteBack = 0x806;

constexpr u16 kGdtSize = kBootTaskSelector + 16;  // a TSS descriptor of long mode has 16 bytes

}  // namespace

std::vector<u8> boot_gdt(EntryMode mode) {
  std::vector<u8> gdt(kGdtSize);
  store<u64>(&gdt[kBootCodeSelector], descriptor(code_segment(mode)));
  store<u64>(&gdt[kBootDataSelector], descriptor(flat(kBootDataSelector, kDataReadWriteAccessed)));
  store<u64>(&gdt[kBootTaskSelector], descriptor(task_segment()));
  return gdt;
}

std::vector<u8> identity_page_tables() {
  constexpr u64 kPresentWritable = 3, kPageSizeBit = bit(7);
  std::vector<u8> tables((2 + kDirectories) * kPageSize);
  const Gpa pointers = layout::kPageTables + kPageSize, directories = pointers + kPageSize;
  store<u64>(tables.data(), pointers | kPresentWritable);
  for (u64 i = 0; i < kDirectories; ++i)
    store<u64>(&tables[kPageSize + 8 * i], (directories + i * kPageSize) | kPresentWritable);
  for (u64 i = 0; i < kDirectories * 512; ++i)
    store<u64>(&tables[2 * kPageSize + 8 * i], i * kLargePage | kPresentWritable | kPageSizeBit);
  return tables;
}

// ACPI 6.5 5.2.10: the segment is the address's page, and IF is clear.
X86State waking_state(u32 vector) {
  X86State state = X86State::after_reset();
  state.segments[kCs].selector = static_cast<u16>(vector >> 4);
  state.segments[kCs].base = vector & ~u32{15};
  state.rip = vector & 15;
  state.mtrr_def_type = kMtrrsWriteBack;
  return state;
}

X86State entry_state(EntryMode mode, u64 address) {
  X86State state;
  state.rip = address;
  state.gpr[kRsp] = mode == EntryMode::kReal ? layout::kFlatImage : layout::kStack;
  state.idtr = {.base = 0, .limit = mode == EntryMode::kReal ? u16{0x3ff} : u16{0}};
  if (mode == EntryMode::kReal) {
    state.segments[kCs].type = kCodeExecuteReadAccessed;
    return state;
  }
  state.mtrr_def_type = kMtrrsWriteBack;
  state.segments.fill(flat(kBootDataSelector, kDataReadWriteAccessed));
  state.segments[kCs] = code_segment(mode);
  state.tr = task_segment();
  state.gdtr = {.base = layout::kGdt, .limit = kGdtSize - 1};
  state.cr0 = kCr0Pe | kCr0Et;
  if (mode == EntryMode::kLong) {
    state.cr0 |= kCr0Pg;
    state.cr3 = layout::kPageTables;
    state.cr4 = kCr4Pae;
    state.efer = kEferLme | kEferLma;
  }
  return state;
}

}  // namespace kite
