#include "tests/isa/host/generate.h"

#include <algorithm>

#include "accel/x86/registers.h"
#include "base/bits.h"
#include "tests/isa/support/boundaries.h"
#include "tests/isa/support/host_features.h"

namespace kite::isa {
namespace {

using tcg::Insn;
using tcg::Place;
using tcg::Row;

constexpr std::string_view kHostState = "reads or changes what belongs to the host's kernel";
// clang-format off
constexpr std::string_view kRefusals[] = {
    // System calls and interrupts of the host; its kernel's tables.
    "syscall", "sysret", "sysenter", "sysexit", "int", "int1", "int3", "icebp", "into", "iret",
    "ret far", "retf", "call far", "jmp far", "swapgs",
    // Answers differ by nature.
    "cpuid", "rdtsc", "rdtscp", "rdpmc", "rdrand", "rdseed", "rdpid", "xgetbv", "sgdt", "sidt",
    "sldt", "str", "smsw", "lar", "lsl", "verr", "verw",
    // The host's segments and thread-local storage.
    "rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase", "lfs", "lgs", "lss",
    // The host has more state than the guest.
    "xsave", "xsave64", "xrstor", "xrstor64", "xsaveopt", "xsaveopt64", "xsavec",
    "xsavec64", "xsetbv", "rdpkru", "wrpkru", "fxsave", "fxsave64", "fxrstor",
    "fxrstor64", "fnstenv", "fldenv", "fnsave", "frstor",
    // Approximations: each make of processor has its own table.
    "rcpps", "rcpss", "rsqrtps", "rsqrtss", "vrcpps", "vrcpss", "vrsqrtps", "vrsqrtss", "f2xm1",
    "fcos", "fsin", "fsincos", "fptan", "fpatan", "fyl2x", "fyl2xp1",
    // Whether a mask of zeros may fault is the processor's choice (SDM 2B).
    "maskmovdqu", "vmaskmovdqu", "maskmovq",
    // The host may have instructions for these that the guest's model hides.
    "monitor", "mwait", "vmcall", "vmmcall",
};
// clang-format on

bool touches_segments(const Row& row) {
  const u8 opcode = row.encoding.opcode;  // PUSH and POP of FS and GS
  if (row.encoding.map == 1 && (opcode & 0xf6) == 0xa0) return true;
  // Control and debug registers: #UD for the number and #GP for the privilege compete.
  if (row.encoding.map == 1 && opcode >= 0x20 && opcode <= 0x23) return true;
  return std::any_of(row.operands.begin(), row.operands.begin() + row.operand_count,
                     [](const tcg::OperandSpec& operand) {
                       return std::string_view(operand.name) == "Sw" ||
                              operand.place == Place::kFar;
                     });
}

u64 any_value(Random& random) {
  const u64 choice = random() % 8;
  if (choice < 5) return kBoundaries[random() % std::size(kBoundaries)];
  if (choice == 5) return random();
  if (choice == 6) return random() % 64;
  return u64{1} << (random() % 64);
}

// Mostly inside the data pages; sometimes at their end, read-only, missing or not canonical.
u64 any_target(Random& random) {
  switch (random() % 16) {
    case 0:
      return kDataBase + kDataSize - random() % 24;
    case 1:
      return kReadOnlyBase + random() % 64;
    case 2:
      return kDataBase + kPageSize - random() % 24;
    case 3:
      return random() % 4 ? kDataBase - random() % 24 : any_value(random);
    case 4:
    case 5:
      return kDataBase + 256 + random() % 128;
    default:
      return kDataBase + 256 + 16 * (random() % 128);
  }
}

bool is_named(const Row& row, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, std::string_view(row.name)) != names.end();
}

bool may_go_elsewhere(const Row& row) {
  const std::string_view name = row.name;
  return std::any_of(row.operands.begin(), row.operands.begin() + row.operand_count,
                     [](const tcg::OperandSpec& o) { return o.place == Place::kRelative; }) ||
         name.starts_with("j") || name.starts_with("call") || name.starts_with("ret") ||
         name.starts_with("loop") || name.starts_with("popf");
}

void aim_memory(const Insn& insn, Registers& registers, Random& random) {
  auto& gpr = registers.gpr;
  if (insn.index != tcg::kNoRegister) gpr[insn.index] = random() % 32 - 16;
  if (insn.base >= 16) return;
  const u64 index = insn.index == tcg::kNoRegister ? 0 : gpr[insn.index] << insn.scale;
  const u64 gs = insn.segment == kGs ? kDataBase : 0;
  u64 base = any_target(random) - gs - index - static_cast<u64>(i64{insn.disp});
  if (insn.index == insn.base) base = kDataBase / (1 + (u64{1} << insn.scale)) + random() % 256;
  if (insn.address_width == 2) base = (base & 0xffffffff) | (random() << 32);
  gpr[insn.base] = base;
}

// Registers that instructions use without naming them.
void aim_implied(const Row& row, const Insn& insn, Registers& registers, Random& random) {
  auto& gpr = registers.gpr;
  if (row.attributes.has(tcg::string)) {
    gpr[kRsi] = any_target(random);
    gpr[kRdi] = any_target(random);
    if (insn.rep) gpr[kRcx] = random() % 4 ? random() % 20 : any_value(random);
  }
  const std::string_view name = row.name;
  if (name.starts_with("push") || name.starts_with("pop") || name.starts_with("call") ||
      name.starts_with("ret") || is_named(row, {"enter", "leave"})) {
    gpr[kRsp] = any_target(random);
    gpr[kRbp] = any_target(random);
  }
  if (name.starts_with("xlat")) gpr[kRbx] = any_target(random);
  if (name.starts_with("maskmov")) gpr[kRdi] = any_target(random);
  if (is_named(row, {"div", "idiv"}) && random() % 2) {
    gpr[kRdx] = random() % 2 ? 0 : sign_extend(gpr[kRax] >> 63, 1);
  }
  if (name.starts_with("bt") && insn.is_memory && random() % 4) {
    gpr[insn.reg / 8 & 15] = random() % 1024 - 512;
  }
  if (name.starts_with("cmpxchg") && random() % 2) {
    gpr[kRax] = initial_word(256 + 16 * (random() % 2));
  }
}

VectorRegisters any_vectors(Random& random) {
  VectorRegisters vectors;
  for (auto& xmm : vectors.xmm) {
    for (u64& half : xmm) half = random() % 2 ? any_value(random) : random();
  }
  // x87 registers: MMX values, or numbers; every other time all are empty.
  for (auto& st : vectors.st) {
    const bool number = random() % 4;
    st[0] = number ? random() | bit(63) : any_value(random);
    st[1] = number ? 0x3fff + random() % 64 - 32 : any_value(random) & 0xffff;
  }
  if (random() % 2) vectors.ftw = static_cast<u8>(random());
  vectors.fsw = static_cast<u16>((random() % 8) << 11 | (random() & 0x4700));
  return vectors;
}

// Behaviour that the manual leaves open, so that two processors may differ.
bool is_undefined(const Origin& origin, const Case& test) {
  const Insn& insn = origin.insn;
  // AMD cuts the target of a near branch with 66h to 16 bits, Intel ignores the prefix (SDM 2A
  // 2.2.1.7, APM 3 "JMP (Near)").
  const bool operand_prefix = std::find(test.code.begin(), test.code.end(), 0x66) <
                              test.code.begin() + std::min<unsigned>(4, insn.length);
  if (origin.row->attributes.has(tcg::force64) && operand_prefix) return true;
  if (is_named(*origin.row, {"bswap"})) return insn.width == 1;
  // With F3h these are TZCNT and LZCNT to processors that have them.
  if (is_named(*origin.row, {"bsf", "bsr"})) return insn.rep != tcg::kRepNone;
  // AMD lets F2h and F3h choose the condition of LOOPE and LOOPNE; the manual reserves them.
  if (is_named(*origin.row, {"loope", "loopne"})) return insn.rep != tcg::kRepNone;
  // With 66h Intel reads 16 bits (SDM 2B), AMD 32.
  if (is_named(*origin.row, {"movsxd"})) return insn.width == 1;
  if (is_named(*origin.row, {"shld", "shrd"})) {
    const bool immediate =
        origin.row->encoding.immediates[0] != tcg::Encoding::Immediate::kNoImmediate;
    const u64 count = immediate ? static_cast<u64>(i64{insn.imm}) : test.registers.gpr[kRcx];
    return insn.width == 1 && (count & 31) > 16;
  }
  return false;
}

}  // namespace

