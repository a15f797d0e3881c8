// The reviewed list: segments, flags and far returns.
#include "accel/x86/paging.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "tests/isa/ring0/judged.h"
#include "tests/isa/ring0/reviewed.h"

namespace kite::ring0 {
namespace {

constexpr Review kReviews[] = {
    {"PUSHF in 64-bit mode at level 3", "IOPL and NT are 0, IF is 1", "pushes what was loaded",
     "Kite (SDM 2B PUSHF)",
     [](const Judged& j, const Difference& d) {
       return is_user64(j) && j.is("pushf") && is_memory(d) && !((d.kvm ^ d.ours) & ~u64{0x7272});
     }},
    {"MOV to CS, and to a segment register that there is not", "reads the operand first",
     "#UD before the operand's faults", "Kite, and silicon at level 3 (SDM 2B MOV)",
     [](const Judged& j, const Difference&) {
       return j.starts("mov to sreg") && faulted(j, j.ours, kInvalidOpcode) &&
              vector_of(j.kvm) != -1;
     }},
    {"PUSH of a segment register, 32 bits", "writes 16 bits and leaves the others",
     "writes zeros above", "either: processors differ (SDM 2B PUSH)",
     [](const Judged& j, const Difference& d) {
       if (!j.starts("push sreg")) return false;
       if (faulted(j, j.ours, kPageFault) && !faulted(j, j.kvm, kPageFault)) return true;
       const u64 differing = d.kvm ^ d.ours;
       if (d.field == "memory:page tables") return differing == pte::kDirty;  // of a page behind
       return is_memory(d) && differing < 0x10000 && !(d.ours & differing);
     }},
    {"RSP in 32-bit code that 64-bit code went to", "keeps its upper half", "has it cleared",
     "either: undefined (SDM 1 3.4.1.1)",
     [](const Judged& j, const Difference& d) {
       const bool leaves =
           j.test.mode == Mode::kLong && is_any(j, {"ret far", "jmp far", "call far"});
       const u64 differing = j.kvm.state.gpr[kRsp] ^ j.ours.state.gpr[kRsp];
       return leaves && in_handler(j) && differing && !(differing & 0xffffffff) &&
              (d.field == "rsp" || is_frame(j, d));
     }},
    {"IRET in long mode",
     "takes 64-bit frames without the tables, no others, and drops IOPL and NT",
     "looks into GDT and LDT in the manual's order", "Kite (SDM 2A IRET, IA-32e mode)",
     [](const Judged& j, const Difference&) { return j.is("iret") && is_long(j.test.mode); }},
    {"CLI, STI, PUSHF, POPF, INT and IRET under CR4.VME or PVI", "knows neither", "has them",
     "Kite (SDM 3B 20.3, 20.4)",
     [](const Judged& j, const Difference&) {
       const bool on = j.test.mode == Mode::kV86 ? has(j, cr4::kVme) : has(j, cr4::kPvi);
       return on && j.test.cpl == 3 && iopl(j) < 3 &&
              is_any(j, {"cli", "sti", "pushf", "popf", "int", "iret"});
     }},
    {"PUSHF, POPF, INT and IRET in virtual-8086 mode with IOPL below 3", "executes them", "#GP(0)",
     "Kite (SDM 3B 20.2.7)",
     [](const Judged& j, const Difference&) {
       return j.test.mode == Mode::kV86 && iopl(j) < 3 &&
              is_any(j, {"pushf", "popf", "int", "iret"}) && faulted(j, j.ours, kGeneralProtection);
     }},
    {"loads of segment registers in virtual-8086 mode",
     "looks for descriptors: #GP, or their accessed bit", "loads them", "Kite (SDM 3B 20.1.1)",
     [](const Judged& j, const Difference& d) {
       return j.test.mode == Mode::kV86 &&
              (faulted(j, j.kvm, kGeneralProtection) || faulted(j, j.kvm, kSegmentNotPresent) ||
               faulted(j, j.kvm, kStackFault) || j.kvm.end == End::kShutdown ||
               is_one_of(d, {"memory:GDT", "memory:LDT"})) &&
              !faulted(j, j.ours, kGeneralProtection) &&
              (is_any(j, {"call far", "jmp far", "ret far"}) || j.test.family == "far pointers" ||
               j.starts("mov to sreg") || j.starts("pop sreg"));
     }},
    {"reading a segment selector at level 3 of 64-bit mode",
     "FS and GS, and others, are the host's", "what was loaded", "Kite (SDM 2B MOV)",
     [](const Judged& j, const Difference& d) {
       return is_user64(j) && (j.starts("push sreg") || j.starts("mov from sreg")) &&
              !((d.kvm ^ d.ours) >> 16);
     }},
    {"SLDT, STR, SMSW and MOV from a segment register to memory", "writes 4 or 8 bytes", "writes 2",
     "Kite (SDM 2B SLDT, STR, SMSW)",
     [](const Judged& j, const Difference& d) {
       return (is_any(j, {"sldt", "str", "smsw"}) || j.starts("mov from sreg")) &&
              j.test.code.back() < 0xc0 && (is_memory(d) || vector_of(j.kvm) > 0);
     }},
    {"SLDT, STR, LLDT and LTR in virtual-8086 and real mode", "#GP", "#UD", "Kite (SDM 2B SLDT)",
     [](const Judged& j, const Difference&) {
       return j.test.family == "LDTR and TR" && !has_selectors(j.test.mode) &&
              refuses(j, kInvalidOpcode);
     }},
    {"CLI, STI, POPF and ports at level 3 of long mode with IOPL 3", "does as with IOPL 0",
     "executes them", "Kite (SDM 1 19.5.1)",
     [](const Judged& j, const Difference&) {
       return is_long(j.test.mode) && j.test.cpl == 3 && iopl(j) == 3 &&
              ((j.is("popf") && in_handler(j)) ||
               ((is_any(j, {"cli", "sti"}) || j.test.family.starts_with("port")) &&
                faulted(j, j.kvm, kGeneralProtection)));
     }},
    {"LAR, LSL, VERR and VERW in long mode", "looks into another table than the guest's",
     "looks into the guest's", "Kite (SDM 2A LAR)",
     [](const Judged& j, const Difference&) {
       return is_any(j, {"lar", "lsl", "verr", "verw"}) && is_long(j.test.mode) && j.test.cpl == 3;
     }},
    {"LTR of a selector that is out of the table or in the LDT", "#GP(0)", "#GP(selector)",
     "Kite (SDM 2A LTR)",
     [](const Judged& j, const Difference& d) {
       return j.is("ltr") && faulted(j, j.kvm, kGeneralProtection) &&
              faulted(j, j.ours, kGeneralProtection) && error_code(j, j.kvm) == 0 && is_frame(j, d);
     }},
    {"IRET and far branches to a segment that is absent and wrong", "#NP", "#GP",
     "Kite: P is looked at last (SDM 2A IRET, JMP)",
     [](const Judged& j, const Difference&) {
       return vector_of(j.kvm) == kSegmentNotPresent && vector_of(j.ours) == kGeneralProtection &&
              error_code(j, j.kvm) == error_code(j, j.ours);
     }},
    {"SLDT, STR, SGDT, SIDT and SMSW to memory at level 3 with CR4.UMIP",
     "looks at the memory first", "#GP(0) first",
     "Kite: the privilege is checked first (SDM 3A 2.5, 6.9)",
     [](const Judged& j, const Difference&) {
       return is_any(j, {"sldt", "str", "sgdt", "sidt", "smsw"}) && has(j, cr4::kUmip) &&
              j.test.cpl == 3 && refuses(j, kGeneralProtection) && vector_of(j.kvm) == kPageFault;
     }},
    {"LTR of a 16-bit TSS in long mode", "takes it", "#GP(selector)", "Kite (SDM 2A LTR)",
     [](const Judged& j, const Difference&) {
       return j.is("ltr") && is_long(j.test.mode) && refuses(j, kGeneralProtection) &&
              (j.kvm.state.tr.type & 7) == 3 && j.kvm.state.tr.type != 11;
     }},
    {"loads of segment registers at level 3 of 64-bit mode",
     "looks into another table than the guest's, or ignores null selectors",
     "looks into the guest's", "Kite (SDM 2B MOV)",
     [](const Judged& j, const Difference&) {
       return is_user64(j) &&
              (j.test.family == "far pointers" || j.starts("pop sreg") || j.starts("mov to sreg"));
     }},
    {"far calls to an offset beyond the limit", "have set the descriptor's accessed bit",
     "have changed nothing", "either (SDM 3A 3.4.5.1)",
     [](const Judged& j, const Difference& d) {
       return is_any(j, {"call far", "jmp far"}) && faulted(j, j.kvm, kGeneralProtection) &&
              faulted(j, j.ours, kGeneralProtection) &&
              is_one_of(d, {"memory:GDT", "memory:LDT"}) && (d.kvm ^ d.ours) % 0x100 == 1;
     }},
    {"far returns whose frame crosses the canonical boundary", "#SS(0)", "#PF of what is in front",
     "either: the words are read one by one (SDM 2B RET)",
     [](const Judged& j, const Difference&) {
       return j.is("ret far") && vector_of(j.kvm) == kStackFault &&
              vector_of(j.ours) == kPageFault && j.ours.state.cr2 > 0x7fffffffffef;
     }},
    {"LLDT of a selector in the LDT", "loads it", "#GP(selector)", "Kite (SDM 2A LLDT)",
     [](const Judged& j, const Difference&) {
       return j.is("lldt") && refuses(j, kGeneralProtection) && goes_on(j);
     }},
};

}  // namespace

std::span<const Review> segments_reviews() {
  return kReviews;
}

}  // namespace kite::ring0
