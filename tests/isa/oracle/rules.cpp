#include "tests/isa/oracle/rules.h"

#include <algorithm>
#include <vector>

#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "tests/isa/oracle/bounds.h"
#include "tests/isa/oracle/interpreter.h"
#include "tests/isa/support/host_features.h"

namespace kite::oracle {
namespace {

using tcg::Insn;
using tcg::Place;
using tcg::Row;

struct Exclusion {
  std::string_view reason;
  std::initializer_list<std::string_view> names;
};

// clang-format off
constexpr std::string_view kKernel = "enters the host's kernel or reads its tables";
constexpr std::string_view kByNature = "answers differ from one processor, or moment, to the next";
constexpr std::string_view kFar = "far pointers lead to code with other segments";
constexpr std::string_view kSegments = "the host's kernel has other segments";
constexpr std::string_view kState = "supervisor state, or rights to the test's own memory";
constexpr std::string_view kPointers = "AMD saves the x87 pointers only with an exception pending";
constexpr std::string_view kApproximate = "compared by bounds, on Intel's processors only";
const Exclusion kExclusions[] = {
    {kKernel, {"syscall", "sysret", "sysenter", "sysexit", "int", "int1", "int3", "icebp", "into",
               "iret", "retf", "ret far", "call far", "jmp far", "swapgs", "sgdt", "sidt", "sldt",
               "str", "smsw"}},
    {kByNature, {"cpuid", "rdtsc", "rdtscp", "rdpmc", "rdrand", "rdseed", "rdpid", "xgetbv"}},
    {kState, {"xsaves", "xsaves64", "xrstors", "xrstors64", "xsetbv", "rdpkru", "wrpkru"}},
    {"whether a mask of zeros may fault is the processor's choice (SDM 2B)",
     {"maskmovdqu", "maskmovq", "vmaskmovdqu"}},
    {"the host may have instructions for these that the guest's model hides",
     {"monitor", "mwait", "vmcall", "vmmcall"}},
};
// clang-format on

bool has_operand(const Row& row, bool (*wanted)(const tcg::OperandSpec&)) {
  return std::any_of(row.operands.begin(), row.operands.begin() + row.operand_count, wanted);
}

bool is_far(const tcg::OperandSpec& operand) {
  return operand.place == Place::kFar;
}

bool is_fs_or_gs_base(const Row& row) {
  return is_named(row, {"rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase"});
}

std::string_view exclusion_by_host(const Row& row) {
  if (uses_selectors(row) && !isa::host_has_linux_segments()) return kSegments;
  if (is_fs_or_gs_base(row) && !isa::host_enables_fsgsbase()) return "its kernel forbids it";
  if (host_maker() == Maker::kIntel) return {};
  if (is_saved_state(row)) return kPointers;
  return is_approximate(row) ? kApproximate : std::string_view();
}

// #UD for the number and #GP for the privilege compete.
bool is_special_move(const Row& row) {
  return row.encoding.map == 1 && !row.encoding.vex && row.encoding.opcode >= 0x20 &&
         row.encoding.opcode <= 0x23;
}

bool is_mmx(const Row& row) {
  return std::any_of(row.operands.begin(), row.operands.begin() + row.operand_count,
                     [](const tcg::OperandSpec& operand) {
                       return std::string_view("PQN").find(operand.name[0]) !=
                              std::string_view::npos;
                     });
}

bool has_operand_prefix(const Case& test) {
  constexpr std::string_view kPrefixes = "\x66\x67\xf0\xf2\xf3\x2e\x36\x3e\x26\x64\x65";
  for (u8 byte : test.code) {
    if (byte == 0x66) return true;
    if ((byte & 0xf0) == 0x40) continue;  // REX that does not count, ahead of a legacy prefix
    if (kPrefixes.find(static_cast<char>(byte)) == std::string_view::npos) return false;
  }
  return false;
}

// In which order DPPS and DPPD add their products, and so which of several NaNs is the sum, differs
// between processors and even between the lanes of one.
template <class Bits>
void forgive_sums(const Image& silicon, Image& ours) {
  constexpr Bits kInfinity = static_cast<Bits>(sizeof(Bits) == 4 ? 0x7f800000 : u64{0x7ff} << 52);
  const auto is_nan = [](Bits bits) {
    return (bits & static_cast<Bits>(~Bits{0} >> 1)) > kInfinity;
  };
  for (unsigned at = Image::kXmm; at < ours.bytes.size(); at += sizeof(Bits))
    if (is_nan(load<Bits>(&ours.bytes[at])) && is_nan(load<Bits>(&silicon.bytes[at])))
      std::memcpy(&ours.bytes[at], &silicon.bytes[at], sizeof(Bits));
}

std::string_view exclusion_of(const Row& row) {
  if (!row.is_implemented) return "has no meaning yet";
  if (row.attributes.has(tcg::not64)) return "does not exist in 64-bit mode";
  if (row.attributes.has(tcg::undefined)) return {};
  for (const Exclusion& exclusion : kExclusions)
    if (std::ranges::find(exclusion.names, std::string_view(row.name)) != exclusion.names.end())
      return exclusion.reason;
  if (has_operand(row, is_far)) return kFar;
  if (is_special_move(row)) return "the number's #UD and the privilege's #GP compete";
  if (!isa::host_has_features_of(row)) return "the host lacks it";
  return exclusion_by_host(row);
}

void forgive_faults(const Row& row, const Outcome& silicon, Outcome& ours) {
  // A branch to the page where Linux keeps vsyscalls runs the host's code.
  constexpr u64 kVsyscallPage = 0xffffffffff600000 >> 12;
  if (ours.vector == kPageFault && ours.cr2 >> 12 == kVsyscallPage) ours = silicon;
  if (silicon.vector >= 32 || ours.vector >= 32) return;
  const std::string_view name = row.name;
  const auto among = [](u8 vector) {
    return vector == kGeneralProtection || vector == kPageFault || vector == kStackFault;
  };
  // Two faults of one instruction: which comes first is the processor's choice.
  if ((name.starts_with("cmps") || name.starts_with("call")) && among(silicon.vector) &&
      among(ours.vector))
    ours = silicon;
  // An MMX instruction whose memory operand faults may have switched the x87 unit over already; it
  // does so again when it is repeated.
  if (is_mmx(row)) ours.image = silicon.image;
  // Where a masked access of several lanes faults inside its page is the processor's choice.
  if (name.find("maskmov") != std::string_view::npos && silicon.cr2 >> 12 == ours.cr2 >> 12)
    ours.cr2 = silicon.cr2;
  // Intel's processors look at the end of an image first, others where they begin.
  if (is_saved_state(row) && silicon.vector == kPageFault && ours.vector == kPageFault &&
      static_cast<u32>(silicon.cr2 - ours.cr2 + 1024) < 2048) {
    ours.cr2 = silicon.cr2;
    ours.error_code = silicon.error_code;
  }
  // An XRSTOR that finds MXCSR not valid has loaded what it loads before.
  if (name.starts_with("xrstor") && silicon.vector == kGeneralProtection)
    ours.image = silicon.image;
  // Ten bytes are stored as eight and two: of those before a page that may not be written the first
  // may have been stored already.
  if (is_named(row, {"fstp", "fbstp"}) && row.operands[0].bytes == 10) {
    ours.change_count = silicon.change_count;
    ours.changes = silicon.changes;
  }
  // Linux shows faults beyond user space, whose last page it leaves out, as rights violations,
  // whatever was there.
  constexpr u64 kUserEnd = 0x7ffffffff000;
  if (silicon.vector == kPageFault && ours.vector == kPageFault && silicon.cr2 >= kUserEnd)
    ours.error_code |= silicon.error_code & 1;
}

void forgive_registers(const Origin& origin, const Outcome& silicon, Outcome& ours) {
  const Row& row = *origin.row;
  // BSF and BSR of zero leave the destination undefined (SDM 2A).
  if (is_named(row, {"bsf", "bsr"}) && (silicon.rflags & rflags::kZf))
    ours.gpr[origin.insn.reg / 8 % 16] = silicon.gpr[origin.insn.reg / 8 % 16];
  // The limit of the segment that Linux keeps the processor's number in.
  u64& limit = ours.gpr[origin.insn.reg / 8 % 16];
  if (is_named(row, {"lsl"}) && static_cast<u16>(limit) == Interpreter::kNumberLimit)
    limit = silicon.gpr[origin.insn.reg / 8 % 16];
  // A null selector loses its RPL when an interrupt of the host returns (SDM 2A "IRET").
  for (unsigned i = 0; i < ours.selectors.values.size(); ++i)
    if (ours.selectors.values[i] <= 3 && silicon.selectors.values[i] == 0)
      ours.selectors.values[i] = 0;
  // A CMPXCHG of 32 bits that finds another value leaves the upper half of its destination alone on
  // some processors and clears it on others.
  if (!is_named(row, {"cmpxchg"}) || origin.insn.width != 2) return;
  for (unsigned i = 0; i < 16; ++i)
    if (static_cast<u32>(ours.gpr[i]) == static_cast<u32>(silicon.gpr[i]))
      ours.gpr[i] = silicon.gpr[i];
}

void copy_bits(u16 mask, const Image& from, Image& to) {
  const u16 a = load<u16>(&from.bytes[2]), b = load<u16>(&to.bytes[2]);
  store<u16>(&to.bytes[2], static_cast<u16>((a & mask) | (b & ~mask)));
}

// Whether there is a fault, and which, that others than Intel's processors decide otherwise (seen on
// a Zen 4).
bool is_makers_fault(const Row& row, const Insn& insn, const Outcome& silicon,
                     const Outcome& ours) {
  const std::string_view name = row.name;
  const bool fails = silicon.vector < 32, ours_fails = ours.vector < 32;
  // They take operands of the SHA instructions that are not aligned.
  if (name.starts_with("sha1") || name.starts_with("sha256"))
    return ours.vector == kGeneralProtection && silicon.vector != kGeneralProtection;
  // With 32-bit addresses a lane beyond the last of them is at the first.
  if (name.find("maskmov") != name.npos && insn.address_width == 2) return fails || ours_fails;
  // They ignore LOCK before VERW.
  if (name == "verw") return ours.vector == kInvalidOpcode && !fails;
  // MXCSR has a bit for misaligned operands (APM 1 4.2.2).
  constexpr u32 kMisalignedMask = 1u << 17;
  if (name.ends_with("ldmxcsr"))
    return ours_fails && !fails &&
           (load<u32>(&silicon.image.bytes[Image::kMxcsr]) & kMisalignedMask);
  // The exception of the conversion and the fault of its store.
  if (name == "vcvtps2ph") return fails && ours_fails;
  // A store that an exception of its value, not masked, keeps from happening faults all the same.
  constexpr u16 kErrorSummary = 1u << 7;
  if (row.attributes.has(tcg::x87) && insn.is_memory && fails && !ours_fails)
    return load<u16>(&ours.image.bytes[2]) & kErrorSummary;
  // POP of FS or GS reads eight bytes.
  const bool pops = row.encoding.map == 1 && !row.encoding.vex &&
                    (row.encoding.opcode == 0xa1 || row.encoding.opcode == 0xa9);
  return pops && silicon.vector == kPageFault;
}

// Where others than Intel may do otherwise.
void forgive_makers(const Origin& origin, const Case& test, const Outcome& silicon, Outcome& ours) {
  const Row& row = *origin.row;
  if (is_makers_fault(row, origin.insn, silicon, ours)) ours = silicon;
  // What a faulting gather leaves: elements that have been loaded may come again, and the upper
  // halves.
  if (row.attributes.has(tcg::vsib) && silicon.vector < 32) {
    std::copy_n(&silicon.image.bytes[Image::kXmm], 256, &ours.image.bytes[Image::kXmm]);
    std::copy_n(&silicon.image.bytes[Image::kYmm], 256, &ours.image.bytes[Image::kYmm]);
  }
  if (row.attributes.has(tcg::string) && origin.insn.rep) {
    // Intel's processors clear the upper halves at the start of a repetition with 32-bit addresses.
    if (origin.insn.address_width == 2)
      for (unsigned i : {1, 6, 7})
        if (static_cast<u32>(ours.gpr[i]) == static_cast<u32>(silicon.gpr[i]))
          ours.gpr[i] = silicon.gpr[i];
    // They restore the flags where CMPS or SCAS faults; AMD's leave those of the last element.
    if (silicon.vector == kPageFault || silicon.vector == kGeneralProtection)
      ours.rflags = silicon.rflags;
  }
  // With an exception that is not masked: the codes of a comparison (the manual leaves them as they
  // were), whether a store that did not happen tells its loss of precision.
  constexpr u16 kErrorSummary = 1u << 7, kCodes = 0x4700, kPrecision = 1u << 5;
  if (!row.attributes.has(tcg::x87) || !test.vectors ||
      !(load<u16>(&silicon.image.bytes[2]) & kErrorSummary))
    return;
  copy_bits(kCodes | kPrecision, silicon.image, ours.image);
  // A denormal divided by infinity underflows.
  if (is_named(row, {"fprem", "fprem1"})) ours.image = silicon.image;
  const std::string_view name = row.name;
  if (name.starts_with("fcomi") || name.starts_with("fucomi")) ours.rflags = silicon.rflags;
}

// FOP and FDP are kept for exceptions that are not masked, by processors whose CPUID says so in
// FDP_EXCPTN_ONLY (SDM 1 8.1.8); AMD's keep none of the three otherwise.
void forgive_pointers(const Origin& origin, Maker maker, const Outcome& silicon, Outcome& ours) {
  const auto copy = [&](unsigned at, unsigned size) {
    std::copy_n(&silicon.image.bytes[at], size, &ours.image.bytes[at]);
  };
  constexpr u16 kErrorSummary = 1u << 7;
  if (maker != Maker::kIntel || (origin.row->attributes.has(tcg::x87) && silicon.vector < 32))
    return copy(Image::kFop, 2), copy(Image::kFip, 16);
  if (is_saved_state(*origin.row)) {
    // Made canonical for addresses of 57 bits by processors that have them, of 48 by others.
    const u64 theirs = load<u64>(&silicon.image.bytes[Image::kFip]);
    const u64 mine = load<u64>(&ours.image.bytes[Image::kFip]);
    if (sign_extend(theirs, 48) == sign_extend(mine, 48)) copy(Image::kFip, 8);
    return;
  }
  if (!origin.row->attributes.has(tcg::x87)) return;
  const bool unmasked = load<u16>(&silicon.image.bytes[2]) & kErrorSummary;
  if (!unmasked || !origin.insn.is_memory) copy(Image::kFdp, 8);
}

}  // namespace

bool uses_selectors(const Row& row) {
  const u8 opcode = row.encoding.opcode;  // PUSH and POP of FS and GS
  if (row.encoding.map == 1 && (opcode & 0xf6) == 0xa0 && !row.encoding.vex) return true;
  return is_fs_or_gs_base(row) ||
         is_named(row, {"lar", "lsl", "verr", "verw", "lss", "lfs", "lgs"}) ||
         has_operand(row, [](const tcg::OperandSpec& operand) {
           return std::string_view(operand.name) == "Sw";
         });
}

bool is_saved_state(const Row& row) {
  const std::string_view name = row.name;
  return name.starts_with("xsave") || name.starts_with("xrstor") || name.starts_with("fxsave") ||
         name.starts_with("fxrstor") || is_named(row, {"fnstenv", "fldenv", "fnsave", "frstor"});
}

bool is_named(const Row& row, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, std::string_view(row.name)) != names.end();
}