std::string_view incomparable(const Row& row) {
  if (!row.is_implemented) return "has no meaning yet";
  if (row.attributes.has(tcg::undefined)) return "";
  if (std::ranges::find(kRefusals, std::string_view(row.name)) != std::end(kRefusals)) {
    return kHostState;
  }
  if (touches_segments(row)) return kHostState;
  if (!host_has_features_of(row)) return "the host's processor has it not";
  return "";
}

std::optional<Case> make_case(const tcg::Decoder& decoder, const Bytes& bytes, u64 slot,
                              Random& random, Origin& origin) {
  if (decoder.decode(bytes, mode_of(3, 3), origin.insn) != tcg::DecodeStatus::kOk) return {};
  origin.row = tcg::Decoder::row_of(origin.insn);
  if (!origin.row || !incomparable(*origin.row).empty()) return {};
  const Insn& insn = origin.insn;
  if (insn.segment == kFs) return {};  // the host's thread-local storage
  Case test;
  test.length = insn.length;
  test.code.fill(kFiller);
  std::copy_n(bytes.begin(), insn.length, test.code.begin());
  test.single_step = may_go_elsewhere(*origin.row) || random() % 2;
  for (u64& value : test.registers.gpr) value = any_value(random);
  test.registers.gpr[kRsp] = any_target(random) & ~u64{7};
  if (insn.is_memory) aim_memory(insn, test.registers, random);
  aim_implied(*origin.row, insn, test.registers, random);
  test.registers.rip = kCodeBase + slot * kSlotSize;
  test.registers.rflags = rflags::kFixed | (random() & (rflags::kArithmetic | rflags::kDf));
  test.vectors = any_vectors(random);
  if (is_undefined(origin, test)) return {};
  return test;
}

