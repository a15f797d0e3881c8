// Hardware task switches (SDM 3A chapter 8): by JMP, CALL, IRET, INT n and exceptions; what is
// saved and loaded; which task a fault belongs to.
#include <initializer_list>

#include "tests/guests/protected_mode.h"

using namespace guest;
using namespace guest::protected_mode;

namespace {

constexpr u8 kJump[] = {0xea, 0, 0, 0, 0, kNextTask, 0}, kCall[] = {0x9a, 0, 0, 0, 0, kNextTask, 0};
constexpr u32 kTaskSwitched = 8;  // CR0.TS

int jump() {
  prepare();
  protected_start.eax = 0xabcd1234;
  protected_start.esi = 0x5555aaaa;
  protected_start.dr7 = 0x7ff;
  put32(kNextTss + 0x24, 2 | 0x400);
  const Found& found = run(kJump, kIopl3 | 1);
  EXPECT_SAME(what(found), fault(3));
  EXPECT_SAME(found.tr & 0xffff, kNextTask);
  EXPECT_SAME(found.eax, 0x11111111);
  EXPECT_SAME(found.edi, 0x88888888);
  EXPECT_SAME(word(found, 0), kOther + 1);
  EXPECT_SAME(word(found, 2) & ~kRf, 0x402);
  EXPECT_SAME(found.esp, kNextStack - 12);
  EXPECT_SAME(found.cr0 & kTaskSwitched, kTaskSwitched);
  EXPECT_SAME(found.dr7 & 0xff, 0xaa);  // local breakpoints go, global ones stay
  EXPECT_SAME(access_of(kTask), 0x89);
  EXPECT_SAME(access_of(kNextTask), 0x8b);
  EXPECT_SAME(get32(kTss + 0x20), kCode + 7);
  EXPECT_SAME(get32(kTss + 0x24), kIopl3 | 3);
  EXPECT_SAME(get32(kTss + 0x28), 0xabcd1234);
  EXPECT_SAME(get32(kTss + 0x40), 0x5555aaaa);
  EXPECT_SAME(get32(kTss + 0x38), kStack - 0x40 + 12);
  EXPECT_SAME(get16(kTss + 0x4c), kCode0);
  EXPECT_SAME(get16(kTss + 0x54), kData0);
  EXPECT_SAME(get16(kNextTss), 0);  // a jump leaves no link
  return 0;
}

int call_and_return() {
  prepare();
  protected_start.ebx = 5;
  put_code(kOther, {kIret, kInt3});
  EXPECT_SAME(what(run(kCall)), fault(3));
  EXPECT_SAME(word(protected_found, 0), kCode + 8);
  EXPECT_SAME(word(protected_found, 2) & kNt, 0);
  EXPECT_SAME(protected_found.ebx, 5);
  EXPECT_SAME(protected_found.tr & 0xffff, kTask);
  EXPECT_SAME(access_of(kTask), 0x8b);
  EXPECT_SAME(access_of(kNextTask), 0x89);
  EXPECT_SAME(get16(kNextTss), kTask);
  EXPECT_SAME(get32(kNextTss + 0x24) & kNt, 0);  // IRET clears NT in what it saves
  EXPECT_SAME(get32(kNextTss + 0x20), kOther + 1);
  // While nested: NT, and both tasks are busy.
  prepare();
  EXPECT_SAME(what(run(kCall)), fault(3));
  EXPECT_SAME(word(protected_found, 2) & kNt, kNt);
  EXPECT_SAME(access_of(kTask), 0x8b);
  EXPECT_SAME(access_of(kNextTask), 0x8b);
  // Two deep, and back twice.
  prepare();
  put_code(kOther, {0x9a, 0, 0, 0, 0, kThirdTask, 0, kIret, kInt3});
  put_code(kOther + 0x800, {0x43, kIret});  // INC EBX
  EXPECT_SAME(what(run(kCall)), fault(3));
  EXPECT_SAME(protected_found.tr & 0xffff, kTask);
  EXPECT_SAME(get16(kThirdTss), kNextTask);
  EXPECT_SAME(get32(kThirdTss + 0x34), 0x44444445);
  EXPECT_SAME(access_of(kNextTask), 0x89);
  EXPECT_SAME(access_of(kThirdTask), 0x89);
  // Entered again it goes on where it was, and a call to itself finds it busy.
  prepare();
  put_code(kOther, {kIret, 0x9a, 0, 0, 0, 0, kNextTask, 0});
  EXPECT_SAME(what(run({0x9a, 0, 0, 0, 0, kNextTask, 0, 0x9a, 0, 0, 0, 0, kNextTask, 0})),
              fault(13, kNextTask));
  EXPECT_SAME(word(protected_found, 0), kOther + 1);
  return 0;
}

int gates() {
  prepare();
  task_gate(0x30, kNextTask);
  EXPECT_SAME(what(run({0xcd, 0x30})), fault(3));
  EXPECT_SAME(protected_found.tr & 0xffff, kNextTask);
  EXPECT_SAME(get16(kNextTss), kTask);
  EXPECT_SAME(get32(kTss + 0x20), kCode + 2);
  EXPECT_SAME(get32(kTss + 0x24) & kRf, 0);
  // A far call and a jump through a task gate.
  for (u32 opcode : {0x9a, 0xea}) {
    prepare();
    set_descriptor(kCallGate, gate(kNextTask, 0, 0x85));
    EXPECT_SAME(what(run({static_cast<u8>(opcode), 0, 0, 0, 0, kCallGate, 0})), fault(3));
    EXPECT_SAME(protected_found.tr & 0xffff, kNextTask);
    EXPECT_SAME(get16(kNextTss), opcode == 0x9a ? kTask : 0);
  }
  // Of level 0: not from level 3; of level 3: even to a TSS of level 0.
  prepare();
  set_descriptor(kCallGate, gate(kNextTask, 0, 0x85));
  EXPECT_SAME(what(run_user({0x9a, 0, 0, 0, 0, kCallGate, 0})), fault(13, kCallGate));
  EXPECT_SAME(what(run_user(kCall)), fault(13, kNextTask));
  set_descriptor(kCallGate, gate(kNextTask, 0, 0xe5));
  EXPECT_SAME(what(run_user({0x9a, 0, 0, 0, 0, kCallGate, 0})), fault(3));
  EXPECT_SAME(protected_found.tr & 0xffff, kNextTask);
  EXPECT_SAME(get16(kTss + 0x4c), kCode3);
  EXPECT_SAME(get32(kTss + 0x38), kUserStack);
  return 0;
}

// An exception's task has the error code on its stack, and the interrupted one RF.
int exceptions() {
  prepare();
  task_gate(13, kNextTask);
  EXPECT_SAME(what(run({0xb8, 0x54, 0, 0, 0, 0x8e, 0xd8})), fault(3));  // MOV DS, 54h: no table
  EXPECT_SAME(protected_found.tr & 0xffff, kNextTask);
  EXPECT_SAME(protected_found.esp, kNextStack - 4 - 12);
  EXPECT_SAME(get32(kNextStack - 4), 0x54);
  EXPECT_SAME(get32(kTss + 0x20), kCode + 5);
  EXPECT_SAME(get32(kTss + 0x24) & kRf, kRf);
  // A #GP whose gate is not present is a double fault, and its task gets a zero.
  prepare();
  put64(kIdt + 13 * 8, gate(kCode0, door(13), 0x6e));
  put64(kIdt + 11 * 8, gate(kCode0, door(11), 0x6e));
  task_gate(8, kNextTask);
  EXPECT_SAME(what(run({0xb8, 0x54, 0, 0, 0, 0x8e, 0xd8})), fault(3));
  EXPECT_SAME(protected_found.tr & 0xffff, kNextTask);
  EXPECT_SAME(get32(kNextStack - 4), 0);
  EXPECT_SAME(get32(kTss + 0x20), kCode + 5);
  // So is a stack that cannot be pushed to.
  prepare();
  task_gate(8, kNextTask);
  set_descriptor(kFirst, segment(0, 0xfff, 0x93, 0x4));
  EXPECT_SAME(what(run({0x66, 0xb8, kFirst, 0, 0x8e, 0xd0, 0xbc, 0, 0, 2, 0, 0x0f, 0x0b})),
              fault(3));  // MOV SS, AX; MOV ESP, 20000h; UD2
  EXPECT_SAME(protected_found.tr & 0xffff, kNextTask);
  EXPECT_SAME(get32(kTss + 0x20), kCode + 11);
  return 0;
}

int refusals() {
  const auto jump_to = [](u64 descriptor) {
    prepare();
    set_descriptor(kNextTask, descriptor);
    return what(run(kJump));
  };
  const auto is_unchanged = [] {
    return word(protected_found, 0) == kCode && (protected_found.tr & 0xffff) == kTask &&
           access_of(kTask) == 0x8b && !(protected_found.cr0 & kTaskSwitched);
  };
  EXPECT_SAME(jump_to(segment(kNextTss, 0x67, 0x8b)), fault(13, kNextTask));  // busy
  EXPECT(is_unchanged());
  EXPECT_SAME(jump_to(segment(kNextTss, 0x67, 0x09)), fault(11, kNextTask));  // not present
  EXPECT(is_unchanged());
  EXPECT_SAME(jump_to(segment(kNextTss, 0x66, 0x89)), fault(10, kNextTask));  // too short
  EXPECT(is_unchanged());
  EXPECT_SAME(jump_to(segment(kNextTss, 0x2a, 0x81)), fault(10, kNextTask));  // of 16 bits, too
  EXPECT_SAME(jump_to(segment(kNextTss, 0x67, 0x82)), fault(13, kNextTask));  // a local table
  prepare();
  EXPECT_SAME(what(run({0xea, 0, 0, 0, 0, kNextTask | 3, 0})), fault(13, kNextTask));  // RPL > DPL
  prepare();
  EXPECT_SAME(what(run({0xea, 0, 0, 0, 0, 0x80, 0})), fault(13, 0x80));  // beyond the table
  prepare();
  set_descriptor(kCallGate, gate(kCode0, 0, 0x85));  // a gate that leads to no TSS
  EXPECT_SAME(what(run({0xea, 0, 0, 0, 0, kCallGate, 0})), fault(13, kCode0));
  set_descriptor(kCallGate, gate(kNextTask | 4, 0, 0x85));  // nor to one of a local table
  EXPECT_SAME(what(run({0xea, 0, 0, 0, 0, kCallGate, 0})), fault(13, kNextTask | 4));
  // IRET to a task that is not busy.
  prepare();
  put16(kTss, kNextTask);
  EXPECT_SAME(what(run({0x9c, 0x80, 0x4c, 0x24, 1, 0x40, 0x9d, kIret})), fault(10, kNextTask));
  EXPECT_SAME(word(protected_found, 0), kCode + 7);
  EXPECT_SAME(word(protected_found, 2) & kNt, kNt);
  return 0;
}

// Faults of the new task's segments are the new task's.
int segments_of_the_new_task() {
  const auto with = [](u32 at, u32 value) {
    prepare();
    set_descriptor(kFirst, segment(0, 0xfffff, 0x13, 0xc));  // data, not present
    set_descriptor(kSecond, segment(0, 0xfff, 0x9b, 0x4));   // code of 4 KiB
    put32(kNextTss + at, value);
    return what(run(kJump));
  };
  const auto is_new = [] {
    return (protected_found.tr & 0xffff) == kNextTask && access_of(kNextTask) == 0x8b &&
           access_of(kTask) == 0x89;
  };
  EXPECT_SAME(with(0x54, 0x80), fault(10, 0x80));  // DS beyond the table
  EXPECT(is_new());
  EXPECT_SAME(word(protected_found, 0), kOther);
  EXPECT_SAME(with(0x48, kFirst), fault(11, kFirst));  // ES
  EXPECT(is_new());
  EXPECT_SAME(with(0x54, kTask), fault(10, kTask));  // DS: a system segment
  EXPECT_SAME(with(0x4c, kSecond), fault(13));       // EIP beyond CS
  EXPECT_SAME(with(0x54, 0), fault(3));              // DS may be null
  EXPECT_SAME(protected_found.ds & 0xffff, 0);
  // Without a stack the fault takes a task gate.
  prepare();
  task_gate(10, kThirdTask);
  put32(kNextTss + 0x50, kData3);
  EXPECT_SAME(what(run(kJump)), fault(3));
  EXPECT_SAME(protected_found.tr & 0xffff, kThirdTask);
  EXPECT_SAME(get16(kThirdTss), kNextTask);
  EXPECT_SAME(get32(kThirdStack - 4), kData3 & ~3);
  // So does one without a local table: that is looked at before any segment.
  prepare();
  task_gate(10, kThirdTask);
  put32(kNextTss + 0x60, kData0);
  EXPECT_SAME(what(run(kJump)), fault(3));
  EXPECT_SAME(get16(kThirdTss), kNextTask);
  EXPECT_SAME(get32(kThirdStack - 4), kData0);
  // The new task's own local table.
  prepare();
  set_descriptor(kFirst, segment(kLdt, 0xf, 0x82));
  put64(kLdt + 8, segment(0, 0xfffff, 0x93, 0xc));
  put32(kNextTss + 0x60, kFirst);
  put32(kNextTss + 0x54, 0xc);
  EXPECT_SAME(what(run(kJump)), fault(3));
  EXPECT_SAME(protected_found.ds & 0xffff, 0xc);
  return 0;
}

int debugging() {
  prepare();
  put32(kNextTss + 0x64, 0x68 << 16 | 1);  // T
  EXPECT_SAME(what(run(kJump)), fault(1));
  EXPECT_SAME(word(protected_found, 0), kOther);
  EXPECT_SAME(protected_found.dr6 & 0xe00f, 0x8000);  // BT
  // TF of the new task: behind its first instruction.
  prepare();
  put32(kNextTss + 0x24, 2 | kTf);
  put_code(kOther, {0x90, kInt3});
  EXPECT_SAME(what(run(kJump)), fault(1));
  EXPECT_SAME(word(protected_found, 0), kOther + 1);
  EXPECT_SAME(protected_found.dr6 & 0xe00f, 0x4000);  // BS
  EXPECT_SAME(word(protected_found, 2) & kTf, kTf);
  // And INT n that calls a task does not take TF along.
  prepare();
  task_gate(0x30, kNextTask);
  put_code(kOther, {0x90, 0x90, kInt3});
  const u8 stepping[] = {0x9c, 0x80, 0x4c, 0x24, 1, 1, 0x9d, 0xcd, 0x30};  // PUSHFD … POPFD; INT
  task_gate(1, kThirdTask);
  put_code(kOther + 0x800, {kInt3});
  EXPECT_SAME(what(run(stepping)), fault(3));
  EXPECT_SAME(get32(kTss + 0x24) & kTf, kTf);
  return 0;
}

int sixteen_bits() {
  prepare();
  set_descriptor(kNextTask, segment(kNextTss, 0x2b, 0x81));
  for (unsigned i = 0; i < 0x2c; i += 2) put16(kNextTss + i, 0);
  put16(kNextTss + 0x0e, 0);  // IP: a segment of 16 bits
  put16(kNextTss + 0x10, 2);
  for (unsigned i = 0; i < 8; ++i) put16(kNextTss + 0x12 + 2 * i, 0x1111 * i);
  put16(kNextTss + 0x1a, 0x800);
  set_descriptor(kFirst, segment(kOther, 0xfff, 0x9b));
  set_descriptor(kSecond, segment(kNextStack - 0x1000, 0xfff, 0x93));
  put16(kNextTss + 0x22, kData0);
  put16(kNextTss + 0x24, kFirst);
  put16(kNextTss + 0x26, kSecond);
  put16(kNextTss + 0x28, kData0);
  put_code(kOther, {0x66, 0xb8, 0x78, 0x56, 0x34, 0x12, kIret});  // MOV EAX, 12345678h; IRET
  protected_start.eax = 0x99999999;
  EXPECT_SAME(what(run(kCall)), fault(3));
  EXPECT_SAME(protected_found.tr & 0xffff, kTask);
  EXPECT_SAME(word(protected_found, 0), kCode + 8);
  EXPECT_SAME(protected_found.eax, 0x99999999);
  EXPECT_SAME(get16(kNextTss), kTask);
  EXPECT_SAME(get16(kNextTss + 0x0e), 7);
  EXPECT_SAME(get16(kNextTss + 0x12), 0x5678);
  EXPECT_SAME(get16(kNextTss + 0x14), 0x1111);
  EXPECT_SAME(access_of(kNextTask), 0x81);
  return 0;
}

int virtual_8086_task() {
  prepare();
  prepare_task(kNextTss, kOther, 0x7000, 2 | kVm | kIopl3);
  put32(kNextTss + 0x20, 4);
  put32(kNextTss + 0x4c, kOther >> 4);
  put32(kNextTss + 0x50, 0);
  put32(kNextTss + 0x54, 0x1234);
  put_code(kOther + 4, {0xcd, 0x30});
  EXPECT_SAME(what(run(kJump)), fault(0x30));
  EXPECT_SAME(word(protected_found, 0), 6);
  EXPECT_SAME(word(protected_found, 1), kOther >> 4);
  EXPECT_SAME(word(protected_found, 2) & kVm, kVm);
  EXPECT_SAME(word(protected_found, 3), 0x7000);
  EXPECT_SAME(word(protected_found, 6), 0x1234);  // DS
  return 0;
}

// With paging: CR3 is the task's, and a TSS that is not there faults in the old task.
int pages() {
  const auto page_in = [] {
    for (unsigned i = 0; i < 1024; ++i) put32(kTable + 4 * i, i << 12 | 7);
    put32(kDirectory, kTable | 7);
    for (unsigned i = 1; i < 16; ++i) put32(kDirectory + 4 * i, i << 22 | 0x87);
    prepare();
    protected_start.cr0 |= 0x80000000;
    protected_start.cr3 = kDirectory;
    protected_start.cr4 = 0x10;  // PSE
    put32(kNextTss + 0x1c, kDirectory | 8);
  };
  page_in();
  EXPECT_SAME(what(run(kJump)), fault(3));
  EXPECT_SAME(protected_found.cr3, kDirectory | 8);
  page_in();
  set_descriptor(kNextTask, segment(kData + 0x40, 0x67, 0x89));
  put32(kTable + (kData >> 12) * 4, 0);
  EXPECT_SAME(what(run(kJump)), fault(14));
  EXPECT_SAME(protected_found.tr & 0xffff, kTask);
  EXPECT_SAME(word(protected_found, 0), kCode);
  EXPECT_SAME(protected_found.cr2 >> 12, kData >> 12);
  EXPECT_SAME(access_of(kNextTask), 0x89);
  return 0;
}

}  // namespace

int guest_main() {
  mask_interrupts();
  RUN(jump());
  RUN(call_and_return());
  RUN(gates());
  RUN(exceptions());
  RUN(refusals());
  RUN(segments_of_the_new_task());
  RUN(debugging());
  RUN(sixteen_bits());
  RUN(virtual_8086_task());
  RUN(pages());
  return 0;
}