bool uses_vectors(const Row& row) {
  const tcg::Attributes a = row.attributes;
  if (a.has(tcg::wait) || a.has(tcg::x87) || a.has(tcg::mmx) || a.has(tcg::sse) ||
      a.has(tcg::mxcsr))
    return true;
  if (row.name[0] == 'v' || row.name[0] == 'f' || is_saved_state(row)) return true;
  return std::any_of(row.operands.begin(), row.operands.begin() + row.operand_count,
                     [](const tcg::OperandSpec& operand) { return operand.vector; });
}

std::string_view excluded(const Row& row) {
  static const std::vector<std::string_view> known = [] {
    std::vector<std::string_view> list;
    for (const Row& each : tcg::rows()) list.push_back(exclusion_of(each));
    return list;
  }();
  return known[static_cast<std::size_t>(&row - tcg::rows().data())];
}

namespace {

// Does a 32-bit address of a saved state wrap inside it?
bool wraps(const Insn& insn, const Case& test) {
  const auto value = [&](u8 number) { return number < 16 ? test.gpr[number] : 0; };
  const u64 address =
      value(insn.base) + (value(insn.index) << insn.scale) + static_cast<u64>(i64{insn.disp});
  return insn.address_width == 2 && static_cast<u32>(address) > 0xffffffff - 1024;
}

}  // namespace