u64 defined_flags(const Origin& origin, const Case& test) {
  constexpr u64 kLetters[6] = {rflags::kOf, rflags::kSf, rflags::kZf,
                               rflags::kAf, rflags::kPf, rflags::kCf};
  const Row& row = *origin.row;
  const Insn& insn = origin.insn;
  if (is_named(row, {"shl", "shr", "sar", "rol", "ror", "rcl", "rcr", "shld", "shrd"})) {
    u64 count = test.registers.gpr[kRcx];
    const tcg::OperandSpec& last = row.operands[row.operand_count - 1];
    if (last.place == Place::kImmediate) count = static_cast<u64>(i64{insn.imm});
    if (std::string_view(last.name) == "1") count = 1;
    count &= row.sized && insn.width == 3 ? 63 : 31;
    if (count == 0) return rflags::kArithmetic;
    const bool rotates = row.name[0] == 'r';
    u64 mask = rflags::kArithmetic;
    if (count > 1) mask &= ~rflags::kOf;
    if (!rotates) mask &= ~rflags::kAf;
    const u64 size = row.sized ? 8u << insn.width : 8;
    if (!rotates && count >= size) mask &= ~rflags::kCf;
    return mask;
  }
  u64 mask = rflags::kArithmetic;
  for (unsigned i = 0; i < 6; ++i) {
    if (row.flags[i] == '-') mask &= ~kLetters[i];
  }
  return mask;
}

}  // namespace kite::isa
