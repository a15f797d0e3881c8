#include "accel/tcg/lockstep.h"

#include <algorithm>
#include <string_view>

#include "accel/tcg/isa/families.h"
#include "accel/tcg/isa/row.h"
#include "accel/x86/registers.h"
#include "base/log.h"
#include "base/trace.h"

namespace kite::tcg {

namespace {

constexpr u64 kForgetEvery = 1 << 20;  // blocks

bool only_once(const Row& row, bool is_branch) {
  const Attributes a = row.attributes;
  for (std::string_view as_often_as_wanted : {"swapgs", "sti"})
    if (row.name == as_often_as_wanted) return false;
  if (a.has(cpl0) || (a.has(ends_block) && !is_branch)) return true;
  constexpr std::string_view kNames[] = {"in",     "insb",    "ins",    "outsb", "outs",
                                         "rdtsc",  "rdtscp",  "rdrand", "rdpmc", "rdseed",
                                         "vmcall", "vmmcall", "pause"};
  return std::ranges::find(kNames, row.name) != std::end(kNames);
}

bool is_integer(std::span<const Row> (*family)()) {
  for (auto integer : {arith_rows, logic_rows, move_rows, shift_rows, multiply_rows, bit_rows,
                       bmi_rows, branch_rows, stack_rows, string_rows})
    if (family == integer) return true;
  return false;
}

bool is_repeated_string(const Insn& insn) {
  const Row* row = Decoder::row_of(insn);
  return row && row->attributes.has(string) && insn.rep;
}

}  // namespace

Lockstep::Lockstep(Cpu& cpu) : cpu_(cpu) {
  for (auto family : {
#define KITE_NAME(family) &family##_rows,
           KITE_FAMILIES(KITE_NAME)
#undef KITE_NAME
       })
    for (const Row& row : family()) {
      only_once_.push_back(only_once(row, family == &branch_rows));
      is_integer_.push_back(is_integer(family));
    }
  cpu_.lockstep = this;
  cpu_.code->flush();
  cpu_.select_tables();
}

Lockstep::~Lockstep() {
  cpu_.lockstep = nullptr;
  trace::write(trace::Category::kLockstep,
               "{} blocks: {} compared; by handlers only: {} that cannot be repeated, {} with "
               "devices, {} not translated; {} used undefined flags, {} met other stores",
               count_.blocks, count_.compared, count_.alone, count_.devices, count_.declined,
               count_.undefined, count_.raced);
}

// Half of the blocks as long as they are, the others of up to eight instructions (xorshift64).
unsigned Lockstep::next_length() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_ >> 63 ? Block::kMaxInsns : static_cast<unsigned>(random_ >> 32 & 7) + 1;
}

BlockRunner::Ran Lockstep::by_handlers(const Insn* insn) {
  Flow flow;
  while ((flow = insn->handler(cpu_, *insn)) == Flow::kNext) ++insn;
  return {insn, flow, false};
}

BlockRunner::Ran Lockstep::run(Block& block) {
  if (++count_.blocks % kForgetEvery == 0) cpu_.attention |= kAttendMemory;
  cpu_.gpr[kBlockRip] = cpu_.rip;
  if (stands_alone(block.insns[0])) return ++count_.alone, by_handlers(block.insns);
  // Neither of the two is to be interrupted.
  const u32 wanted = cpu_.attention.take();
  const Ran ran = run_twice(block);
  cpu_.attention |= wanted;
  return ran;
}

// Blocks of integer code only now and then.
bool Lockstep::needs_fpu(const Block& block) const {
  constexpr u64 kNowAndThen = 16;
  const auto integer = [this](const Insn& insn) {
    return insn.row != kNoRow && is_integer_[insn.row];
  };
  return count_.blocks % kNowAndThen == 0 ||
         !std::all_of(block.insns, block.insns + block.count, integer);
}

