#include "tests/isa/ring0/reviewed.h"

#include <algorithm>

#include "accel/x86/paging.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "tests/isa/ring0/image.h"

namespace kite::ring0 {
namespace {

// Where the frame of the event that the case ends with begins, in memory.
u32 top_of_stack(const Outcome& outcome) {
  const X86State& s = outcome.state;
  return static_cast<u32>((s.gpr[kRsp] + (s.segments[kSs].unusable ? 0 : s.segments[kSs].base)) &
                          0xfffff);
}
u64 frame_word(const Judged& j, const Outcome& outcome, unsigned index) {
  const unsigned size = is_long(j.test.mode) ? 8 : j.test.mode == Mode::kReal ? 2 : 4;
  const u32 at = top_of_stack(outcome) + index * size;
  if (at + 8 > kRamSize) return 0;
  return load<u64>(outcome.ram.data() + at) & mask_of_bytes(size);
}
bool in_handler(const Judged& j) {
  return vector_of(j.kvm) >= 0 && vector_of(j.kvm) == vector_of(j.ours);
}
// Which bits of the flags pushed differ, if an event was delivered alike on both sides.
u64 pushed_flags_differ(const Judged& j) {
  const int vector = vector_of(j.kvm);
  if (!in_handler(j) || j.kvm.state.gpr[kRsp] != j.ours.state.gpr[kRsp]) return 0;
  const unsigned index = pushes_error_code(static_cast<u8>(vector)) ? 3 : 2;
  return frame_word(j, j.kvm, index) ^ frame_word(j, j.ours, index);
}
// Memory is the same but for those bits.
bool only_pushed_flags(const Judged& j, const Difference& d, u64 may) {
  if (!in_handler(j) || (pushed_flags_differ(j) & ~may)) return false;
  const unsigned size = is_long(j.test.mode) ? 8 : j.test.mode == Mode::kReal ? 2 : 4;
  const u32 at = top_of_stack(j.kvm) +
                 size * (pushes_error_code(static_cast<u8>(vector_of(j.kvm))) ? 3 : 2);
  return d.address >= at && d.address < at + size &&
         std::equal(j.kvm.ram.begin() + at + size, j.kvm.ram.end(),
                    j.ours.ram.begin() + at + size);
}
bool is_memory(const Difference& d) { return d.field.starts_with("memory:"); }
bool is_one_of(const Difference& d, std::initializer_list<std::string_view> fields) {
  return std::find(fields.begin(), fields.end(), d.field) != fields.end();
}

// Has the event been raised by the instruction of the case itself?
bool faulted(const Judged& j, const Outcome& outcome, int vector) {
  if (outcome.end != End::kHalted || vector_of(outcome) != vector) return false;
  const unsigned index = pushes_error_code(static_cast<u8>(vector)) && j.test.mode != Mode::kReal;
  const u64 mask = j.test.mode == Mode::kReal ? 0xffff : ~u64{0};
  return frame_word(j, outcome, index) == (j.test.state.rip & mask);
}
// Did the interpreter raise it, if perhaps without a stack to deliver it on?
bool refuses(const Judged& j, int vector) {
  return faulted(j, j.ours, vector) || j.ours.end == End::kShutdown;
}
u64 error_code(const Judged& j, const Outcome& outcome) { return frame_word(j, outcome, 0); }
bool has(const Judged& j, u64 cr4_bit) { return j.test.state.cr4 & cr4_bit; }
bool ends_with(const Judged& j, std::initializer_list<u8> bytes) {
  const auto& code = j.test.code;
  return code.size() >= bytes.size() && std::equal(bytes.begin(), bytes.end(), code.end() - static_cast<std::ptrdiff_t>(bytes.size()));
}
bool is_wide(const Judged& j) {
  return std::find(j.test.code.begin(), j.test.code.end(), 0x48) != j.test.code.end();
}
u64 iopl(const Judged& j) { return j.test.state.rflags >> rflags::kIoplShift & 3; }
bool is_any(const Judged& j, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), j.test.name) != names.end();
}
// Was it level 3 of long mode that the event came out of? (SYSRET and far branches go there.)
bool from_user64(const Judged& j) {
  if (!is_long(j.test.mode) || vector_of(j.ours) < 0) return false;
  const unsigned index = pushes_error_code(static_cast<u8>(vector_of(j.ours))) ? 2 : 1;
  return (frame_word(j, j.ours, index) & 3) == 3;
}
bool iopl_lost(const Judged& j) {
  return in_handler(j) && !((j.kvm.state.rflags ^ j.ours.state.rflags) & ~(rflags::kIopl | rflags::kAc));
}
bool is_user64(const Judged& j) { return j.test.mode == Mode::kLong && j.test.cpl == 3; }
// Memory differs only where the frame of `outcome` stands.
bool is_frame(const Judged& j, const Difference& d) {
  return is_memory(d) && d.address >= top_of_stack(j.ours) && d.address < top_of_stack(j.ours) + 64;
}
bool crosses_a_page(u64 address) { return (address & 0xfff) > 0xff0; }