std::string_view undefined(const Origin& origin, const Case& test) {
  const Insn& insn = origin.insn;
  const Row& row = *origin.row;
  const bool intel = host_maker() == Maker::kIntel;
  if (!intel && row.attributes.has(tcg::force64) && has_operand_prefix(test))
    return "AMD cuts the target of a near branch with 66h to 16 bits, Intel ignores the prefix";
  if (is_saved_state(row) && wraps(insn, test))
    return "where an operand wraps around is the processor's choice";
  if (is_named(row, {"bswap"}) && insn.width == 1) return "BSWAP of 16 bits is undefined (SDM 2A)";
  if (is_named(row, {"bsf", "bsr"}) && insn.rep != tcg::kRepNone)
    return "with F3h it is TZCNT or LZCNT to processors that have them";
  if (!intel && is_named(row, {"loope", "loopne"}) && insn.rep != tcg::kRepNone)
    return "AMD lets F2h and F3h choose the condition; the manual reserves them";
  if (row.text == std::string_view("90+r") && insn.rep == tcg::kRepE)
    return "F3h 90h with REX.B: AMD's processors exchange with R8, Intel's pause";
  if (!intel && is_named(row, {"movsxd"}) && insn.width == 1)
    return "with 66h Intel reads 16 bits (SDM 2B), AMD 32";
  if (!intel && is_named(row, {"lfs", "lgs", "lss"}) && insn.width == 3)
    return "AMD's processors have no far pointers of 80 bits (APM 3 LFS)";
  if (is_named(row, {"shld", "shrd"}) && insn.width == 1) {
    const bool immediate = row.encoding.immediates[0] != tcg::Encoding::Immediate::kNoImmediate;
    const u64 count = immediate ? static_cast<u64>(i64{insn.imm}) : test.gpr[kRcx];
    if ((count & 31) > 16) return "SHLD and SHRD by more than the width are undefined (SDM 2B)";
  }
  return {};
}

