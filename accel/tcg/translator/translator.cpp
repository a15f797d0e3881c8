#include "accel/tcg/translator/translator.h"

#include <x86intrin.h>

#include <algorithm>
#include <new>

#include "accel/tcg/translator/signals.h"
#include "accel/tcg/translator/x87_image.h"
#include "base/trace.h"

namespace kite::tcg {

namespace {

// Between two looks at what others ask of this processor.
constexpr u32 kPolls = 1024;
// One in so many is timed, and stands for the others.
constexpr unsigned kBlocksPerTiming = 16;

// AX of Emitter::flags_to_ax().
u16 packed(u32 rflags) {
  return static_cast<u16>((rflags & 0xff) << 8 | (rflags & kOf ? 1 : 0));
}
u32 unpacked(u16 ax) {
  return u32{ax} >> 8 | (ax & 1 ? kOf : 0);
}

bool is_flat(const Segment& segment) {
  const bool writable_data = (segment.type & 0xe) == 2;
  return segment.base == 0 && segment.limit == 0xffffffff && writable_data && !segment.unusable;
}

}  // namespace

Result<std::unique_ptr<Translator>> Translator::create(Cpu& cpu, CodeMemory memory,
                                                       TableKind tables) {
  FastTable nothing = KITE_TRY(FastTable::create(tables));
  auto made = std::unique_ptr<Translator>(new Translator(cpu, std::move(memory), tables));
  made->nothing_ = std::move(nothing);
  cpu.fast_nothing = made->nothing_.base();
  cpu.tlb.make_fast(tables);
  if (!cpu.tlb.current().fast)
    return fail(ErrorKind::kUnavailable, "the host gives no address space for its tables");
  cpu.select_tables();
  return made;
}

Translator::Translator(Cpu& cpu, CodeMemory memory, TableKind tables)
    : cpu_(cpu), memory_(std::move(memory)), declined_(rows().size()) {
  sites_.resize(1);  // number 0 is none
  common_.tables = tables;
  write_common_code();
}

bool Translator::can_run(const Block& block) const {
  const Mode mode = block.mode;
  if (!block.kept || mode.single) return false;
  if (mode.code_width == 3) return true;
  return mode.code_width == 2 && mode.protected_mode && !mode.v86 && !mode.limited &&
         mode.stack32 && cpu_.segment_base[kCs] == 0 && is_flat(cpu_.segments[kDs]) &&
         is_flat(cpu_.segments[kEs]) && is_flat(cpu_.segments[kSs]);
}

bool Translator::has_room(const Block& block) const {
  const std::size_t needed = (block.count + 2) * BlockWriter::kMostBytesOfInsn;
  return used_ + needed <= memory_.size();
}

bool Translator::translate(Block& block) {
  if (!has_room(block)) {
    cpu_.code->flush();
    ++figures_.flushes;
    return false;
  }
  const bool timed = figures_.blocks % kBlocksPerTiming == 0;
  const Nanos start = timed ? cpu_.clock.now() : 0;
  Emitter code(memory_.writable() + used_);
  BlockWriter writer(block, treatments_, common_, memory_.writable(), code, sites_, faults_,
                     shared_);
  block.code = executable(writer.write());
  block.way_in = writer.way_in();
  const std::size_t before = used_;
  used_ = static_cast<std::size_t>(code.at() - memory_.writable());
  if (timed) figures_.time += kBlocksPerTiming * (cpu_.clock.now() - start);
  ++figures_.blocks;
  figures_.guest_bytes += block.bytes;
  figures_.host_bytes += used_ - before;
  trace::write(trace::Category::kTranslator, "block gpa={:#x} bytes={} instructions={} host={}+{}",
               block.gpa, block.bytes, block.count, static_cast<const void*>(block.code),
               used_ - before);
  return true;
}

void Translator::add_to(TranslatorFigures& figures) const {
  figures.blocks += figures_.blocks;
  figures.guest_bytes += figures_.guest_bytes;
  figures.host_bytes += figures_.host_bytes;
  figures.time += figures_.time;
  figures.discarded += figures_.discarded;
  figures.flushes += figures_.flushes;
  for (std::size_t row = 0; row < declined_.size(); ++row) {
    if (declined_[row] == 0) continue;
    const std::string_view name = rows()[row].name;
    auto same = std::find_if(figures.declined.begin(), figures.declined.end(),
                             [&](const auto& other) { return other.name == name; });
    if (same == figures.declined.end())
      figures.declined.push_back({std::string(name), declined_[row]});
    else
      same->count += declined_[row];
  }
}

std::optional<BlockRunner::Ran> Translator::run(Block& block) {
  if (std::exchange(apart_, false) && !block.code) block.shares = false;
  if (!can_run(block)) return exit_ = 0, std::nullopt;
  if (!block.code) {
    if (block.runs < runs_before) return ++block.runs, exit_ = 0, std::nullopt;
    if (!translate(block)) return std::nullopt;
  }
  if (exit_) link(block);
  find_context();
  add_jump(block);
  return enter(block);
}

// An instruction across two pages is there for as long as both are.
void Translator::add_jump(const Block& block) {
  if (!cpu_.code->may_cache(cpu_.rip)) return;
  if (block.second_page) {
    const u64 second = align_down(cpu_.rip, kPageSize) + kPageSize;
    if (!cpu_.code->may_cache(second)) return;
    jumps_.note(second);
  }
  jumps_.add(cpu_.rip, context_, block.code - BlockWriter::kPrologueBytes);
}

BlockRunner::Ran Translator::enter(const Block& block) {
  const FaultSignals::Claimant claimant(this, [](void* self, const u8* pc, int) {
    return static_cast<Translator*>(self)->way_out(pc);
  });
  enter_(this, block.code);
  return ran_;
}

// The JumpTable has one entry that counts: the block's way out.
std::optional<BlockRunner::Ran> Translator::run_alone(Block& block, u64 expected) {
  if (!can_run(block) || (!block.code && !translate(block))) return std::nullopt;
  find_context();
  jumps_.add(expected, context_, executable(common_.stop));
  alone_ = &block;
  const Ran ran = enter(block);
  alone_ = nullptr;
  exit_ = 0;
  return ran;
}

void Translator::find_context() {
  if (cpu_.code->space() == context_space_ && cpu_.mode.key() == context_mode_) return;
  context_space_ = cpu_.code->space();
  context_mode_ = cpu_.mode.key();
  context_ = jumps_.context(context_space_, context_mode_);
}

// The last run ended for want of a successor, and `target` is the block that was found.
void Translator::link(Block& target) {
  Site& site = sites_[exit_];
  const u32 number = std::exchange(exit_, 0);
  const Block& source = *site.block;
  if (site.resume == 0 || source.mode.key() != target.mode.key()) return;
  if (align_down(source.gpa, kPageSize) + static_cast<u64>(site.target) != target.gpa) return;
  set_jump(site, memory_.executable() + target.way_in);
  site.next = std::exchange(target.incoming, number);
}

void Translator::set_jump(const Site& site, const u8* target) {
  const u8* const behind = memory_.executable() + site.resume + 4;
  const auto distance = static_cast<i32>(target - behind);
  std::memcpy(memory_.writable() + site.resume, &distance, sizeof distance);
}

void Translator::retired(Block& block) {
  if (!block.code) return;
  ++figures_.discarded;
  if (sites_[exit_].block == &block) exit_ = 0;
  undo(block);
}

// Forgets the block's translation.
void Translator::undo(Block& block) {
  for (u32 number = std::exchange(block.incoming, 0); number; number = sites_[number].next)
    set_jump(sites_[number], unlinked(sites_[number]));
  jumps_.forget_code(block.gpa % kPageSize, block.code - BlockWriter::kPrologueBytes);
  block.code = nullptr;
}

void Translator::forget_page(u64 linear) {
  if (!jumps_.may_have_page(linear)) return;
  jumps_.forget_notes();
  jumps_.renew_contexts();
  context_mode_ = static_cast<u16>(~context_mode_);
}

void Translator::flush() {
  exit_ = 0;
  if (used_ == first_) return;
  used_ = first_;
  sites_.resize(1);
  faults_.clear();
  shared_.clear();
  jumps_.clear();
}

void Translator::fill_frame(Frame& frame) {
  frame.read_table = cpu_.fast_reads;
  frame.write_table = cpu_.fast_writes;
  frame.fs_base = cpu_.segment_base[kFs];
  frame.gs_base = cpu_.segment_base[kGs];
  for (unsigned i = 0; i < frame.spilled.size(); ++i)
    frame.spilled[i] = cpu_.gpr[kSpilledGuests[i]];
  frame.flags = packed(cpu_.flags.get());
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
      if (linear / kPageSize != last / kPageSize) lies_apart(*site.block);
      return false;
    }
    frame.reused[shared.slot] = word;
  }
  frame.scratch = site.held == kNothingHeld ? 0 : frame.reused[site.held];
  return true;
}