// clang-format off
constexpr Review kReviews[] = {
    {"RDTSC, RDTSCP", "its own counter", "its own counter", "two counters (SDM 3B 18.17)",
     [](const Judged& j, const Difference& d) {
       return is_any(j, {"rdtsc", "rdtscp"}) && is_one_of(d, {"rax", "rdx"});
     }},
    {"events in virtual-8086 mode", "leaves ES, DS, FS, GS alone and does not push them",
     "pushes and nulls them", "Kite (SDM 3B 20.3.1.1)",
     [](const Judged& j, const Difference& d) {
       return j.test.mode == Mode::kV86 && in_handler(j) &&
              j.kvm.state.gpr[kRsp] == j.ours.state.gpr[kRsp] + 16 &&
              (d.field == "rsp" || is_frame(j, d) || d.field.ends_with(".unusable") || d.field.ends_with(".selector"));
     }},
    {"events in protected mode", "clears AC", "keeps AC",
     "Kite: TF, NT, RF and VM are cleared, and IF by interrupt gates (SDM 3A 6.12.1.3, 6.14)",
     [](const Judged& j, const Difference& d) {
       const u64 others = from_user64(j) ? rflags::kIopl : 0;
       return j.test.mode != Mode::kReal && vector_of(j.kvm) >= 0 && d.field == "rflags" && (d.ours & ~d.kvm & rflags::kAc) && !((d.kvm ^ d.ours) & ~(rflags::kAc | others));
     }},
    {"events in 64-bit mode at level 3", "IOPL and NT are 0", "IOPL and NT are what was loaded",
     "Kite: an event saves both and keeps IOPL (SDM 3A 6.12.1.3)",
     [](const Judged& j, const Difference& d) {
       if (!from_user64(j) || !in_handler(j)) return false;
       if (d.field == "rflags") return !((d.kvm ^ d.ours) & ~rflags::kIopl) && !(d.kvm & rflags::kIopl);
       return is_memory(d) && only_pushed_flags(j, d, rflags::kIopl | rflags::kNt);
     }},
    {"PUSHF in 64-bit mode at level 3", "IOPL and NT are 0, IF is 1", "pushes what was loaded",
     "Kite (SDM 2B PUSHF)",
     [](const Judged& j, const Difference& d) {
       return is_user64(j) && j.is("pushf") && is_memory(d) && !((d.kvm ^ d.ours) & ~u64{0x7272});
     }},
    {"accesses at level 3 with CR0.AM clear", "#AC", "no #AC", "Kite (SDM 3A 6.15 #AC)",
     [](const Judged& j, const Difference&) {
       return vector_of(j.kvm) == kAlignmentCheck && !(j.test.state.cr0 & cr0::kAm);
     }},
    {"accesses at level 3 with CR0.AM and AC set", "does not check all of them", "#AC", "Kite (SDM 3A 6.15 #AC)",
     [](const Judged& j, const Difference&) {
       return vector_of(j.ours) == kAlignmentCheck && vector_of(j.kvm) != kAlignmentCheck && (j.test.state.cr0 & cr0::kAm) && (j.test.state.rflags & rflags::kAc);
     }},
    {"PUSH of a segment register, 32 bits", "writes 16 bits and leaves the others", "writes zeros above",
     "either: processors differ (SDM 2B PUSH)",
     [](const Judged& j, const Difference& d) {
       const u64 differing = d.kvm ^ d.ours;
       return j.starts("push sreg") && is_memory(d) && differing < 0x10000 && !(d.ours & differing);
     }},
    {"XGETBV with CR4.OSXSAVE clear", "executes it", "#UD", "Kite (SDM 2D XGETBV)",
     [](const Judged& j, const Difference&) {
       return j.is("xgetbv") && !has(j, cr4::kOsxsave) && refuses(j, kInvalidOpcode);
     }},
    {"XSETBV with CR4.OSXSAVE clear", "#GP or executes it", "#UD", "Kite (SDM 2D XSETBV)",
     [](const Judged& j, const Difference&) {
       return j.is("xsetbv") && !has(j, cr4::kOsxsave) && refuses(j, kInvalidOpcode);
     }},
    {"RDFSBASE and others with CR4.FSGSBASE clear", "executes them", "#UD", "Kite (SDM 2B RDFSBASE)",
     [](const Judged& j, const Difference&) {
       return j.test.family == "FS and GS bases" && !j.is("swapgs") && !has(j, cr4::kFsgsbase) && refuses(j, kInvalidOpcode);
     }},
    {"RDTSCP that CPUID does not announce", "executes it, or #GP", "#UD", "Kite (SDM 2B RDTSCP)",
     [](const Judged& j, const Difference&) {
       return ends_with(j, {0x0f, 0x01, 0xf9}) && refuses(j, kInvalidOpcode);
     }},
    {"SWAPGS outside 64-bit mode", "executes it, or #GP", "#UD", "Kite (SDM 2B SWAPGS)",
     [](const Judged& j, const Difference&) {
       return ends_with(j, {0x0f, 0x01, 0xf8}) && j.test.mode != Mode::kLong && refuses(j, kInvalidOpcode);
     }},
    {"SYSRET with IA32_EFER.SCE clear", "executes it, or #GP", "#UD", "Kite (SDM 2B SYSRET)",
     [](const Judged& j, const Difference&) {
       return j.is("sysret") && !(j.test.state.efer & efer::kSce) && refuses(j, kInvalidOpcode);
     }},
    {"SYSCALL with IA32_EFER.SCE clear", "executes it", "#UD", "Kite (SDM 2B SYSCALL)",
     [](const Judged& j, const Difference&) {
       return j.is("syscall") && !(j.test.state.efer & efer::kSce) && refuses(j, kInvalidOpcode);
     }},
    {"SYSENTER and SYSEXIT in long mode", "has them, as Intel's processors do", "#UD",
     "Kite: CPUID says AMD, whose processors have not (APM 3 SYSENTER)",
     [](const Judged& j, const Difference&) {
       return is_any(j, {"sysenter", "sysexit"}) && is_long(j.test.mode) && refuses(j, kInvalidOpcode);
     }},
    {"SYSRET to 32-bit code", "loads CS from STAR + 16", "loads it from STAR", "Kite (SDM 2B SYSRET)",
     [](const Judged& j, const Difference&) {
       return j.is("sysret") && !is_wide(j) && j.test.cpl == 0 && (j.test.state.efer & efer::kSce);
     }},
    {"IRET in long mode", "takes 64-bit frames without the tables, no others, and drops IOPL and NT",
     "looks into GDT and LDT in the manual's order", "Kite (SDM 2A IRET, IA-32e mode)",
     [](const Judged& j, const Difference&) { return j.is("iret") && is_long(j.test.mode); }},
    {"LGDT and LIDT with a base that is not canonical", "takes it", "#GP(0)",
     "Kite (APM 3 LGDT; SDM 3A 3.3.7.1 asks it of all bases)",
     [](const Judged& j, const Difference&) {
       return is_any(j, {"lgdt", "lidt"}) && j.test.mode == Mode::kLong && refuses(j, kGeneralProtection) && vector_of(j.kvm) != kGeneralProtection;
     }},
    {"CLI, STI, PUSHF, POPF, INT and IRET under CR4.VME or PVI", "knows neither", "has them",
     "Kite (SDM 3B 20.3, 20.4)",
     [](const Judged& j, const Difference&) {
       const bool on = j.test.mode == Mode::kV86 ? has(j, cr4::kVme) : has(j, cr4::kPvi);
       return on && j.test.cpl == 3 && iopl(j) < 3 && is_any(j, {"cli", "sti", "pushf", "popf", "int", "iret"});
     }},
    {"PUSHF, POPF, INT and IRET in virtual-8086 mode with IOPL below 3", "executes them", "#GP(0)",
     "Kite (SDM 3B 20.2.7)",
     [](const Judged& j, const Difference&) {
       return j.test.mode == Mode::kV86 && iopl(j) < 3 && is_any(j, {"pushf", "popf", "int", "iret"}) && faulted(j, j.ours, kGeneralProtection);
     }},
    {"loads of segment registers in virtual-8086 mode", "#GP, as if they named descriptors", "loads them",
     "Kite (SDM 3B 20.1.1)",
     [](const Judged& j, const Difference&) {
       return j.test.mode == Mode::kV86 && faulted(j, j.kvm, kGeneralProtection) && !faulted(j, j.ours, kGeneralProtection) &&
              (is_any(j, {"call far", "jmp far", "ret far"}) || j.test.family == "far pointers" || j.starts("mov to sreg") || j.starts("pop sreg"));
     }},
    {"port instructions under TF", "traps late or never", "traps behind each, and each repetition",
     "Kite (SDM 3B 17.3.1.4)",
     [](const Judged& j, const Difference&) {
       return j.test.family.starts_with("port") && (j.test.state.rflags & rflags::kTf) && (vector_of(j.ours) == kDebugException || j.ours.end == End::kShutdown);
     }},
    {"events to an inner level whose stack in the TSS is bad", "does not look at SS or the TSS's limit", "#TS",
     "Kite (SDM 3A 6.12.1, 6.15 #TS)",
     [](const Judged& j, const Difference&) {
       return j.test.cpl == 3 && ((!is_long(j.test.mode) && j.test.get<u16>(kTss + 8) != kData0) || j.test.state.tr.limit < 0x67);
     }},
    {"MOV of debug registers under DR7.GD", "RF is 0 in the flags pushed", "RF is 1",
     "Kite: it is a fault (SDM 3B 17.3.1.3, 3A 6.8.3)",
     [](const Judged& j, const Difference& d) {
       return j.test.family == "debug registers" && in_handler(j) && vector_of(j.kvm) == kDebugException && is_memory(d) && only_pushed_flags(j, d, rflags::kRf);
     }},
    {"a step behind HLT", "none", "#DB, and the processor goes on", "Kite (SDM 3B 17.3.1.4, 2A HLT)",
     [](const Judged& j, const Difference&) {
       return vector_of(j.ours) == kDebugException && vector_of(j.kvm) == -1 && j.kvm.end == End::kHalted && (j.kvm.state.rflags & rflags::kTf);
     }},
    {"RDTSC and RDTSCP at level 3 with CR4.TSD", "executes them", "#GP(0)", "Kite (SDM 2B RDTSC)",
     [](const Judged& j, const Difference&) {
       return is_any(j, {"rdtsc", "rdtscp"}) && j.test.cpl == 3 && has(j, cr4::kTsd) && faulted(j, j.ours, kGeneralProtection);
     }},
    {"reading a segment selector at level 3 of 64-bit mode", "FS and GS, and others, are the host's", "what was loaded",
     "Kite (SDM 2B MOV)",
     [](const Judged& j, const Difference& d) {
       return is_user64(j) && (j.starts("push sreg") || j.starts("mov from sreg")) && !((d.kvm ^ d.ours) >> 16);
     }},
    {"SLDT, STR, SMSW and MOV from a segment register to memory with REX.W", "writes 8 bytes", "writes 2", "Kite (SDM 2B SLDT, STR, SMSW)",
     [](const Judged& j, const Difference& d) {
       return (is_any(j, {"sldt", "str", "smsw"}) || j.starts("mov from sreg")) && is_wide(j) && (is_memory(d) || vector_of(j.kvm) == kPageFault);
     }},
    {"SLDT, STR, LLDT and LTR in virtual-8086 and real mode", "#GP", "#UD", "Kite (SDM 2B SLDT)",
     [](const Judged& j, const Difference&) {
       return j.test.family == "LDTR and TR" && !has_selectors(j.test.mode) && refuses(j, kInvalidOpcode);
     }},
    {"CLI, STI and ports at level 3 of long mode with IOPL 3", "#GP(0), as with IOPL 0", "executes them",
     "Kite (SDM 1 19.5.1)",
     [](const Judged& j, const Difference&) {
       return is_long(j.test.mode) && j.test.cpl == 3 && iopl(j) == 3 && (is_any(j, {"cli", "sti"}) || j.test.family.starts_with("port")) && faulted(j, j.kvm, kGeneralProtection);
     }},
    {"ports in virtual-8086 mode with IOPL 3", "does not ask the bitmap", "#GP(0) where the bitmap forbids",
     "Kite (SDM 1 19.5.2, 3B 20.2.8.1)",
     [](const Judged& j, const Difference&) {
       return j.test.mode == Mode::kV86 && j.test.family.starts_with("port") && iopl(j) == 3 && faulted(j, j.ours, kGeneralProtection);
     }},
    {"INT n, INT3 and INTO through a gate of a lower DPL", "goes through", "#GP(vector)", "Kite (SDM 3A 6.12.1.2)",
     [](const Judged& j, const Difference&) {
       return j.test.family == "software interrupts" && j.test.cpl == 3 && is_long(j.test.mode) && faulted(j, j.ours, kGeneralProtection) && (error_code(j, j.ours) & 2);
     }},
    {"LAR, LSL, VERR and VERW in long mode", "looks into another table than the guest's", "looks into the guest's",
     "Kite (SDM 2A LAR)",
     [](const Judged& j, const Difference&) {
       return is_any(j, {"lar", "lsl", "verr", "verw"}) && is_long(j.test.mode) && j.test.cpl == 3;
     }},
    {"LTR of a selector that is out of the table or in the LDT", "#GP(0)", "#GP(selector)", "Kite (SDM 2A LTR)",
     [](const Judged& j, const Difference& d) {
       return j.is("ltr") && faulted(j, j.kvm, kGeneralProtection) && faulted(j, j.ours, kGeneralProtection) && error_code(j, j.kvm) == 0 && is_frame(j, d);
     }},
    {"B0 to B3 of DR6 at a #DB that none of them caused", "cleared", "kept",
     "either: may be cleared (SDM 3B 17.2.3)",
     [](const Judged& j, const Difference& d) {
       return d.field == "dr6" && vector_of(j.kvm) == kDebugException && !((d.kvm ^ d.ours) & ~u64{0xf}) && !(d.kvm & 0xf);
     }},
    {"MOV to DR6 or DR7 with bits above 31", "drops them", "#GP(0)", "Kite (SDM 2B MOV, debug registers)",
     [](const Judged& j, const Difference&) {
       return j.starts("mov to dr") && j.test.mode == Mode::kLong && refuses(j, kGeneralProtection) && vector_of(j.kvm) == -1;
     }},
    {"MOV to CR4 of bits that CPUID does not announce", "takes them", "#GP(0)", "Kite (SDM 3A 2.5)",
     [](const Judged& j, const Difference&) {
       return j.is("mov to cr4") && (j.kvm.state.cr4 & ~j.model.cr4_bits()) && faulted(j, j.ours, kGeneralProtection);
     }},
    {"IRET and far branches to a segment that is absent and wrong", "#NP", "#GP", "Kite: P is looked at last (SDM 2A IRET, JMP)",
     [](const Judged& j, const Difference&) {
       return vector_of(j.kvm) == kSegmentNotPresent && vector_of(j.ours) == kGeneralProtection && error_code(j, j.kvm) == error_code(j, j.ours);
     }},
    {"page faults at level 3 in the upper half", "error code without P", "P for a supervisor page",
     "Kite (SDM 3A 4.7)",
     [](const Judged& j, const Difference& d) {
       return vector_of(j.kvm) == kPageFault && j.kvm.state.cr2 == j.ours.state.cr2 && j.ours.state.cr2 >> 63 && in_handler(j) && (error_code(j, j.kvm) | 1) == error_code(j, j.ours) && is_frame(j, d);
     }},
    {"a store that crosses into a page that may not be written", "has written the first page, or part of the operand", "has written nothing",
     "Kite: a fault leaves no trace (SDM 3A 6.5)",
     [](const Judged& j, const Difference& d) {
       return in_handler(j) && vector_of(j.kvm) == kPageFault && is_memory(d) && crosses_a_page(d.address) && !is_frame(j, d);
     }},
    {"a store that crosses from a page that may not be written into one that is absent", "faults in the second, or leaves D of the first clear",
     "faults in the first, or has set D", "either: the manual has no order (SDM 3A 4.7, 4.8)",
     [](const Judged& j, const Difference& d) {
       return vector_of(j.kvm) == kPageFault && in_handler(j) && (d.field == "cr2" || is_frame(j, d) || (d.field == "memory:page tables" && (d.kvm ^ d.ours) == pte::kDirty));
     }},
    {"bit 8 of entries of the PML4 and PDPT", "reserved", "ignored", "either: makers differ (SDM 3A 4.5.4, APM 2 5.3.3)",
     [](const Judged& j, const Difference&) {
       return is_long(j.test.mode) && ((j.test.get<u64>(kPml4) | j.test.get<u64>(kPdpt)) & pte::kGlobal);
     }},
    {"WRMSR of an address that is not canonical", "takes it", "#GP(0)", "Kite (SDM 2C WRMSR)",
     [](const Judged& j, const Difference&) {
       return j.starts("wrmsr") && refuses(j, kGeneralProtection) && vector_of(j.kvm) == -1 && !is_canonical(j.test.state.gpr[kRdx] << 32 | (j.test.state.gpr[kRax] & 0xffffffff));
     }},
    {"SYSCALL at level 3", "stays at level 3, or takes other selectors", "goes to level 0 with STAR's selectors", "Kite (SDM 2B SYSCALL)",
     [](const Judged& j, const Difference&) {
       return j.is("syscall") && is_long(j.test.mode) && j.test.cpl == 3 && (vector_of(j.kvm) == kPageFault || j.kvm.end == End::kShutdown);
     }},
    {"SYSRET to an address that is not canonical", "goes there", "#GP(0) at level 0", "Kite (SDM 2B SYSRET)",
     [](const Judged& j, const Difference&) {
       return j.is("sysret") && is_wide(j) && !is_canonical(j.test.state.gpr[kRcx]) && refuses(j, kGeneralProtection);
     }},
    {"SYSRET with TF or IOPL in R11", "drops them", "loads them", "Kite (SDM 2B SYSRET)",
     [](const Judged& j, const Difference&) {
       return j.is("sysret") && (j.test.state.gpr[kR11] & (rflags::kTf | rflags::kIopl)) && (vector_of(j.ours) == kDebugException || iopl_lost(j));
     }},
    {"SLDT, STR, SGDT, SIDT and SMSW to memory at level 3 with CR4.UMIP", "looks at the memory first", "#GP(0) first",
     "Kite: the privilege is checked first (SDM 3A 2.5, 6.9)",
     [](const Judged& j, const Difference&) {
       return is_any(j, {"sldt", "str", "sgdt", "sidt", "smsw"}) && has(j, cr4::kUmip) && j.test.cpl == 3 && refuses(j, kGeneralProtection) && vector_of(j.kvm) == kPageFault;
     }},
    {"accesses to the upper half at level 3", "#PF as of a page that is absent", "asks the page tables",
     "Kite (SDM 3A 4.6.1)",
     [](const Judged& j, const Difference&) {
       return j.test.cpl == 3 && is_long(j.test.mode) && vector_of(j.kvm) == kPageFault && j.kvm.state.cr2 >> 63;
     }},
    {"MOV to CR0 that switches paging on outside long mode", "#GP(0): has no such paging", "switches it on",
     "Kite (SDM 3A 4.1.2)",
     [](const Judged& j, const Difference&) {
       return j.is("mov to cr0") && !is_paged(j.test.mode) && faulted(j, j.kvm, kGeneralProtection);
     }},
    {"LTR of a 16-bit TSS in long mode", "takes it", "#GP(selector)", "Kite (SDM 2A LTR)",
     [](const Judged& j, const Difference&) {
       return j.is("ltr") && is_long(j.test.mode) && refuses(j, kGeneralProtection) && (j.kvm.state.tr.type & 7) == 3 && j.kvm.state.tr.type != 11;
     }},
    {"INT n at level 0", "takes some vectors for calls of its own", "an interrupt", "Kite (SDM 2A INT)",
     [](const Judged& j, const Difference&) {
       return j.is("int") && j.test.cpl == 0 && vector_of(j.ours) == j.test.code.back() && vector_of(j.kvm) != vector_of(j.ours);
     }},
    {"INT n under TF", "traps in the handler", "does not: TF is cleared first", "Kite (SDM 3A 6.12.1.3, 3B 17.3.1.4)",
     [](const Judged& j, const Difference&) {
       return j.test.family == "software interrupts" && (j.test.state.rflags & rflags::kTf) && vector_of(j.kvm) == kDebugException;
     }},
    {"loads of segment registers at level 3 of 64-bit mode", "looks into another table than the guest's, or ignores null selectors",
     "looks into the guest's", "Kite (SDM 2B MOV)",
     [](const Judged& j, const Difference&) {
       return is_user64(j) && (j.test.family == "far pointers" || j.starts("pop sreg") || j.starts("mov to sreg"));
     }},
    {"WRMSR of IA32_PAT with a type that is reserved", "takes it", "#GP(0)", "Kite (SDM 3A 11.12.4)",
     [](const Judged& j, const Difference&) {
       return j.is("wrmsr 277") && refuses(j, kGeneralProtection);
     }},
    {"pushes of 16-bit stacks that go below 0", "goes on in 32 bits", "wraps inside 64 KiB", "Kite (SDM 1 6.2.3)",
     [](const Judged& j, const Difference&) {
       return j.test.mode <= Mode::kProtected16 && (j.test.state.gpr[kRsp] & 0xffff) < 16;
     }},
    {"events in virtual-8086 mode with an inner stack too small for ES to GS", "fit, for they are not pushed", "#SS",
     "Kite (SDM 3B 20.3.1.1)",
     [](const Judged& j, const Difference&) {
       return j.test.mode == Mode::kV86 && j.test.get<u32>(kTss + 4) < 0x28;
     }},
    {"accesses that cross into addresses that are not canonical", "#PF of the first page", "#GP(0) or #SS(0)",
     "Kite: as an Intel processor does, asked in ring 3 of the host (SDM 1 3.3.7.1)",
     [](const Judged& j, const Difference&) {
       return j.test.mode == Mode::kLong && vector_of(j.kvm) == kPageFault && j.kvm.state.cr2 <= 0x7fffffffffff && j.kvm.state.cr2 > 0x7fffffffffef && (vector_of(j.ours) == kGeneralProtection || vector_of(j.ours) == kStackFault);
     }},
    {"MOV to CR0 with bits above 31", "drops them", "#GP(0)", "Kite (SDM 2B MOV, control registers)",
     [](const Judged& j, const Difference&) {
       return j.is("mov to cr0") && j.test.mode == Mode::kLong && refuses(j, kGeneralProtection) && vector_of(j.kvm) == -1;
     }},
    {"the step behind MOV SS and POP SS", "at once", "one instruction later", "Kite (SDM 3A 6.8.3)",
     [](const Judged& j, const Difference& d) {
       return (j.is("mov to sreg2") || j.is("pop sreg2")) && (j.test.state.rflags & rflags::kTf) && vector_of(j.kvm) == kDebugException && is_frame(j, d) && (d.ours & 0xff) == (d.kvm & 0xff) + 1;
     }},
    {"REP INS that faults behind its first iterations", "counts none of them", "counts those that are done", "Kite (SDM 2A REP)",
     [](const Judged& j, const Difference&) {
       return j.is("ins") && j.test.code[0] == 0xf3 && vector_of(j.kvm) == kPageFault && in_handler(j);
     }},
    {"MOV of debug registers under DR7.GD with bits above 31", "#GP(0)", "#DB", "Kite: it is raised before the instruction (SDM 3B 17.2.4)",
     [](const Judged& j, const Difference&) {
       return j.starts("mov to dr") && (j.test.state.dr7 & dr7::kGd) && vector_of(j.ours) == kDebugException && vector_of(j.kvm) == kGeneralProtection;
     }},
    {"WRMSR of SYSENTER_ESP and SYSENTER_EIP", "keeps 32 bits or what is canonical", "keeps all 64",
     "either: makers differ (SDM 2C WRMSR, APM 2 6.1.2)",
     [](const Judged& j, const Difference& d) {
       return (is_any(j, {"wrmsr 175", "wrmsr 176"})) && is_one_of(d, {"sysenter_esp", "sysenter_eip"});
     }},
};
// clang-format on

}  // namespace

bool Judged::differs(std::string_view field) const {
  return std::any_of(all.begin(), all.end(), [&](const Difference& d) { return d.field == field; });
}

std::span<const Review> reviews() {
  return kReviews;
}

}  // namespace kite::ring0
