// The reviewed list: events, accesses and ports.
#include "accel/x86/paging.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "tests/isa/ring0/judged.h"
#include "tests/isa/ring0/reviewed.h"

namespace kite::ring0 {
namespace {

constexpr Review kReviews[] = {
    {"events in virtual-8086 mode", "leaves ES, DS, FS, GS alone and does not push them",
     "pushes and nulls them", "Kite (SDM 3B 20.3.1.1)",
     [](const Judged& j, const Difference& d) {
       return j.test.mode == Mode::kV86 && in_handler(j) &&
              j.kvm.state.gpr[kRsp] == j.ours.state.gpr[kRsp] + 16 &&
              (d.field == "rsp" || is_frame(j, d) || d.field.ends_with(".unusable") ||
               d.field.ends_with(".selector"));
     }},
    {"events in protected mode", "clears AC", "keeps AC",
     "Kite: TF, NT, RF and VM are cleared, and IF by interrupt gates (SDM 3A 6.12.1.3, 6.14)",
     [](const Judged& j, const Difference& d) {
       const u64 others = from_user64(j) ? rflags::kIopl : 0;
       return j.test.mode != Mode::kReal && vector_of(j.kvm) >= 0 && d.field == "rflags" &&
              (d.ours & ~d.kvm & rflags::kAc) && !((d.kvm ^ d.ours) & ~(rflags::kAc | others));
     }},
    {"events in 64-bit mode at level 3", "IOPL and NT are 0", "IOPL and NT are what was loaded",
     "Kite: an event saves both and keeps IOPL (SDM 3A 6.12.1.3)",
     [](const Judged& j, const Difference& d) {
       if (!from_user64(j) || !in_handler(j)) return false;
       if (d.field == "rflags")
         return !((d.kvm ^ d.ours) & ~rflags::kIopl) && !(d.kvm & rflags::kIopl);
       return is_memory(d) && only_pushed_flags(j, d, rflags::kIopl | rflags::kNt);
     }},
    {"accesses at level 3 with CR0.AM clear", "#AC", "no #AC", "Kite (SDM 3A 6.15 #AC)",
     [](const Judged& j, const Difference&) {
       return vector_of(j.kvm) == kAlignmentCheck && !(j.test.state.cr0 & cr0::kAm);
     }},
    {"accesses at level 3 with CR0.AM and AC set", "does not check all of them", "#AC",
     "Kite (SDM 3A 6.15 #AC)",
     [](const Judged& j, const Difference&) {
       if (!(j.test.state.cr0 & cr0::kAm) || !(j.test.state.rflags & rflags::kAc)) return false;
       constexpr u32 kBeyondIdt = kAlignmentCheck << 3 | 3;  // #GP instead: its gate is not there
       const bool checked =
           vector_of(j.ours) == kAlignmentCheck ||
           (faulted(j, j.ours, kGeneralProtection) && error_code(j, j.ours) == kBeyondIdt);
       return checked && vector_of(j.kvm) != kAlignmentCheck;
     }},
    {"INT1 in compatibility mode", "shuts down", "#DB", "Kite (SDM 2A INT1)",
     [](const Judged& j, const Difference&) {
       return j.is("int1") && j.test.mode == Mode::kCompat && j.kvm.end == End::kShutdown &&
              vector_of(j.ours) == kDebugException;
     }},
    {"REP INS and OUTS whose offset wraps around at 64 KiB", "#GP, for one access of all elements",
     "goes on at offset 0", "Kite (SDM 1 3.3.7, 2A INS)",
     [](const Judged& j, const Difference&) {
       const bool wraps =
           (j.test.state.gpr[kRdi] & 0xffff) > 0xff00 || (j.test.state.gpr[kRsi] & 0xffff) > 0xff00;
       return j.test.family == "port strings" && wraps && vector_of(j.ours) == -1 &&
              faulted(j, j.kvm, kGeneralProtection);
     }},
    {"port instructions under TF", "traps late or never", "traps behind each, and each repetition",
     "Kite (SDM 3B 17.3.1.4)",
     [](const Judged& j, const Difference&) {
       return j.test.family.starts_with("port") && (j.test.state.rflags & rflags::kTf) &&
              (vector_of(j.ours) == kDebugException || j.ours.end == End::kShutdown);
     }},
    {"events to an inner level whose stack in the TSS is bad",
     "does not look at SS or the TSS's limit", "#TS", "Kite (SDM 3A 6.12.1, 6.15 #TS)",
     [](const Judged& j, const Difference&) {
       return (j.test.cpl == 3 || is_any(j, {"sysexit", "sysret", "ret far"})) &&
              ((!is_long(j.test.mode) && j.test.get<u16>(kTss + 8) != kData0) ||
               j.test.state.tr.limit < 0x67);
     }},
    {"a step behind HLT", "none", "#DB, and the processor goes on",
     "Kite (SDM 3B 17.3.1.4, 2A HLT)",
     [](const Judged& j, const Difference&) {
       return (vector_of(j.ours) == kDebugException || j.ours.end == End::kShutdown) &&
              vector_of(j.kvm) == -1 && j.kvm.end == End::kHalted &&
              (j.kvm.state.rflags & rflags::kTf);
     }},
    {"ports whose bit is in the last byte of the TSS", "goes through", "#GP(0): reads two bytes",
     "Kite (SDM 1 19.5.2)",
     [](const Judged& j, const Difference&) {
       return j.test.family.starts_with("port") && j.test.state.tr.limit < kTssLimit &&
              faulted(j, j.ours, kGeneralProtection);
     }},
    {"ports in virtual-8086 mode with IOPL 3", "does not ask the bitmap",
     "#GP(0) where the bitmap forbids", "Kite (SDM 1 19.5.2, 3B 20.2.8.1)",
     [](const Judged& j, const Difference&) {
       return j.test.mode == Mode::kV86 && j.test.family.starts_with("port") && iopl(j) == 3 &&
              faulted(j, j.ours, kGeneralProtection);
     }},
    {"INT n, INT3 and INTO through a gate of a lower DPL", "goes through", "#GP(vector)",
     "Kite (SDM 3A 6.12.1.2)",
     [](const Judged& j, const Difference&) {
       return j.test.family == "software interrupts" && j.test.cpl == 3 && is_long(j.test.mode) &&
              refuses(j, kGeneralProtection);
     }},
    {"B0 to B3 of DR6 at a #DB that none of them caused", "cleared", "kept",
     "either: may be cleared (SDM 3B 17.2.3)",
     [](const Judged& j, const Difference& d) {
       return d.field == "dr6" && vector_of(j.kvm) == kDebugException &&
              !((d.kvm ^ d.ours) & ~u64{0xf}) && !(d.kvm & 0xf);
     }},
    {"page faults at level 3 in the upper half", "error code without P", "P for a supervisor page",
     "Kite (SDM 3A 4.7)",
     [](const Judged& j, const Difference& d) {
       return vector_of(j.kvm) == kPageFault && j.kvm.state.cr2 == j.ours.state.cr2 &&
              j.ours.state.cr2 >> 63 && in_handler(j) &&
              (error_code(j, j.kvm) | 1) == error_code(j, j.ours) && is_frame(j, d);
     }},
    {"a store that crosses into a page that may not be written",
     "has written the first page, or part of the operand", "has written nothing",
     "Kite: a fault leaves no trace (SDM 3A 6.5)",
     [](const Judged& j, const Difference& d) {
       return in_handler(j) && vector_of(j.kvm) == kPageFault && is_memory(d) &&
              crosses_a_page(d.address) && !is_frame(j, d);
     }},
    {"a store that crosses from a page that may not be written into one that is absent",
     "faults in the second, or leaves D of the first clear", "faults in the first, or has set D",
     "either: the manual has no order (SDM 3A 4.7, 4.8)",
     [](const Judged& j, const Difference& d) {
       return vector_of(j.kvm) == kPageFault && in_handler(j) &&
              (d.field == "cr2" || is_frame(j, d) ||
               (d.field == "memory:page tables" && (d.kvm ^ d.ours) == pte::kDirty));
     }},
    {"bit 8 of entries of the PML4 and PDPT", "reserved", "ignored",
     "either: makers differ (SDM 3A 4.5.4, APM 2 5.3.3)",
     [](const Judged& j, const Difference&) {
       return is_long(j.test.mode) &&
              ((j.test.get<u64>(kPml4) | j.test.get<u64>(kPdpt)) & pte::kGlobal);
     }},
    {"accesses to the upper half at level 3", "#PF as of a page that is absent",
     "asks the page tables", "Kite (SDM 3A 4.6.1)",
     [](const Judged& j, const Difference&) {
       return j.test.cpl == 3 && is_long(j.test.mode) && vector_of(j.kvm) == kPageFault &&
              j.kvm.state.cr2 >> 63;
     }},
    {"INT n", "takes some vectors for calls of its own", "an interrupt, or #GP with the vector",
     "Kite (SDM 2A INT)",
     [](const Judged& j, const Difference&) {
       const bool taken = vector_of(j.ours) == j.test.code.back();
       const bool refused =
           refuses(j, kGeneralProtection) && !faulted(j, j.kvm, kGeneralProtection);
       return j.is("int") && (taken || refused) &&
              (vector_of(j.kvm) != vector_of(j.ours) || j.test.cpl == 3);
     }},
    {"INT n under TF", "traps in the handler", "does not: TF is cleared first",
     "Kite (SDM 3A 6.12.1.3, 3B 17.3.1.4)",
     [](const Judged& j, const Difference&) {
       return j.test.family == "software interrupts" && (j.test.state.rflags & rflags::kTf) &&
              vector_of(j.kvm) == kDebugException;
     }},
    {"pushes of 16-bit stacks that go below 0", "goes on in 32 bits", "wraps inside 64 KiB",
     "Kite (SDM 1 6.2.3)",
     [](const Judged& j, const Difference&) {
       return j.test.mode <= Mode::kProtected16 && (j.test.state.gpr[kRsp] & 0xffff) < 16;
     }},
    {"events in virtual-8086 mode with an inner stack too small for ES to GS",
     "fit, for they are not pushed", "#SS", "Kite (SDM 3B 20.3.1.1)",
     [](const Judged& j, const Difference&) {
       return j.test.mode == Mode::kV86 && j.test.get<u32>(kTss + 4) < 0x28;
     }},
    {"accesses that cross into addresses that are not canonical", "#PF of the first page",
     "#GP(0) or #SS(0)",
     "Kite: as an Intel processor does, asked in ring 3 of the host (SDM 1 3.3.7.1)",
     [](const Judged& j, const Difference&) {
       return j.test.mode == Mode::kLong && vector_of(j.kvm) == kPageFault &&
              j.kvm.state.cr2 <= 0x7fffffffffff && j.kvm.state.cr2 > 0x7fffffffffef &&
              (vector_of(j.ours) == kGeneralProtection || vector_of(j.ours) == kStackFault);
     }},
    {"the step behind MOV SS and POP SS", "at once", "one instruction later", "Kite (SDM 3A 6.8.3)",
     [](const Judged& j, const Difference&) {
       return is_any(j, {"mov to sreg2", "pop sreg2"}) && (j.test.state.rflags & rflags::kTf) &&
              vector_of(j.kvm) == kDebugException &&
              (vector_of(j.ours) == kDebugException || vector_of(j.ours) == kGeneralProtection);
     }},
    {"REP INS that faults behind its first iterations", "counts none of them",
     "counts those that are done", "Kite (SDM 2A REP)",
     [](const Judged& j, const Difference&) {
       return j.is("ins") && j.test.code[0] == 0xf3 && vector_of(j.kvm) == kPageFault &&
              in_handler(j);
     }},
    {"events behind LGDT", "does not look into the new table", "looks for the handler's segment",
     "Kite (SDM 3A 6.12.1)",
     [](const Judged& j, const Difference&) {
       return j.is("lgdt") && j.ours.end == End::kShutdown;
     }},
    {"accesses through segments in compatibility mode", "does not look at type and limit",
     "#GP(0) or #SS(0)", "Kite (SDM 3A 5.2.1, 5.3)",
     [](const Judged& j, const Difference&) {
       return j.test.mode == Mode::kCompat && refuses(j, kGeneralProtection) &&
              vector_of(j.kvm) == kPageFault;
     }},
    {"INT n through a gate that may not be used", "#GP(0)", "#GP with the vector",
     "Kite (SDM 3A 6.13)",
     [](const Judged& j, const Difference& d) {
       return j.test.family == "software interrupts" && faulted(j, j.kvm, kGeneralProtection) &&
              faulted(j, j.ours, kGeneralProtection) && error_code(j, j.kvm) == 0 &&
              (error_code(j, j.ours) & 2) && is_frame(j, d);
     }},
    {"accesses with an SS override that are not canonical", "#SS(0)", "#GP(0)",
     "Kite: as an Intel processor does, asked in ring 3 of the host; the prefix is ignored "
     "(SDM 1 3.3.4)",
     [](const Judged& j, const Difference&) {
       return is_long(j.test.mode) && j.test.family == "data accesses" && j.test.code[0] == 0x36 &&
              vector_of(j.kvm) == kStackFault && vector_of(j.ours) == kGeneralProtection;
     }},
    {"ENTER to a stack that cannot be written", "goes on", "faults", "Kite (SDM 2A ENTER)",
     [](const Judged& j, const Difference&) {
       return j.is("enter") && (j.ours.end == End::kShutdown || faulted(j, j.ours, kPageFault)) &&
              !faulted(j, j.kvm, kPageFault);
     }},
    {"the accessed bit of a page that may not be written", "set by the store that faults",
     "not set", "either (SDM 3A 4.8)",
     [](const Judged& j, const Difference& d) {
       return vector_of(j.kvm) == kPageFault && in_handler(j) && d.field == "memory:page tables" &&
              (d.kvm ^ d.ours) == pte::kAccessed;
     }},
};

}  // namespace

std::span<const Review> events_reviews() {
  return kReviews;
}

}  // namespace kite::ring0