// What accesses of `block` share lies on two pages that do not follow each other in the host's
// memory. Where that happens all the time, each is better off alone; so is what is left of the
// block this time.
void Translator::lies_apart(Block& block) {
  constexpr u32 kSoon = 4;  // 4096 cycles
  constexpr u8 kMany = 16;
  apart_ = true;
  const auto now = static_cast<u32>(__rdtsc() >> 10);
  block.apart = now - block.last_apart <= kSoon ? static_cast<u8>(block.apart + 1) : u8{0};
  block.last_apart = now;
  if (block.apart < kMany) return;
  block.shares = false;
  undo(block);
}

const u8* Translator::begin(Translator* self, Frame* at, const u8* code) {
  Frame& frame = *new (at) Frame;
  const bool wanted = self->cpu_.attention.load(std::memory_order_relaxed) && !self->alone_;
  frame.polls = wanted ? 1 : kPolls;
  frame.page = align_down(self->cpu_.rip, kPageSize);
  frame.jumps = self->jumps_.entries();
  frame.context = self->context_;
  frame.gpr = self->cpu_.gpr.data();
  frame.fpu = &self->cpu_.fpu;
  frame.self = self;
  frame.faulted = &self->faulted_;
  self->fill_frame(frame);
  return code;
}

const u8* Translator::slow(Translator* self, Frame* frame, u32 site) {
  if (!frame->x87_absent) x87_from_host(self->cpu_, *frame);
  return self->slow_way(*frame, site);
}

