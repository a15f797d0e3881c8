// What a kernel does all the time at CPL 0, where nothing forbids it: it saves, clears and sets IF
// wherever it counts, and STAC, CLAC and SWAPGS are at both ends of its system calls.
#include <bit>

#include "accel/tcg/fast_tables.h"
#include "accel/tcg/translator/block_writer.h"

namespace kite::tcg {

bool BlockWriter::push_flags(const Insn& insn) {
  if (!has_usual_width(insn)) return false;
  const u32 here = site(insn, Site::Kind::kInstruction);
  const i32 size = static_cast<i32>(stack_bytes());
  code_.pushf();
  code_.pop(kValue);
  code_.pext(kValue, kValue, KITE_FRAME(arithmetic_flags));
  code_.pdep(kValue, kValue, KITE_FRAME(arithmetic_flags));
  code_.mov(kAddress, KITE_FRAME(system_flags));
  code_.pext(kAddress, kAddress, KITE_FRAME(pushed_flags));
  code_.pdep(kAddress, kAddress, KITE_FRAME(pushed_flags));
  code_.lea(kValue, {kValue, kAddress});
  code_.mov(KITE_FRAME(pushed), kValue);
  island_if_needed();
  const HostOperand top = reach_stack(insn, -size, here);
  code_.mov(kValue, KITE_FRAME(pushed));
  may_fault(here);
  mov_sized(top, kValue);
  move_stack(-size);
  resume_at(here);
  return true;
}

// Turned until the flag is the highest bit, which a sum with itself loses.
void BlockWriter::write_system_flag(u64 flag, bool value) {
  const auto place = static_cast<u8>(std::countr_zero(flag));
  code_.mov(kValue, KITE_FRAME(system_flags));
  code_.rorx(kValue, kValue, static_cast<u8>(place + 1));
  code_.lea(kValue, {kValue, kValue, 0, value});
  code_.rorx(kValue, kValue, static_cast<u8>(64 - place));
  code_.mov(KITE_FRAME(system_flags), kValue);
}

// The last of its block, since it may have to look for interrupts (Translator::slow_way has the
// shadow). Its handler does that where one waits for IF.
void BlockWriter::set_interrupts(const Insn& insn) {
  const u32 here = site(insn, Site::Kind::kInstruction);
  held_ = kNothingHeld;
  code_.mov32(kScratch, KITE_FRAME(no_interrupt_waits));
  leave_without_word(here);
  write_system_flag(rflags::kIf, true);
  resume_at(here);
}

// AC is what the tables go by.
void BlockWriter::access_user(bool allow) {
  const auto privilege =
      static_cast<unsigned>(allow ? Privilege::kSupervisorAc : Privilege::kSupervisor);
  const auto base = [privilege](std::size_t tables) {
    return HostOperand{kScratch, Host::kRsp, 0, static_cast<i32>(tables + sizeof(u8*) * privilege)};
  };
  write_system_flag(rflags::kAc, allow);
  held_ = kNothingHeld;
  code_.mov(kScratch, KITE_FRAME(tables));
  code_.mov(kReadTable, base(offsetof(FastBases, reads)));
  code_.mov(kScratch, base(offsetof(FastBases, writes)));
  code_.mov(KITE_FRAME(write_table), kScratch);
}

void BlockWriter::swap_gs() {
  held_ = kNothingHeld;
  code_.mov(kScratch, KITE_FRAME(gs_base));
  code_.mov(kValue, KITE_FRAME(kernel_gs_base));
  code_.mov(KITE_FRAME(gs_base), kValue);
  code_.mov(KITE_FRAME(kernel_gs_base), kScratch);
}

// At CPL 0. False: it is left to its handler.
bool BlockWriter::system(const Insn& insn, Treatment treatment) {
  if (treatment == Treatment::kPushFlags) return push_flags(insn);
  if (treatment == Treatment::kClearInterrupts)
    write_system_flag(rflags::kIf, false);
  else if (treatment == Treatment::kSetInterrupts)
    set_interrupts(insn);
  else if (treatment == Treatment::kSwapGs)
    swap_gs();
  else
    access_user(treatment == Treatment::kAllowAccess);
  return true;
}

}  // namespace kite::tcg
