// The reviewed list: system instructions: control, debug and model-specific registers, fast calls.
#include "accel/x86/paging.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "tests/isa/ring0/judged.h"
#include "tests/isa/ring0/reviewed.h"

namespace kite::ring0 {
namespace {

constexpr Review kReviews[] = {
    {"RDTSC, RDTSCP", "its own counter", "its own counter", "two counters (SDM 3B 18.17)",
     [](const Judged& j, const Difference& d) {
       return is_any(j, {"rdtsc", "rdtscp"}) && is_one_of(d, {"rax", "rdx"});
     }},
    {"XGETBV with CR4.OSXSAVE clear", "executes it", "#UD", "Kite (SDM 2D XGETBV)",
     [](const Judged& j, const Difference&) {
       return j.is("xgetbv") && !has(j, cr4::kOsxsave) && refuses(j, kInvalidOpcode);
     }},
    {"XSETBV with CR4.OSXSAVE clear", "#GP or executes it", "#UD", "Kite (SDM 2D XSETBV)",
     [](const Judged& j, const Difference&) {
       return j.is("xsetbv") && !has(j, cr4::kOsxsave) && refuses(j, kInvalidOpcode);
     }},
    {"RDFSBASE and others with CR4.FSGSBASE clear", "executes them", "#UD",
     "Kite (SDM 2B RDFSBASE)",
     [](const Judged& j, const Difference&) {
       return j.test.family == "FS and GS bases" && !j.is("swapgs") && !has(j, cr4::kFsgsbase) &&
              refuses(j, kInvalidOpcode);
     }},
    {"RDTSCP that CPUID does not announce", "executes it, or #GP", "#UD", "Kite (SDM 2B RDTSCP)",
     [](const Judged& j, const Difference&) {
       return ends_with(j, {0x0f, 0x01, 0xf9}) && refuses(j, kInvalidOpcode);
     }},
    {"SWAPGS outside 64-bit mode", "executes it, or #GP", "#UD", "Kite (SDM 2B SWAPGS)",
     [](const Judged& j, const Difference&) {
       return ends_with(j, {0x0f, 0x01, 0xf8}) && j.test.mode != Mode::kLong &&
              refuses(j, kInvalidOpcode);
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
       return is_any(j, {"sysenter", "sysexit"}) && is_long(j.test.mode) &&
              refuses(j, kInvalidOpcode);
     }},
    {"SYSRET to 32-bit code", "loads CS from STAR + 16", "loads it from STAR",
     "Kite (SDM 2B SYSRET)",
     [](const Judged& j, const Difference&) {
       return j.is("sysret") && !is_wide(j) && j.test.cpl == 0 && (j.test.state.efer & efer::kSce);
     }},
    {"LGDT and LIDT with a base that is not canonical", "takes it", "#GP(0)",
     "Kite (APM 3 LGDT; SDM 3A 3.3.7.1 asks it of all bases)",
     [](const Judged& j, const Difference&) {
       return is_any(j, {"lgdt", "lidt"}) && j.test.mode == Mode::kLong &&
              refuses(j, kGeneralProtection) && vector_of(j.kvm) != kGeneralProtection;
     }},
    {"MOV of debug registers under DR7.GD", "RF is 0 in the flags pushed", "RF is 1",
     "Kite: it is a fault (SDM 3B 17.3.1.3, 3A 6.8.3)",
     [](const Judged& j, const Difference& d) {
       return j.test.family == "debug registers" && in_handler(j) &&
              vector_of(j.kvm) == kDebugException && is_memory(d) &&
              only_pushed_flags(j, d, rflags::kRf);
     }},
    {"RDTSC and RDTSCP at level 3 with CR4.TSD", "executes them", "#GP(0)", "Kite (SDM 2B RDTSC)",
     [](const Judged& j, const Difference&) {
       return is_any(j, {"rdtsc", "rdtscp"}) && j.test.cpl == 3 && has(j, cr4::kTsd) &&
              faulted(j, j.ours, kGeneralProtection);
     }},
    {"MOV to DR6 or DR7 with bits above 31", "drops them", "#GP(0)",
     "Kite (SDM 2B MOV, debug registers)",
     [](const Judged& j, const Difference&) {
       return j.starts("mov to dr") && j.test.mode == Mode::kLong &&
              refuses(j, kGeneralProtection) && goes_on(j);
     }},
    {"MOV to CR4 with LA57 outside long mode", "#GP(0): has no five levels", "sets it",
     "Kite: CPUID announces it (SDM 3A 2.5, 4.1.2)",
     [](const Judged& j, const Difference&) {
       return j.is("mov to cr4") && (j.ours.state.cr4 & cr4::kLa57) &&
              (faulted(j, j.kvm, kGeneralProtection) || j.kvm.end == End::kShutdown);
     }},
    {"MOV to CR4 of bits that are reserved or that CPUID does not announce", "takes or drops them",
     "#GP(0)", "Kite (SDM 3A 2.5)",
     [](const Judged& j, const Difference&) {
       return j.is("mov to cr4") && refuses(j, kGeneralProtection) && goes_on(j);
     }},
    {"WRMSR of an address that is not canonical", "takes it", "#GP(0)", "Kite (SDM 2C WRMSR)",
     [](const Judged& j, const Difference&) {
       return j.starts("wrmsr") && refuses(j, kGeneralProtection) && goes_on(j) &&
              !is_canonical(j.test.state.gpr[kRdx] << 32 | (j.test.state.gpr[kRax] & 0xffffffff));
     }},
    {"SYSCALL at level 3", "stays at level 3, or takes other selectors",
     "goes to level 0 with STAR's selectors", "Kite (SDM 2B SYSCALL)",
     [](const Judged& j, const Difference&) {
       return j.is("syscall") && is_long(j.test.mode) && j.test.cpl == 3 &&
              (vector_of(j.kvm) == kPageFault || j.kvm.end == End::kShutdown);
     }},
    {"SYSRET to an address that is not canonical", "goes there", "#GP(0) at level 0",
     "Kite (SDM 2B SYSRET)",
     [](const Judged& j, const Difference&) {
       return j.is("sysret") && is_wide(j) && !is_canonical(j.test.state.gpr[kRcx]) &&
              refuses(j, kGeneralProtection);
     }},
    {"SYSRET with TF or IOPL in R11", "drops them", "loads them", "Kite (SDM 2B SYSRET)",
     [](const Judged& j, const Difference&) {
       return j.is("sysret") && (j.test.state.gpr[kR11] & (rflags::kTf | rflags::kIopl)) &&
              (vector_of(j.ours) == kDebugException || iopl_lost(j));
     }},
    {"MOV to CR0 that switches paging on outside long mode", "#GP(0): has no such paging",
     "switches it on", "Kite (SDM 3A 4.1.2)",
     [](const Judged& j, const Difference&) {
       return j.is("mov to cr0") && !is_paged(j.test.mode) && faulted(j, j.kvm, kGeneralProtection);
     }},
    {"WRMSR of IA32_PAT with a type that is reserved", "takes it", "#GP(0)",
     "Kite (SDM 3A 11.12.4)",
     [](const Judged& j, const Difference&) {
       return j.is("wrmsr 277") && refuses(j, kGeneralProtection);
     }},
    {"MOV to CR0 with bits above 31", "drops them", "#GP(0)",
     "Kite (SDM 2B MOV, control registers)",
     [](const Judged& j, const Difference&) {
       return j.is("mov to cr0") && j.test.mode == Mode::kLong && refuses(j, kGeneralProtection) &&
              goes_on(j);
     }},
    {"MOV of debug registers under DR7.GD with bits above 31", "#GP(0)", "#DB",
     "Kite: it is raised before the instruction (SDM 3B 17.2.4)",
     [](const Judged& j, const Difference&) {
       return j.starts("mov to dr") && (j.test.state.dr7 & dr7::kGd) &&
              vector_of(j.ours) == kDebugException &&
              (vector_of(j.kvm) == kGeneralProtection || j.kvm.end == End::kShutdown);
     }},
    {"WRMSR of SYSENTER_ESP and SYSENTER_EIP", "keeps 32 bits or what is canonical", "keeps all 64",
     "either: makers differ (SDM 2C WRMSR, APM 2 6.1.2)",
     [](const Judged& j, const Difference& d) {
       return (is_any(j, {"wrmsr 175", "wrmsr 176"})) &&
              is_one_of(d, {"sysenter_esp", "sysenter_eip"});
     }},
};

}  // namespace

std::span<const Review> system_reviews() {
  return kReviews;
}

}  // namespace kite::ring0