namespace {

u64 defined_after_shift(const Row& row, const Insn& insn, u64 count) {
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

}  // namespace

u64 defined_flags(const Origin& origin, const Case& test) {
  constexpr u64 kLetters[6] = {rflags::kOf, rflags::kSf, rflags::kZf,
                               rflags::kAf, rflags::kPf, rflags::kCf};
  const Row& row = *origin.row;
  const Insn& insn = origin.insn;
  if (is_named(row, {"shl", "shr", "sar", "rol", "ror", "rcl", "rcr", "shld", "shrd"})) {
    u64 count = test.gpr[kRcx];
    const tcg::OperandSpec& last = row.operands[row.operand_count - 1];
    if (last.place == Place::kImmediate) count = static_cast<u64>(i64{insn.imm});
    if (std::string_view(last.name) == "1") count = 1;
    return defined_after_shift(row, insn, count);
  }
  u64 mask = rflags::kArithmetic;
  for (unsigned i = 0; i < 6; ++i)
    if (row.flags[i] == '-') mask &= ~kLetters[i];
  return mask;
}

Maker host_maker() {
  static const Maker maker = isa::host_is_intel() ? Maker::kIntel : Maker::kOther;
  return maker;
}

void forgive(const Origin& origin, const Case& test, Maker maker, const Outcome& silicon,
             Outcome& ours) {
  if (maker != Maker::kIntel) forgive_makers(origin, test, silicon, ours);
  forgive_faults(*origin.row, silicon, ours);
  if (test.vectors) forgive_pointers(origin, maker, silicon, ours);
  if (is_approximate(*origin.row)) forgive_approximation(*origin.row, silicon, ours);
  forgive_registers(origin, silicon, ours);
  if (is_named(*origin.row, {"dpps", "vdpps"})) forgive_sums<u32>(silicon.image, ours.image);
  if (is_named(*origin.row, {"dppd", "vdppd"})) forgive_sums<u64>(silicon.image, ours.image);
}

}  // namespace kite::oracle
