// What translated code calls: its frame, and the slow way, on which one instruction is executed by
// its handler.
#include <x86intrin.h>

#include <algorithm>
#include <new>

#include "accel/tcg/translator/translator.h"
#include "accel/tcg/translator/x87_image.h"

namespace kite::tcg {

namespace {

// Between two looks at what others ask of this processor.
constexpr u32 kPolls = 1024;

// AX of Emitter::flags_to_ax().
u16 packed(u32 rflags) {
  return static_cast<u16>((rflags & 0xff) << 8 | (rflags & kOf ? 1 : 0));
}
u32 unpacked(u16 ax) {
  return u32{ax} >> 8 | (ax & 1 ? kOf : 0);
}

}  // namespace

void Translator::fill_frame(Frame& frame) {
  const auto privilege = static_cast<unsigned>(cpu_.data_privilege());
  frame.tables = cpu_.fast_tables;
  frame.read_table = cpu_.fast_tables->reads[privilege];
  frame.write_table = cpu_.fast_tables->writes[privilege];
  frame.fs_base = cpu_.segment_base[kFs];
  frame.gs_base = cpu_.segment_base[kGs];
  frame.kernel_gs_base = cpu_.msr.kernel_gs_base;
  for (unsigned i = 0; i < frame.spilled.size(); ++i)
    frame.spilled[i] = cpu_.gpr[kSpilledGuests[i]];
  frame.flags = packed(cpu_.flags.get());
  frame.system_flags = cpu_.system_flags;
  frame.no_interrupt_waits = !cpu_.interrupt_waiting;
}

// What STI, STAC, CLAC and SWAPGS have changed of the Cpu.
void Translator::take_system_state(const Frame& frame) {
  const u64 changed = std::exchange(cpu_.system_flags, frame.system_flags) ^ frame.system_flags;
  if (changed & rflags::kAc) cpu_.select_tables();
  if (frame.kernel_gs_base == cpu_.msr.kernel_gs_base) return;
  cpu_.msr.kernel_gs_base = frame.kernel_gs_base;
  cpu_.segments[kGs].base = cpu_.segment_base[kGs] = frame.gs_base;
}

// Of those that find 0, before the last one leaves. Where nobody counts, they find it because
// something is wanted.
u32 Translator::polls() {
  if (alone_) return kPolls;
  if (cpu_.attention.load(std::memory_order_relaxed)) return 1;
  if (cpu_.attention.counts()) return kPolls;
  cpu_.attention.settle();
  return 1;
}

const u8* Translator::begin(Translator* self, Frame* at, const u8* code) {
  Frame& frame = *new (at) Frame;
  frame.polls = self->polls();
  frame.page = align_down(self->cpu_.rip, kPageSize);
  frame.jumps = self->jumps_.entries();
  frame.calm = &self->cpu_.attention.word();
  frame.context = self->context_;
  frame.gpr = self->cpu_.gpr.data();
  frame.fpu = &self->cpu_.fpu;
  frame.self = self;
  frame.faulted = &self->faulted_;
  self->fill_frame(frame);
  return code;
}

// Looks up again what accesses behind `number` rely on: the handler may have changed what is
// mapped. False: for one of them there is no word.
bool Translator::renew_shared(Frame& frame, u32 number) {
  const Site& site = sites_[number];
  auto behind =
      std::upper_bound(shared_.begin(), shared_.end(), number,
                       [](u32 to, const SharedCheck& shared) { return to < shared.first; });
  for (; behind != shared_.begin() && behind[-1].block == site.block; --behind) {
    const SharedCheck& shared = behind[-1];
    if (number >= shared.end) continue;
    u64 linear = cpu_.gpr[shared.key.base] + (cpu_.gpr[shared.key.index] << shared.key.scale);
    linear += static_cast<u64>(i64{shared.low});
    if (!cpu_.code64()) linear &= 0xffffffff;
    const u64 last = linear + static_cast<u64>(i64{shared.high} - shared.low - 1);
    const u8* table = shared.write ? frame.write_table : frame.read_table;
    const u64 word = FastTable::look_up(common_.tables, table, linear, last);
    if (word == 0) {
      const bool can_be_read =
          shared.write && FastTable::look_up(common_.tables, frame.read_table, linear, last) != 0;
      if (can_be_read || linear / kPageSize != last / kPageSize) share_less(*site.block);
      return false;
    }
    frame.reused[shared.slot] = word + (shared.key.base == kBlockRip ? frame.page : 0);
  }
  frame.scratch = site.held == kNothingHeld ? 0 : frame.reused[site.held];
  return true;
}

// What accesses of `block` share lies on two pages that do not follow each other in the host's
// memory, or on one with code, which can only be loaded from. Where that happens all the time, each
// is better off alone; so is what is left of the block this time.
void Translator::share_less(Block& block) {
  constexpr u32 kSoon = 4;  // 4096 cycles
  constexpr u8 kMany = 16;
  alone_from_here_ = true;
  const auto now = static_cast<u32>(__rdtsc() >> 10);
  block.unshared = now - block.last_unshared <= kSoon ? static_cast<u8>(block.unshared + 1) : u8{0};
  block.last_unshared = now;
  if (block.unshared < kMany) return;
  block.shares = false;
  undo(block);
}

const u8* Translator::slow(Translator* self, Frame* frame, u32 site) {
  if (!frame->x87_absent) x87_from_host(self->cpu_, *frame);
  return self->slow_way(*frame, site);
}

// By the JumpTable's entry of run_alone().
void Translator::stop(const Frame& frame) {
  cpu_.rip = reinterpret_cast<const JumpTable::Entry*>(frame.target)->linear(frame.context);
  ran_ = {&alone_->insns[alone_->count - 1], Flow::kLeave, false};
}

// Answers where to go on, or null: run() returns with ran_.
const u8* Translator::slow_way(Frame& frame, u32 number) {
  for (unsigned i = 0; i < frame.spilled.size(); ++i)
    cpu_.gpr[kSpilledGuests[i]] = frame.spilled[i];
  cpu_.flags.set(unpacked(frame.flags));
  take_system_state(frame);
  if (number == 0) return stop(frame), nullptr;
  const Site site = sites_[number];
  const Block& block = *site.block;
  const Insn* insn = &block.insns[site.ordinal];
  cpu_.gpr[kBlockRip] = frame.page + block.gpa % kPageSize;
  const bool look_around = frame.polls == 0;
  if (site.kind == Site::Kind::kExit || site.kind == Site::Kind::kLinkable) {
    cpu_.rip = frame.page + static_cast<u64>(i64{site.target});
    if (!cpu_.code64()) cpu_.rip &= 0xffffffff;
    exit_ = look_around ? 0 : number;
    if (treatments_.of(*insn) == Treatment::kSetInterrupts) cpu_.shadow_interrupts();
    ran_ = {insn, Flow::kLeave, look_around};
    const i32 next = static_cast<i32>(block.gpa % kPageSize) + insn->next_offset;
    if (cpu_.code64() && !cpu_.canonical(cpu_.rip) && site.target != next) refuse_target(*insn);
    return nullptr;
  }
  if (site.kind == Site::Kind::kX87 && x87_to_host(cpu_.fpu, frame))
    return memory_.executable() + site.resume;
  if (site.kind != Site::Kind::kInstruction) count_declined(*insn);
  // Perhaps the word of another page, 8 TiB away: the handler is to fill it anew.
  if (std::exchange(faulted_, 0)) cpu_.tlb.current().forget_data();
  Flow flow = insn->handler(cpu_, *insn);
  if (flow == Flow::kNext && (look_around || !can_go_on(block))) flow = cpu_.leave(*insn);
  if (flow == Flow::kNext) {
    fill_frame(frame);
    frame.reused.fill(kNoWord);
    const bool renewed = !site.shares || renew_shared(frame, number);
    if (!renewed && !alone_)  // who runs the block alone wants all of it
      flow = cpu_.leave(*insn);
    else if (renewed && site.kind != Site::Kind::kX87 &&
             (!site.x87 || x87_to_host(cpu_.fpu, frame)))
      return memory_.executable() + site.resume;
  }
  while (flow == Flow::kNext) {
    count_declined(*++insn);
    flow = insn->handler(cpu_, *insn);
  }
  ran_ = {insn, flow, look_around};
  return nullptr;
}

bool Translator::can_go_on(const Block& block) const {
  return (alone_ || !cpu_.attention.load(std::memory_order_relaxed)) && !block.stale &&
         (cpu_.code64() || can_run(block));
}

void Translator::count_declined(const Insn& insn) {
  if (insn.row != kNoRow) ++declined_[insn.row];
}

// A branch whose target is not canonical faults itself; all that CALL has done by now is undone.
void Translator::refuse_target(const Insn& branch) {
  if (treatments_.of(branch) == Treatment::kCall) cpu_.gpr[kRsp] += 8;
  exit_ = 0;
  ran_ = {&branch, cpu_.general_protection(), false};
}

}  // namespace kite::tcg
