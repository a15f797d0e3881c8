// Virtual-8086 mode (SDM 3B chapter 21): what IOPL decides, ports, the way in and out, and with
// CR4.VME the redirected interrupts and the virtual interrupt flag.
#include <initializer_list>

#include "tests/guests/protected_mode.h"

using namespace guest;
using namespace guest::protected_mode;

namespace {

constexpr u32 kIoMap = 0x100, kRedirection = kIoMap - 32;
constexpr u8 kHlt = 0xf4;

// The TSS with an I/O map that lets every port through, and a redirection map of ones.
void prepare_v86(bool vme = false) {
  prepare();
  put32(kTss + 0x64, kIoMap << 16);
  for (unsigned i = 0; i < 0x80; i += 4) put32(kTss + kIoMap + i, 0);
  for (unsigned i = 0; i < 32; i += 4) put32(kTss + kRedirection + i, ~0u);
  if (vme) protected_start.cr4 = kCr4Vme;
}
// INT `vector` goes to the program's own handler, an HLT at 1100:0010.
void redirect(u8 vector) {
  const u32 at = kTss + kRedirection + vector / 8u;
  put8(at, volatile_read<u8>(at) & ~(1u << vector % 8));
  put16(vector * 4u, 0x10);
  put16(vector * 4u + 2u, kOther >> 4);
  put8(kOther + 0x10, kHlt);
}

int in_and_out() {
  prepare_v86();
  protected_start.eax = 0x12345678;
  EXPECT_SAME(what(run_v86({0x8c, 0xd8, 0xcd, 0x30}, kIopl3 | kIf)), fault(0x30));  // MOV AX, DS
  const Found& found = protected_found;
  EXPECT_SAME(found.eax, 0x12341001);
  EXPECT_SAME(found.esp, kInnerStack - 36);
  EXPECT_SAME(found.ss & 0xffff, kData0);
  EXPECT_SAME(word(found, 0), 4);
  EXPECT_SAME(word(found, 1), kCode >> 4);
  EXPECT_SAME(word(found, 2) & ~kRf, kVm | kIopl3 | kIf | 2);
  EXPECT_SAME(word(found, 3), kV86Stack);
  EXPECT_SAME(word(found, 4), 0);
  for (unsigned i = 0; i < 4; ++i) EXPECT_SAME(word(found, 5 + i), 0x1000 + i);
  for (u32 selector : {found.ds, found.es, found.fs, found.gs}) EXPECT_SAME(selector & 0xffff, 0);
  // A fault: its error code comes first.
  prepare_v86();
  EXPECT_SAME(what(run_v86({kHlt}, kIopl3)), fault(13));
  EXPECT_SAME(found.esp, kInnerStack - 40);
  EXPECT_SAME(word(found, 0), 0);
  EXPECT_SAME(word(found, 2) & kVm, kVm);
  // A handler of another level than 0 is no way out; nor is a conforming one.
  prepare_v86();
  interrupt_gate(0x30, 0xee, kCode3);
  EXPECT_SAME(what(run_v86({0xcd, 0x30}, kIopl3)), fault(13, kCode3 & ~3));
  set_descriptor(kFirst, segment(0, 0xfffff, 0x9f, 0xc));
  interrupt_gate(0x30, 0xee, kFirst);
  EXPECT_SAME(what(run_v86({0xcd, 0x30}, kIopl3)), fault(13, kFirst));
  // The gate's own level is checked for INT n, INT3 and INTO.
  interrupt_gate(0x30, 0x8e);
  EXPECT_SAME(what(run_v86({0xcd, 0x30}, kIopl3)), fault(13, 0x30 * 8 + 2));
  interrupt_gate(4, 0x8e);
  EXPECT_SAME(what(run_v86({0xce}, kIopl3 | 0x800)), fault(13, 4 * 8 + 2));
  // IRET to an offset beyond FFFFh.
  prepare_v86();
  EXPECT_SAME(what(start(0x10000, kCode >> 4, kVm, kV86Stack, 0)), fault(13));
  EXPECT_SAME(word(found, 1) & 0xffff, kCode0);
  return 0;
}

int sensitive_instructions() {
  prepare_v86();
  const u8 codes[][2] = {{0xfa, 0x90}, {0xfb, 0x90}, {0x9c, 0x90}, {0x9d, 0x90},
                         {0xcf, 0x90}, {0xcd, 0x30}, {0xf4, 0x90}};
  for (const auto& code : codes) {
    EXPECT_SAME(what(run_v86(code)), fault(13));
    EXPECT_SAME(word(protected_found, 0), 0);
  }
  // INT3 and INTO take their gates whatever IOPL is.
  EXPECT_SAME(what(run_v86({0x90})), fault(3));
  EXPECT_SAME(what(run_v86({0xce}, 0x800)), fault(4));
  // At IOPL 3: IF follows, IOPL and VM do not.
  EXPECT_SAME(what(run_v86({0xfb, 0x90}, kIopl3)), fault(3));
  EXPECT_SAME(word(protected_found, 2) & (kIf | kIopl3), kIf | kIopl3);
  EXPECT_SAME(what(run_v86({0xfa}, kIopl3 | kIf)), fault(3));
  EXPECT_SAME(word(protected_found, 2) & kIf, 0);
  EXPECT_SAME(what(run_v86({0x6a, 0, 0x9d}, kIopl3 | kIf)), fault(3));  // PUSH 0; POPF
  EXPECT_SAME(word(protected_found, 2) & (kIf | kIopl3), kIopl3);
  EXPECT_SAME(what(run_v86({0x66, 0x9c, 0x66, 0x58}, kIopl3)), fault(3));  // PUSHFD; POP EAX
  EXPECT_SAME(protected_found.eax & (kVm | kRf), 0);
  // POPFD with VM, RF and VIP set in the image changes none of them.
  EXPECT_SAME(what(run_v86({0x66, 0x68, 2, 0x30, 0x13, 0, 0x66, 0x9d}, kIopl3)), fault(3));
  EXPECT_SAME(word(protected_found, 2) & (kVm | kVip | kIopl3), kVm | kIopl3);
  // IRET as an 8086 has it: to 1100:0003.
  put8(kOther + 3, kInt3);
  EXPECT_SAME(what(run_v86({0x68, 2, 2, 0x68, 0, 0x11, 0x6a, 3, kIret}, kIopl3)), fault(3));
  EXPECT_SAME(word(protected_found, 1), kOther >> 4);
  EXPECT_SAME(word(protected_found, 0), 4);
  EXPECT_SAME(word(protected_found, 2) & (kIf | kIopl3), kIf | kIopl3);
  return 0;
}

int other_rules() {
  prepare_v86();
  const u8 undefined[][3] = {{0x63, 0xc0, 0x90},   // ARPL
                             {0x0f, 0x00, 0xc0},   // SLDT
                             {0x0f, 0x00, 0xd8},   // LTR
                             {0x0f, 0x02, 0xc0},   // LAR
                             {0x0f, 0x00, 0xe0}};  // VERR
  for (const auto& code : undefined) EXPECT_SAME(what(run_v86(code, kIopl3)), fault(6));
  const u8 forbidden[][3] = {{0x0f, 0x20, 0xc0},   // MOV EAX, CR0
                             {0x0f, 0x22, 0xc0},   // MOV CR0, EAX
                             {0x0f, 0x21, 0xc0},   // MOV EAX, DR0
                             {0x0f, 0x01, 0x16},   // LGDT
                             {0x0f, 0x01, 0xf0},   // LMSW
                             {0x0f, 0x06, 0x90},   // CLTS
                             {0x0f, 0x09, 0x90},   // WBINVD
                             {0x0f, 0x32, 0x90}};  // RDMSR
  for (const auto& code : forbidden) EXPECT_SAME(what(run_v86(code, kIopl3)), fault(13));
  EXPECT_SAME(what(run_v86({0x0f, 0x01, 0xe0})), fault(3));  // SMSW is free
  // Segments end at FFFFh; the bases are paragraphs, and any selector will do.
  EXPECT_SAME(what(run_v86({0xa1, 0xff, 0xff})), fault(13));
  EXPECT_SAME(what(run_v86({0xbd, 0xff, 0xff, 0x8b, 0x46, 0})), fault(12));  // MOV AX, [BP]
  EXPECT_SAME(what(run_v86({0x67, 0xa1, 0, 0, 1, 0})), fault(13));           // [10000h]
  put16(0x1fff0, 0x4711);
  EXPECT_SAME(what(run_v86({0xb8, 0xff, 0x1f, 0x8e, 0xd8, 0xa1, 0, 0})), fault(3));
  EXPECT_SAME(protected_found.eax & 0xffff, 0x4711);
  // A far jump beyond the limit.
  EXPECT_SAME(what(run_v86({0x66, 0xea, 0, 0, 1, 0, 0, 0x10})), fault(13));
  return 0;
}

int ports() {
  prepare_v86();
  put8(kTss + kIoMap + 0x80 / 8, 2);  // port 81h
  EXPECT_SAME(what(run_v86({0xe6, 0x80}, kIopl3)), fault(3));
  EXPECT_SAME(what(run_v86({0xe6, 0x81}, kIopl3)), fault(13));
  EXPECT_SAME(what(run_v86({0xe7, 0x80}, kIopl3)), fault(13));  // a word of both
  EXPECT_SAME(what(run_v86({0xe6, 0x80})), fault(3));           // IOPL counts for nothing
  // Two bytes of the map are read, so the last one within the limit is of no use.
  set_descriptor(kTask, segment(kTss, kIoMap + 0x10, 0x89));
  EXPECT_SAME(what(run_v86({0xe6, 0x80})), fault(13));
  set_descriptor(kTask, segment(kTss, kIoMap + 0x11, 0x89));
  EXPECT_SAME(what(run_v86({0xe6, 0x80})), fault(3));
  put16(kTss + 0x66, 0xffff);  // a map beyond the limit
  EXPECT_SAME(what(run_v86({0xe6, 0x80})), fault(13));
  // At level 3 of protected mode IOPL is asked first.
  prepare_v86();
  put8(kTss + kIoMap + 0x80 / 8, 2);
  EXPECT_SAME(what(run_user({0xe6, 0x81}, kIopl3)), fault(3));
  EXPECT_SAME(what(run_user({0xe6, 0x81})), fault(13));
  EXPECT_SAME(what(run_user({0xe6, 0x80})), fault(3));
  return 0;
}

int redirected_interrupts() {
  const Found& found = protected_found;
  prepare_v86(true);
  redirect(0x21);
  EXPECT_SAME(what(run_v86({0xcd, 0x21}, kVif)), fault(13));  // HLT of the program's handler
  EXPECT_SAME(word(found, 0), 0x10);
  EXPECT_SAME(word(found, 1), kOther >> 4);
  EXPECT_SAME(word(found, 2) & (kVif | kVm), kVm);
  EXPECT_SAME(word(found, 3), kV86Stack - 6);
  EXPECT_SAME(get16(kV86Stack - 6), 2);
  EXPECT_SAME(get16(kV86Stack - 4), kCode >> 4);
  EXPECT_SAME(get16(kV86Stack - 2), 2 | kIopl3 | kIf);  // VIF where IF stands, IOPL 3
  EXPECT_SAME(what(run_v86({0xcd, 0x21})), fault(13));
  EXPECT_SAME(get16(kV86Stack - 2), 2 | kIopl3);
  // At IOPL 3 it is IF itself.
  EXPECT_SAME(what(run_v86({0xcd, 0x21}, kIopl3 | kIf)), fault(13));
  EXPECT_SAME(word(found, 0), 0x10);
  EXPECT_SAME(word(found, 2) & kIf, 0);
  EXPECT_SAME(get16(kV86Stack - 2), 2 | kIopl3 | kIf);
  // Not redirected: by IOPL.
  EXPECT_SAME(what(run_v86({0xcd, 0x30})), fault(13));
  EXPECT_SAME(word(found, 0), 0);
  EXPECT_SAME(what(run_v86({0xcd, 0x30}, kIopl3)), fault(0x30));
  // INT3 is never redirected; a map that is not there is a fault.
  redirect(3);
  EXPECT_SAME(what(run_v86({0x90})), fault(3));
  put16(kTss + 0x66, 0x4000);
  EXPECT_SAME(what(run_v86({0xcd, 0x21}, kIopl3)), fault(13));
  EXPECT_SAME(word(found, 0), 0);
  // Without VME nothing is redirected.
  prepare_v86();
  redirect(0x21);
  EXPECT_SAME(what(run_v86({0xcd, 0x21}, kIopl3)), fault(0x21));
  return 0;
}

int virtual_interrupt_flag() {
  const Found& found = protected_found;
  prepare_v86(true);
  EXPECT_SAME(what(run_v86({0xfa}, kVif | kIf)), fault(3));
  EXPECT_SAME(word(found, 2) & (kVif | kIf), kIf);
  EXPECT_SAME(what(run_v86({0xfb, 0x9c})), fault(3));  // STI; PUSHF
  EXPECT_SAME(word(found, 2) & (kVif | kIf), kVif);
  EXPECT_SAME(get16(kV86Stack - 2), 2 | kIopl3 | kIf);
  EXPECT_SAME(what(run_v86({0x68, 0, 2, 0x9d})), fault(3));  // PUSH 200h; POPF
  EXPECT_SAME(word(found, 2) & (kVif | kIf), kVif);
  EXPECT_SAME(what(run_v86({0x6a, 0, 0x9d}, kVif)), fault(3));
  EXPECT_SAME(word(found, 2) & kVif, 0);
  put8(kOther, kInt3);
  const u8 iret[] = {0x68, 0, 2, 0x68, 0, 0x11, 0x6a, 0, kIret};
  EXPECT_SAME(what(run_v86(iret)), fault(3));
  EXPECT_SAME(word(found, 1), kOther >> 4);
  EXPECT_SAME(word(found, 2) & (kVif | kIf), kVif);
  // Not with 32-bit operands, nor with TF.
  EXPECT_SAME(what(run_v86({0x66, 0x9c})), fault(13));
  EXPECT_SAME(what(run_v86({0x66, 0x9d})), fault(13));
  EXPECT_SAME(what(run_v86({0x66, 0xcf})), fault(13));
  EXPECT_SAME(what(run_v86({0x68, 0, 1, 0x9d})), fault(13));
  // A virtual interrupt that waits takes STI, POPF and IRET to the monitor.
  EXPECT_SAME(what(run_v86({0xfb}, kVip)), fault(13));
  EXPECT_SAME(what(run_v86({0x68, 0, 2, 0x9d}, kVip)), fault(13));
  EXPECT_SAME(what(run_v86(iret, kVip)), fault(13));
  EXPECT_SAME(word(found, 0), 8);
  EXPECT_SAME(word(found, 3), kV86Stack - 6);
  EXPECT_SAME(what(run_v86({0x6a, 0, 0x9d}, kVip)), fault(3));  // IF stays clear: nothing waits
  EXPECT_SAME(what(run_v86({0xfa}, kVip)), fault(3));
  // At IOPL 3 there is nothing virtual.
  EXPECT_SAME(what(run_v86({0xfb, 0x90}, kIopl3 | kVip)), fault(3));
  EXPECT_SAME(word(found, 2) & (kVif | kIf), kIf);
  return 0;
}

// CR4.PVI: level 3 of protected mode has it, for CLI and STI only.
int protected_mode_virtual_interrupts() {
  const Found& found = protected_found;
  prepare_v86();
  EXPECT_SAME(what(run_user({0xfb, 0x90})), fault(13));
  protected_start.cr4 = kCr4Pvi;
  EXPECT_SAME(what(run_user({0xfb, 0x90})), fault(3));
  EXPECT_SAME(word(found, 2) & (kVif | kIf), kVif);
  EXPECT_SAME(what(run_user({0xfa}, kVif | kIf)), fault(3));
  EXPECT_SAME(word(found, 2) & (kVif | kIf), kIf);
  EXPECT_SAME(what(run_user({0xfb}, kVip)), fault(13));
  EXPECT_SAME(what(run_user({0x9c, 0x58, 0x50, 0x9d}, kVif)), fault(3));  // PUSHFD … POPFD
  EXPECT_SAME(word(found, 2) & (kVif | kIf), kVif);
  EXPECT_SAME(found.eax & kIf, 0);
  EXPECT_SAME(what(run_user({0xfb, 0x90}, kIopl3)), fault(3));
  EXPECT_SAME(word(found, 2) & (kVif | kIf), kIf);
  return 0;
}

}  // namespace

int guest_main() {
  mask_interrupts();
  RUN(in_and_out());
  RUN(sensitive_instructions());
  RUN(other_rules());
  RUN(ports());
  if (has(cpuid(1).edx, 1)) {
    RUN(redirected_interrupts());
    RUN(virtual_interrupt_flag());
    RUN(protected_mode_virtual_interrupts());
  }
  return 0;
}
