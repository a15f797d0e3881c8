#include "tests/isa/translator/block_engine.h"

#include "accel/tcg/code_cache.h"
#include "accel/tcg/processors.h"
#include "accel/x86/paging.h"
#include "tests/isa/oracle/translated.h"

namespace kite::oracle {

using tcg::Flow;

namespace {

constexpr u64 kDeviceAddress = 16 * MiB;  // guest physical

}  // namespace

u64 BlockEngine::Device::read(u64 offset, unsigned size) {
  hash_ = mix(hash_ + (offset << 8) + size);
  return hash_;
}

void BlockEngine::Device::write(u64 offset, u64 value, unsigned size) {
  hash_ = mix(mix(hash_ + (offset << 8) + size + 0x80) + value);
}

BlockEngine::BlockEngine(bool code64, bool translated)
    : Interpreter(code64), code_(kCodeSize, 0xcc) {
  constexpr u64 kRights = pte::kPresent | pte::kUser | pte::kWritable;
  map(kCodeBase, kCodePages, kCodeSize, kRights);
  map(kDeviceBase, kDeviceAddress, kPageSize, kRights);
  AddressSpace::Edit(memory()).map({.start = kDeviceAddress,
                                    .size = kPageSize,
                                    .region = Region::mmio("device", kPageSize, device_)});
  segments_ = cpu().segments;
  if (!translated) return;
  cpu().processors.flat.add(*memory().view());
  if (Result<> made = translate(cpu()); !made) unavailable_ = made.error().message;
}

void BlockEngine::begin(const Pool& pool, std::span<const Program> programs) {
  Interpreter::begin(pool, {});
  std::fill(code_.begin(), code_.end(), u8{0xcc});
  for (const Program& program : programs)
    std::copy(program.code.begin(), program.code.end(),
              code_.begin() + static_cast<std::ptrdiff_t>(program.code_at - kCodeBase));
  std::copy(code_.begin(), code_.end(), at(kCodePages));
  cpu().code->flush();
}

tcg::BlockRunner::Ran BlockEngine::run_block() {
  constexpr unsigned kTries = 4;  // the code cache is emptied when the translator's memory is full
  tcg::BlockRunner* runner = cpu().code->runner();
  tcg::Block* block = nullptr;
  ++blocks_;
  for (unsigned i = 0; i < kTries; ++i) {
    block = cpu().code->lookup();
    if (!block) return {nullptr, Flow::kFault, false};
    if (!runner) break;
    if (auto ran = runner->run(*block)) return *ran;
  }
  if (runner && block->kept && !block->second_page) ++declined_;
  const tcg::Insn* insn = block->insns;
  cpu().gpr[tcg::kBlockRip] = cpu().rip;
  Flow flow;
  while ((flow = insn->handler(cpu(), *insn)) == Flow::kNext) ++insn;
  return {insn, flow, false};
}

bool BlockEngine::run(const Program& program, bool cold, BlockOutcome& outcome) {
  constexpr unsigned kMostBlocks = 50'000;
  if (cold) cpu().tlb.flush_all();
  cpu().attention.count(cold);
  start(program.start);
  device_.begin();
  cpu().rip = program.start.rip;
  tcg::BlockRunner::Ran ran;
  unsigned blocks = 0;
  do {
    ran = run_block();
  } while (ran.flow == Flow::kLeave && cpu().rip - program.first < program.size &&
           ++blocks < kMostBlocks);
  finish(program.start, ran.flow, outcome.outcome);
  if (ran.flow == Flow::kFault)
    outcome.outcome.rip = ran.last ? cpu().this_rip(*ran.last) : cpu().rip;
  outcome.device = device_.hash();
  take_segments(outcome.segments);
  take_code(outcome.code);
  return blocks < kMostBlocks;
}

// SYSCALL is among what a program may make of its own bytes.
void BlockEngine::take_segments(std::array<Segment, 6>& segments) {
  segments = cpu().segments;
  if (segments == segments_) [[likely]]
    return;
  for (unsigned i = 0; i < segments_.size(); ++i)
    cpu().set_segment(static_cast<SegmentRegister>(i), segments_[i]);
  cpu().set_cpl(3);
}

// What the program has stored to code is undone, too.
void BlockEngine::take_code(std::vector<CodeChange>& changes) {
  changes.clear();
  u8* const now = at(kCodePages);
  if (std::memcmp(now, code_.data(), kCodeSize) == 0) [[likely]]
    return;
  for (u64 i = 0; i < kCodeSize; ++i) {
    if (now[i] == code_[i]) continue;
    changes.push_back({static_cast<u16>(i), now[i]});
    now[i] = code_[i];
    cpu().code->written(kCodePages + i, 1);
  }
}

void BlockEngine::begin_steps(const Case& start_from) {
  start(start_from);
  device_.begin();
}

Flow BlockEngine::step(const tcg::Insn& insn) {
  cpu().rip = cpu().next_rip(insn);
  return insn.handler(cpu(), insn);
}

void BlockEngine::end_steps(const Case& start_from) {
  BlockOutcome outcome;
  finish(start_from, Flow::kLeave, outcome.outcome);
  take_segments(outcome.segments);
  take_code(outcome.code);
}

}  // namespace kite::oracle