// By the JumpTable's entry of run_alone().
void Translator::stop(Frame& frame) {
  cpu_.rip = frame.target;
  if (!cpu_.code64()) cpu_.rip &= 0xffffffff;
  ran_ = {&alone_->insns[alone_->count - 1], Flow::kLeave, false};
}

// Answers where to go on, or null: run() returns with ran_.
const u8* Translator::slow_way(Frame& frame, u32 number) {
  for (unsigned i = 0; i < frame.spilled.size(); ++i)
    cpu_.gpr[kSpilledGuests[i]] = frame.spilled[i];
  cpu_.flags.set(unpacked(frame.flags));
  if (number == 0) return stop(frame), nullptr;
  const Site site = sites_[number];
  const Block& block = *site.block;
  const Insn* insn = &block.insns[site.ordinal];
  cpu_.gpr[kBlockRip] = frame.page + block.gpa % kPageSize;
  const bool look_around = frame.polls == 0;
  if (site.kind == Site::Kind::kExit) {
    cpu_.rip = frame.page + static_cast<u64>(i64{site.target});
    if (!cpu_.code64()) cpu_.rip &= 0xffffffff;
    exit_ = look_around ? 0 : number;
    ran_ = {insn, Flow::kLeave, look_around};
    const i32 next = static_cast<i32>(block.gpa % kPageSize) + insn->next_offset;
    if (cpu_.code64() && !cpu_.canonical(cpu_.rip) && site.target != next) refuse_target(*insn);
    return nullptr;
  }
  if (look_around) {
    cpu_.rip = cpu_.this_rip(*insn);
    ran_ = {insn, Flow::kLeave, true};
    return nullptr;
  }
  if (site.kind == Site::Kind::kX87 && x87_to_host(cpu_.fpu, frame))
    return memory_.executable() + site.resume;
  if (site.kind != Site::Kind::kInstruction) count_declined(*insn);
  // Perhaps the word of another page, 8 TiB away: the handler is to fill it anew.
  if (std::exchange(faulted_, 0)) cpu_.tlb.current().forget_data();
  Flow flow = insn->handler(cpu_, *insn);
  if (flow == Flow::kNext) {
    fill_frame(frame);
    frame.reused.fill(kNoWord);
    if (!can_go_on(block) || (site.shares && !renew_shared(frame, number)))
      flow = cpu_.leave(*insn);
  }
  if (flow == Flow::kNext && (!site.x87 || x87_to_host(cpu_.fpu, frame)))
    return memory_.executable() + site.resume;
  while (flow == Flow::kNext) {
    count_declined(*++insn);
    flow = insn->handler(cpu_, *insn);
  }
  ran_ = {insn, flow, false};
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

const u8* Translator::way_out(const u8* pc) {
  const u8* const first = memory_.executable();
  if (pc < first || pc >= first + used_) return nullptr;
  const auto at = static_cast<u32>(pc - first);
  const auto found =
      std::lower_bound(faults_.begin(), faults_.end(), at,
                       [](const FaultPlace& place, u32 to) { return place.at < to; });
  if (found == faults_.end() || found->at != at) return nullptr;
  faulted_ = found->site;
  return executable(common_.faulted);
}

Result<> check_translator() {
  if (!host_can_translate())
    return fail(ErrorKind::kUnavailable, "the host's processor has no AVX2 and BMI2");
  return {};
}

Result<> prepare_block_runners() {
  KITE_CHECK(check_translator());
  FaultSignals::install();
  return {};
}

Result<std::unique_ptr<BlockRunner>> make_block_runner(Cpu& cpu, CodeMemory memory,
                                                       TableKind tables) {
  return KITE_TRY(Translator::create(cpu, std::move(memory), tables));
}

}  // namespace kite::tcg
