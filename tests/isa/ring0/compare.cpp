#include "tests/isa/ring0/compare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "accel/x86/registers.h"
#include "tests/isa/ring0/image.h"

namespace kite::ring0 {
namespace {

constexpr std::string_view kGprNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr std::string_view kSegmentNames[] = {"es", "cs", "ss", "ds", "fs", "gs"};

u64 attributes(const Segment& s) {
  return s.type | u64{s.s} << 4 | u64{s.dpl} << 5 | u64{s.present} << 7 | u64{s.avl} << 12 |
         u64{s.l} << 13 | u64{s.db} << 14 | u64{s.g} << 15;
}

class Comparison {
 public:
  Comparison(const Case& test, const Outcome& kvm, const Outcome& ours)
      : test_(test), kvm_(kvm), ours_(ours) {}

  std::vector<Difference> all() {
    field("end", static_cast<u64>(kvm_.end), static_cast<u64>(ours_.end));
    // A triple fault leaves nothing that is defined.
    if (kvm_.end != End::kHalted || ours_.end != End::kHalted) return std::move(found_);
    const X86State &a = kvm_.state, &b = ours_.state;
    for (unsigned i = 0; i < 16; ++i) field(kGprNames[i], a.gpr[i], b.gpr[i]);
    field("rip", a.rip, b.rip);
    field("rflags", a.rflags & ~rflags::kRf, b.rflags & ~rflags::kRf);
    for (unsigned i = 0; i < 6; ++i) segment(kSegmentNames[i], a.segments[i], b.segments[i]);
    segment("ldtr", a.ldtr, b.ldtr);
    segment("tr", a.tr, b.tr);
    system();
    memory();
    return std::move(found_);
  }

 private:
  void field(std::string_view name, u64 kvm, u64 ours) {
    if (kvm != ours) found_.push_back({std::string(name), kvm, ours, 0});
  }

  // Of an unusable segment nothing is defined but the bases of FS and GS in long mode.
  void segment(std::string_view name, const Segment& kvm, const Segment& ours) {
    field(fmt::format("{}.selector", name), kvm.selector, ours.selector);
    const bool usable = !kvm.unusable && !ours.unusable;
    // A null SS of long mode is either to KVM; its level is compared as CPL by what follows.
    if (!is_long(test_.mode) || name != "ss" || kvm.selector > 3)
      field(fmt::format("{}.unusable", name), kvm.unusable, ours.unusable);
    if (usable || (is_long(test_.mode) && (name == "fs" || name == "gs")))
      field(fmt::format("{}.base", name), kvm.base, ours.base);
    if (!usable) return;
    field(fmt::format("{}.limit", name), kvm.limit, ours.limit);
    field(fmt::format("{}.attributes", name), attributes(kvm), attributes(ours));
  }

  void system() {
    const X86State &a = kvm_.state, &b = ours_.state;
    field("gdtr.base", a.gdtr.base, b.gdtr.base);
    field("gdtr.limit", a.gdtr.limit, b.gdtr.limit);
    field("idtr.base", a.idtr.base, b.idtr.base);
    field("idtr.limit", a.idtr.limit, b.idtr.limit);
    field("cr0", a.cr0, b.cr0);
    field("cr2", a.cr2, b.cr2);
    field("cr3", a.cr3, b.cr3);
    field("cr4", a.cr4, b.cr4);
    for (unsigned i = 0; i < 4; ++i) field(fmt::format("dr{}", i), a.dr[i], b.dr[i]);
    field("dr6", a.dr6, b.dr6);
    field("dr7", a.dr7, b.dr7);
    field("xcr0", a.fpu.xcr0, b.fpu.xcr0);
    msrs();
  }

  void msrs() {
    const X86State &a = kvm_.state, &b = ours_.state;
    field("efer", a.efer, b.efer);
    field("star", a.star, b.star);
    field("lstar", a.lstar, b.lstar);
    field("cstar", a.cstar, b.cstar);
    field("sfmask", a.sfmask, b.sfmask);
    field("kernel_gs_base", a.kernel_gs_base, b.kernel_gs_base);
    field("sysenter_cs", a.sysenter_cs, b.sysenter_cs);
    field("sysenter_esp", a.sysenter_esp, b.sysenter_esp);
    field("sysenter_eip", a.sysenter_eip, b.sysenter_eip);
    field("pat", a.pat, b.pat);
    field("tsc_aux", a.tsc_aux, b.tsc_aux);
    field("mtrr_def_type", a.mtrr_def_type, b.mtrr_def_type);
    for (unsigned i = 0; i < 16; ++i)
      field(fmt::format("mtrr_variable{}", i), a.mtrr_variable[i], b.mtrr_variable[i]);
    for (unsigned i = 0; i < 11; ++i)
      field(fmt::format("mtrr_fixed{}", i), a.mtrr_fixed[i], b.mtrr_fixed[i]);
  }

