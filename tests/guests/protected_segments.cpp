// Segments, gates and privilege levels of 32-bit protected mode (SDM 3A chapters 3, 5 and 6): call
// gates with parameters, conforming code, expand-down data, limits, what a fault within a delivery
// becomes, and which of several faults is taken.
#include <initializer_list>

#include "tests/guests/protected_mode.h"

using namespace guest;
using namespace guest::protected_mode;

namespace {

constexpr u8 kCallTheGate[] = {0x9a, 0, 0, 0, 0, kCallGate, 0};

int call_gates() {
  const Found& found = protected_found;
  // Three parameters: PUSH 33h, 22h, 11h; CALL gate.
  const u8 calls[] = {0x6a, 0x33, 0x6a, 0x22, 0x6a, 0x11, 0x9a, 0, 0, 0, 0, kCallGate, 0};
  prepare();
  set_descriptor(kCallGate, gate(kCode0, kOther, 0xec, 3));
  EXPECT_SAME(what(run_user(calls)), fault(3));
  EXPECT_SAME(word(found, 1) & 0xffff, kCode0);
  EXPECT_SAME(found.esp, kInnerStack - 28 - 12);
  const u32 wanted[] = {kCode + 13, kCode3, 0x11, 0x22, 0x33, kUserStack - 12, kData3};
  for (unsigned i = 0; i < 7; ++i)
    EXPECT_SAME(get32(kInnerStack - 28 + 4 * i) & (i == 1 || i == 6 ? 0xffff : ~0u), wanted[i]);
  // RETF 12 releases them on both stacks.
  prepare();
  set_descriptor(kCallGate, gate(kCode0, kOther, 0xec, 3));
  put_code(kOther, {0xca, 12, 0});
  EXPECT_SAME(what(run_user(calls)), fault(3));
  EXPECT_SAME(word(found, 0), kCode + 14);
  EXPECT_SAME(word(found, 1) & 0xffff, kCode3);
  EXPECT_SAME(word(found, 3), kUserStack);
  EXPECT_SAME(found.ds & 0xffff, kData3);
  // Words of 16 bits through a 16-bit gate.
  prepare();
  set_descriptor(kCallGate, gate(kCode0, 0x2000, 0xe4, 2));
  put8(0x2000, kInt3);
  EXPECT_SAME(what(run_user({0x68, 0x22, 0x11, 0x44, 0x33, 0x9a, 0, 0, 0, 0, kCallGate, 0})),
              fault(3));
  const u32 words[] = {(kCode + 12) & 0xffff,     kCode3, 0x1122, 0x3344,
                       (kUserStack - 4) & 0xffff, kData3};
  for (unsigned i = 0; i < 6; ++i) EXPECT_SAME(get16(kInnerStack - 12 + 2 * i), words[i]);
  // At the same level there is nothing to copy.
  prepare();
  set_descriptor(kCallGate, gate(kCode0, kOther, 0x8c, 3));
  EXPECT_SAME(what(run(kCallTheGate)), fault(3));
  EXPECT_SAME(found.esp, kStack - 0x40 + 12 - 8 - 12);
  return 0;
}

int refused_gates() {
  const auto with_gate = [](u64 descriptor) {
    prepare();
    set_descriptor(kCallGate, descriptor);
    return what(run_user(kCallTheGate));
  };
  EXPECT_SAME(with_gate(gate(kCode0, kOther, 0x8c)), fault(13, kCallGate));  // its DPL
  EXPECT_SAME(with_gate(gate(kCode0, kOther, 0x6c)), fault(11, kCallGate));  // not present
  EXPECT_SAME(with_gate(gate(0, kOther, 0xec)), fault(13));                  // to nowhere
  EXPECT_SAME(with_gate(gate(kData0, kOther, 0xec)), fault(13, kData0));
  prepare();
  set_descriptor(kFirst, segment(0, 0xfffff, 0x1b, 0xc));
  set_descriptor(kCallGate, gate(kFirst, kOther, 0xec));
  EXPECT_SAME(what(run_user(kCallTheGate)), fault(11, kFirst));
  // A jump goes through a gate to its own level only.
  prepare();
  set_descriptor(kCallGate, gate(kCode0, kOther, 0xec));
  EXPECT_SAME(what(run_user({0xea, 0, 0, 0, 0, kCallGate, 0})), fault(13, kCode0));
  set_descriptor(kCallGate, gate(kCode3, kOther, 0xec));
  EXPECT_SAME(what(run_user({0xea, 0, 0, 0, 0, kCallGate, 0})), fault(3));
  EXPECT_SAME(word(protected_found, 1) & 0xffff, kCode3);
  return 0;
}

// The stack of an inner level is the TSS's: what is wrong with it is #TS, or #SS.
int inner_stacks() {
  const auto with_stack = [](u16 selector, u32 esp) {
    prepare();
    set_descriptor(kFirst, segment(0, 0xfffff, 0x13, 0xc));  // not present
    set_descriptor(kSecond, segment(kInnerStack - 0x100, 0xff, 0x93, 0x4));
    set_descriptor(kCallGate, gate(kCode0, kOther, 0xec));
    interrupt_gate(10, 0xee, kCode3);
    interrupt_gate(12, 0xee, kCode3);
    put32(kTss + 4, esp);
    put32(kTss + 8, selector);
    // Their handlers stay at level 3, whence a task gives the way back.
    put64(kIdt + 10 * 8, gate(kCode3, kOther + 0x100, 0xee));
    put64(kIdt + 12 * 8, gate(kCode3, kOther + 0x200, 0xee));
    task_gate(0x30, kNextTask);
    put_code(kOther + 0x100, {0x59, 0xb8, 10, 0, 0, 0, 0xcd, 0x30});  // POP ECX; MOV EAX; INT
    put_code(kOther + 0x200, {0x59, 0xb8, 12, 0, 0, 0, 0xcd, 0x30});
    (void)run_user(kCallTheGate);
    return fault(get32(kTss + 0x28), get32(kTss + 0x2c));
  };
  EXPECT_SAME(with_stack(0, kInnerStack), fault(10, 0));
  EXPECT_SAME(with_stack(kData3, kInnerStack), fault(10, kData3 & ~3));
  EXPECT_SAME(with_stack(kData0 | 1, kInnerStack), fault(10, kData0));
  EXPECT_SAME(with_stack(kCode0, kInnerStack), fault(10, kCode0));
  EXPECT_SAME(with_stack(0x80, kInnerStack), fault(10, 0x80));
  EXPECT_SAME(with_stack(kFirst, kInnerStack), fault(12, kFirst));
  EXPECT_SAME(with_stack(kSecond, 0x200), fault(12, kSecond));  // beyond its limit
  EXPECT_SAME(with_stack(kSecond, 8), fault(12, kSecond));      // room for two words of four
  return 0;
}

int conforming_code() {
  const Found& found = protected_found;
  prepare();
  set_descriptor(kFirst, segment(0, 0xfffff, 0x9f, 0xc));  // level 0, conforming
  EXPECT_SAME(what(run_user({0xea, 0, 0x10, 1, 0, kFirst, 0})), fault(3));
  EXPECT_SAME(word(found, 0), kOther + 1);
  EXPECT_SAME(word(found, 1) & 0xffff, kFirst | 3);  // at the level of its caller
  EXPECT_SAME(word(found, 4) & 0xffff, kData3);
  // Of an outer level it cannot be called; nor can plain code of another level.
  prepare();
  set_descriptor(kFirst, segment(0, 0xfffff, 0xff, 0xc));
  EXPECT_SAME(what(run({0xea, 0, 0x10, 1, 0, kFirst, 0})), fault(13, kFirst));
  EXPECT_SAME(what(run({0xea, 0, 0x10, 1, 0, kCode3, 0})), fault(13, kCode3 & ~3));
  EXPECT_SAME(what(run_user({0xea, 0, 0x10, 1, 0, kCode0, 0})), fault(13, kCode0));
  // Its data may be read at any level.
  prepare();
  set_descriptor(kFirst, segment(0, 0xfffff, 0x9f, 0xc));
  EXPECT_SAME(what(run_user({0x66, 0xb8, kFirst | 3, 0, 0x8e, 0xd8})), fault(3));
  EXPECT_SAME(found.ds & 0xffff, kFirst | 3);
  EXPECT_SAME(what(run_user({0x66, 0xb8, kCode0, 0, 0x8e, 0xd8})), fault(13, kCode0));
  // A handler in conforming code runs at the level of what it interrupts.
  interrupt_gate(0x30, 0xee, kFirst);
  put64(kIdt + 0x30 * 8, gate(kFirst, kOther, 0xee));
  EXPECT_SAME(what(run_user({0xcd, 0x30})), fault(3));
  EXPECT_SAME(word(found, 1) & 0xffff, kFirst | 3);
  EXPECT_SAME(word(found, 3), kUserStack - 12);
  return 0;
}

int limits_and_types() {
  // MOV ES, kFirst; then one access.
  const auto access = [](u64 descriptor, u32 offset, u8 opcode) {
    prepare();
    set_descriptor(kFirst, descriptor);
    const u8 at[] = {static_cast<u8>(offset), static_cast<u8>(offset >> 8),
                     static_cast<u8>(offset >> 16), static_cast<u8>(offset >> 24)};
    return what(run({0x66, 0xb8, kFirst, 0, 0x8e, 0xc0, 0x26, opcode, at[0], at[1], at[2], at[3]}));
  };
  constexpr u8 kLoad = 0xa1, kStore = 0xa3, kLoadByte = 0xa0;  // of EAX or AL
  const u64 data = segment(kData, 0xff, 0x93, 0x4);
  EXPECT_SAME(access(data, 0xfc, kStore), fault(3));
  EXPECT_SAME(access(data, 0xfd, kStore), fault(13));
  EXPECT_SAME(access(data, 0xff, kLoadByte), fault(3));
  EXPECT_SAME(access(data, 0x100, kLoadByte), fault(13));
  EXPECT_SAME(access(data, 0xffff'ffff, kLoad), fault(13));
  EXPECT_SAME(access(segment(kData, 0xff, 0x91, 0x4), 0, kLoad), fault(3));
  EXPECT_SAME(access(segment(kData, 0xff, 0x91, 0x4), 0, kStore), fault(13));         // read only
  EXPECT_SAME(access(segment(kData, 0xff, 0x99, 0x4), 0, kLoad), fault(13, kFirst));  // not at all
  EXPECT_SAME(access(segment(kData, 0xff, 0x9b, 0x4), 0, kStore), fault(13));         // code
  EXPECT_SAME(access(segment(kData, 0, 0x93, 0xc), 0xffc, kLoad), fault(3));          // pages
  EXPECT_SAME(access(segment(kData, 0, 0x93, 0xc), 0xffd, kLoad), fault(13));
  // Expand-down: what lies above the limit, up to FFFFh or FFFFFFFFh.
  const u64 down = segment(kData, 0xff, 0x97), wide_down = segment(kData, 0xff, 0x97, 0x4);
  EXPECT_SAME(access(down, 0xff, kLoadByte), fault(13));
  EXPECT_SAME(access(down, 0x100, kLoadByte), fault(3));
  EXPECT_SAME(access(down, 0xfffc, kLoad), fault(3));
  EXPECT_SAME(access(down, 0xfffd, kLoad), fault(13));
  EXPECT_SAME(access(down, 0x10000, kLoadByte), fault(13));
  EXPECT_SAME(access(wide_down, 0xff, kLoadByte), fault(13));
  EXPECT_SAME(access(wide_down, 0x10000, kLoadByte), fault(3));
  EXPECT_SAME(access(wide_down, 0xffff'fffe, kLoad), fault(13));
  // A null selector loads, and every access faults.
  prepare();
  EXPECT_SAME(what(run({0x31, 0xc0, 0x8e, 0xc0, 0x26, 0xa0, 0, 0, 0, 0})), fault(13));
  EXPECT_SAME(word(protected_found, 0), kCode + 4);
  return 0;
}

// Stack accesses are #SS, code fetches #GP.
int stack_and_code_limits() {
  const Found& found = protected_found;
  prepare();
  set_descriptor(kCallGate, 0);
  set_descriptor(kFirst, segment(kUserStack - 0x1000, 0xfff, 0xf3, 0x4));
  put_code(kCode, {0xb8, kFirst | 3, 0, 0, 0, 0x8e, 0xd0, 0xbc, 3, 0, 0, 0, 0x50});
  protected_start.data_segments = kData3;
  EXPECT_SAME(what(start(kCode, kCode3, 0, kUserStack, kData3)), fault(12));  // PUSH EAX at ESP 3
  EXPECT_SAME(word(found, 0), kCode + 12);
  EXPECT_SAME(word(found, 3), 3);
  put_code(kCode + 12, {0x58});  // POP EAX at ESP FFDh
  put32(kCode + 8, 0xffd);
  EXPECT_SAME(what(start(kCode, kCode3, 0, kUserStack, kData3)), fault(12));
  EXPECT_SAME(word(found, 3), 0xffd);
  put_code(kCode + 12, {0x8b, 0x45, 0});  // MOV EAX, [EBP]
  protected_start.ebp = 0x1000;
  EXPECT_SAME(what(start(kCode, kCode3, 0, kUserStack, kData3)), fault(12));
  // The last instruction may end at the limit; the next is beyond it, or half of it.
  prepare();
  set_descriptor(kFirst, segment(kCode, 1, 0xfb, 0x4));
  put_code(kCode, {0x90, 0x90, 0x90});
  protected_start.data_segments = kData3;
  EXPECT_SAME(what(start(0, kFirst | 3, 0, kUserStack, kData3)), fault(13));
  EXPECT_SAME(word(found, 0), 2);
  put_code(kCode, {0x90, 0xcd, 0x30});
  EXPECT_SAME(what(start(0, kFirst | 3, 0, kUserStack, kData3)), fault(13));
  EXPECT_SAME(word(found, 0), 1);
  // A near jump beyond it faults where it stands.
  put_code(kCode, {0xeb, 0x10});
  EXPECT_SAME(what(start(0, kFirst | 3, 0, kUserStack, kData3)), fault(13));
  EXPECT_SAME(word(found, 0), 0);
  return 0;
}

int level_3_and_flags() {
  const Found& found = protected_found;
  prepare();
  // POPFD changes neither IOPL nor, with IOPL 0, IF.
  EXPECT_SAME(what(run_user({0x68, 2, 0x32, 0, 0, 0x9d})), fault(3));
  EXPECT_SAME(word(found, 2) & (kIopl3 | kIf), 0);
  EXPECT_SAME(what(run_user({0x68, 2, 0, 0, 0, 0x9d}, kIopl3 | kIf)), fault(3));
  EXPECT_SAME(word(found, 2) & (kIopl3 | kIf), kIopl3);
  EXPECT_SAME(what(run_user({0xfa})), fault(13));
  EXPECT_SAME(what(run_user({0xfa}, kIopl3)), fault(3));
  EXPECT_SAME(what(run_user({0xf4}, kIopl3)), fault(13));
  // INT n and INT3 ask the gate, exceptions do not, and INT1 is none of INT n.
  interrupt_gate(0x30, 0x8e);
  interrupt_gate(6, 0x8e);
  interrupt_gate(1, 0x8e);
  interrupt_gate(4, 0x8e);
  EXPECT_SAME(what(run_user({0xcd, 0x30})), fault(13, 0x30 * 8 + 2));
  EXPECT_SAME(what(run_user({0xcd, 6})), fault(13, 6 * 8 + 2));
  EXPECT_SAME(what(run_user({0x0f, 0x0b})), fault(6));
  EXPECT_SAME(what(run_user({0xce}, 0x800)), fault(13, 4 * 8 + 2));
  EXPECT_SAME(what(run_user({0xf1})), fault(1));
  EXPECT_SAME(word(found, 0), kCode + 1);
  EXPECT_SAME(found.dr6 & 0xe00f, 0);
  // IRET outwards takes away segments that level 3 may not have.
  prepare();
  put_code(kCode, {kInt3});
  EXPECT_SAME(what(start(kCode, kCode3, 0, kUserStack, kData3)), fault(3));
  for (u32 selector : {found.ds, found.es, found.fs, found.gs}) EXPECT_SAME(selector & 0xffff, 0);
  // IRET to a stack that is none, or that the level may not have.
  EXPECT_SAME(what(start(kCode, kCode3, 0, kUserStack, 0)), fault(13));
  EXPECT_SAME(what(start(kCode, kCode3, 0, kUserStack, kData0)), fault(13, kData0));
  EXPECT_SAME(what(start(kCode, kCode3, 0, kUserStack, 0x83)), fault(13, 0x80));
  EXPECT_SAME(what(start(kCode, kData0, 0, 0, 0)), fault(13, kData0));
  return 0;
}

// Which of several faults it is (SDM 3A table 6-2), and what a second one makes of it.
int priorities() {
  const Found& found = protected_found;
  prepare();
  // Sixteen bytes are #GP whatever they mean; fifteen are an instruction.
  EXPECT_SAME(what(run({0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                        0x66, 0x66, 0x66, 0x90})),
              fault(13));
  EXPECT_SAME(what(run({0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                        0x66, 0x66, 0x90})),
              fault(3));
  // LOCK where it may not stand, before anything the operand could raise.
  EXPECT_SAME(what(run({0xf0, 0x90})), fault(6));
  EXPECT_SAME(what(run({0x31, 0xc0, 0x8e, 0xc0, 0x26, 0xf0, 0x8b, 0x00})), fault(6));
  EXPECT_SAME(what(run({0x31, 0xc0, 0x8e, 0xc0, 0x26, 0xf0, 0xff, 0x00})), fault(13));
  // #UD before #NM, #NM before #GP of the operand.
  protected_start.cr0 |= 8;
  EXPECT_SAME(what(run({0x31, 0xc0, 0x8e, 0xc0, 0x26, 0xd9, 0x00})), fault(7));
  EXPECT_SAME(what(run({0xf0, 0xd9, 0xee})), fault(6));
  protected_start.cr0 &= ~8u;
  // DIV by zero of an operand that cannot be read is #GP.
  EXPECT_SAME(what(run({0x31, 0xc0, 0x8e, 0xc0, 0x26, 0xf7, 0x30})), fault(13));
  // A fault while #DE is delivered comes instead of it only if it is benign: #DE and #NP make #DF.
  prepare();
  put64(kIdt, gate(kCode0, door(0), 0x6e));
  EXPECT_SAME(what(run({0x31, 0xc9, 0xf7, 0xf1})), fault(8, 0));
  // Of #UD nothing but the second is left, with EXT; of INT n without.
  prepare();
  put64(kIdt + 6 * 8, gate(kCode0, door(6), 0x6e));
  EXPECT_SAME(what(run({0x0f, 0x0b})), fault(11, 6 * 8 + 3));
  put64(kIdt + 0x30 * 8, gate(kCode0, door(0x30), 0x6e));
  EXPECT_SAME(what(run({0xcd, 0x30})), fault(11, 0x30 * 8 + 2));
  EXPECT_SAME(word(found, 0), kCode);
  EXPECT_SAME(what(run({0xcd, 0x50})), fault(13, 0x50 * 8 + 2));  // beyond the table
  return 0;
}

}  // namespace

int guest_main() {
  mask_interrupts();
  RUN(call_gates());
  RUN(refused_gates());
  RUN(inner_stacks());
  RUN(conforming_code());
  RUN(limits_and_types());
  RUN(stack_and_code_limits());
  RUN(level_3_and_flags());
  RUN(priorities());
  return 0;
}