BlockRunner::Ran Lockstep::run_twice(Block& block) {
  with_fpu_ = needs_fpu(block);
  before_.take(cpu_, with_fpu_);
  log_.begin();
  const Ran first = by_handlers(block.insns);
  log_.end();
  const bool interrupted = is_repeated_string(*first.last) && first.flow == Flow::kLeave &&
                           cpu_.rip == cpu_.this_rip(*first.last);
  if (!log_.repeatable() || block.stale || interrupted) return ++count_.devices, first;
  after_.take(cpu_, with_fpu_);
  log_.keep();
  log_.undo();
  before_.restore(cpu_, with_fpu_);
  const std::optional<Ran> second = by_translator(block, first);
  if (!second) return ++count_.declined, take_handlers(first);
  if (!same(block, first, *second)) return explain(block, first, *second);
  ++count_.compared;
  cpu_.flags = after_.flags;  // with the undefined ones the same in each run
  cpu_.gpr[kBlockRip] = after_.gpr[kBlockRip];
  return first;
}

// What leaves a string instruction half-way is none of the translator's business.
std::optional<BlockRunner::Ran> Lockstep::by_translator(Block& block, const Ran& first) {
  std::optional<Ran> ran =
      cpu_.code->runner()->run_alone(block, first.flow == Flow::kLeave ? after_.rip : 0);
  while (ran && ran->flow == Flow::kLeave && is_repeated_string(*ran->last) &&
         cpu_.rip == cpu_.this_rip(*ran->last))
    ran = by_handlers(ran->last);
  return ran;
}

bool Lockstep::same_registers(u32 undefined_flags) const {
  const u32 flags = (after_.flags.get() ^ cpu_.flags.get()) & ~undefined_flags;
  return std::equal(cpu_.gpr.begin(), cpu_.gpr.begin() + 16, after_.gpr.begin()) && flags == 0 &&
         ((after_.system_flags ^ cpu_.system_flags) & ~rflags::kRf) == 0 &&
         after_.cr2 == cpu_.cr2 && after_.kernel_gs_base == cpu_.msr.kernel_gs_base &&
         after_.segment_base == cpu_.segment_base && after_.segments == cpu_.segments &&
         (!with_fpu_ || after_.fpu == cpu_.fpu);
}

bool Lockstep::same(const Block& block, const Ran& first, const Ran& second) {
  const bool memory = log_.matches();
  if (first.flow != second.flow || first.last->ordinal != second.last->ordinal) return false;
  const bool same_way = first.flow == Flow::kFault
                            ? after_.fault.vector == cpu_.fault.vector &&
                                  after_.fault.kind == cpu_.fault.kind &&
                                  after_.fault.has_error_code == cpu_.fault.has_error_code &&
                                  after_.fault.error_code == cpu_.fault.error_code
                            : after_.rip == cpu_.rip;
  return same_way && memory &&
         (same_registers(0) || same_registers(undefined_flags(block, *first.last).at_end));
}

BlockRunner::Ran Lockstep::take_handlers(const Ran& first) {
  log_.redo();
  after_.restore(cpu_, with_fpu_);
  return first;
}

void Lockstep::report(const Block& block, const Ran& first, const Ran& second,
                      const std::string& memory) {
  const auto way = [](const Ran& ran, const LockstepRegisters& at) {
    return ran.flow == Flow::kFault
               ? fmt::format("fault {:#x} ({:#x}) of instruction {}", at.fault.vector,
                             at.fault.error_code, ran.last->ordinal)
               : fmt::format("to {:#x} by instruction {}", at.rip, ran.last->ordinal);
  };
  log::error("lockstep: handlers went {}, translated code {}; mode {:#x}, gpa {:#x}\n{}{}{}",
             way(first, after_), way(second, translated_), block.mode.key(), block.gpa,
             listing(block, before_.rip), differences(before_, after_, translated_), memory);
}

// Undefined flags that were used, stores of others, or a bug.
BlockRunner::Ran Lockstep::explain(const Block& block, const Ran& first, const Ran& second) {
  translated_.take(cpu_, with_fpu_);
  if (undefined_flags(block, *first.last).used) return ++count_.undefined, take_handlers(first);
  const std::string memory = log_.differences();
  log_.undo();
  before_.restore(cpu_, with_fpu_);
  const Ran third = by_handlers(block.insns);
  const bool raced = third.flow != first.flow || third.last != first.last ||
                     (third.flow == Flow::kLeave && cpu_.rip != after_.rip) || !same_registers(0) ||
                     !log_.matches();
  if (raced) return ++count_.raced, third;
  report(block, first, second, memory);
  failure_ = Error{ErrorKind::kInternal,
                   fmt::format("translated code and the interpreter differ at {:#x}", before_.rip)};
  cpu_.attention |= kAttendShutdown;
  return third;
}

}  // namespace kite::tcg