  // The first difference of each place.
  void memory() {
    if (kvm_.ram == ours_.ram) return;
    std::string_view last;
    for (u32 i = 0; i < kRamSize; ++i) {
      if (kvm_.ram[i] == ours_.ram[i] || place_name(i) == last) continue;
      last = place_name(i);
      const u32 at = std::min<u32>(i, kRamSize - 8);
      found_.push_back({fmt::format("memory:{}", last), kite::load<u64>(kvm_.ram.data() + at),
                        kite::load<u64>(ours_.ram.data() + at), i});
    }
  }

  const Case& test_;
  const Outcome &kvm_, &ours_;
  std::vector<Difference> found_;
};

std::string outcome_text(const char* who, const Outcome& outcome) {
  constexpr const char* kEnds[] = {"halted", "shutdown", "hung", "unjudged"};
  const X86State& s = outcome.state;
  std::string text =
      fmt::format("  {} {} vector {} cs:rip {:x}:{:x} ss:rsp {:x}:{:x} frame", who,
                  kEnds[static_cast<unsigned>(outcome.end)], vector_of(outcome),
                  s.segments[kCs].selector, s.rip, s.segments[kSs].selector, s.gpr[kRsp]);
  const u64 top = (s.gpr[kRsp] + (s.segments[kSs].unusable ? 0 : s.segments[kSs].base)) & 0xfffff;
  for (u64 i = 0; i < 48 && top + i + 4 <= kRamSize; i += 4)
    text += fmt::format(" {:x}", kite::load<u32>(outcome.ram.data() + top + i));
  return text + '\n';
}

std::string segments_text(const X86State& s) {
  std::string text;
  for (unsigned i = 0; i < 6; ++i)
    text += fmt::format(" {}={:x}/{:x}/{:x}/{:x}{}", kSegmentNames[i], s.segments[i].selector,
                        s.segments[i].base, s.segments[i].limit, attributes(s.segments[i]),
                        s.segments[i].unusable ? "!" : "");
  return text;
}

}  // namespace

std::vector<Difference> differences(const Case& test, const Outcome& kvm, const Outcome& ours) {
  return Comparison(test, kvm, ours).all();
}

int vector_of(const Outcome& outcome) {
  const Segment& code = outcome.state.segments[kCs];
  const u64 linear = outcome.state.rip + (code.l ? 0 : code.base);
  if (linear <= kHandlers || linear > kHandlers + 0x1000) return -1;
  return static_cast<int>((linear - 1 - kHandlers) / 16);
}

std::string_view place_name(u32 address) {
  struct Place {
    u32 start;
    std::string_view name;
  };
  constexpr Place kPlaces[] = {
      {kPml4, "page tables"}, {kTarget, "target"},     {kCodePage, "code"},
      {kStackPage, "stack"},  {kHandlers, "handlers"}, {kInnerStacks, "inner stack"},
      {kSystemPage, "data"},  {kTss2, "other TSS"},    {kTss, "TSS"},
      {kIdt, "IDT"},          {kLdt, "LDT"},           {kGdt, "GDT"}};
  for (const Place& place : kPlaces)
    if (address >= place.start) return place.name;
  return "IVT";
}

std::string describe(const Case& test, const Outcome& kvm, const Outcome& ours,
                     const std::vector<Difference>& found) {
  const X86State& s = test.state;
  std::string text = fmt::format("  {}: {} {} level {}: {:02x}\n ", test.family, test.name,
                                 mode_name(test.mode), test.cpl, fmt::join(test.code, " "));
  for (unsigned i = 0; i < 16; ++i) text += fmt::format(" {}={:x}", kGprNames[i], s.gpr[i]);
  text += fmt::format(
      "\n  rip={:x} rflags={:x} cr0={:x} cr3={:x} cr4={:x} efer={:x} tr.limit={:x} "
      "idtr.limit={:x}{}\n",
      s.rip, s.rflags, s.cr0, s.cr3, s.cr4, s.efer, s.tr.limit, s.idtr.limit, segments_text(s));
  const Ram plain = memory_for(test.mode, test.cpl);
  for (u32 i = 0; i < kRamSize; i += 8) {
    const u64 value = test.get<u64>(i);
    if (value == kite::load<u64>(plain.data() + i) || (i & ~0xfffu) == kCodePage) continue;
    text += fmt::format("  [{:x} {}]={:016x}\n", i, place_name(i), value);
  }
  text += outcome_text("KVM ", kvm) + outcome_text("ours", ours);
  for (const Difference& d : found)
    text += fmt::format("  {}{}: KVM {:x}, ours {:x}\n", d.field,
                        d.address ? fmt::format("[{:x}]", d.address) : "", d.kvm, d.ours);
  return text;
}

}  // namespace kite::ring0
