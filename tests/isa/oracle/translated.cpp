#include "tests/isa/oracle/translated.h"

#include <sys/mman.h>

#include <cstring>
#include <mutex>

#include "accel/tcg/code_cache.h"
#include "accel/tcg/processors.h"

namespace kite::oracle {

using tcg::Flow;

Translated::Translated(bool code64) : Interpreter(code64) {
  cpu().processors.flat.add(*memory().view());
  if (Result<> made = translate(cpu()); !made) unavailable_ = made.error().message;
}

namespace {

// Memory of the host's where the guest's linear addresses are, so that an access that is not led to
// the guest's memory finds something else, rather than a fault that mends it.
void put_decoy() {
  constexpr std::size_t kBytes = 2 * MiB;
  void* const there = reinterpret_cast<void*>(kCodeBase);
  void* const at = mmap(there, kBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (at == there) std::memset(at, 0x66, kBytes);
}

}  // namespace

Result<> translate(tcg::Cpu& cpu) {
  static std::once_flag once;
  std::call_once(once, put_decoy);
  constexpr std::size_t kCodeBytes = 4 * MiB;
  KITE_CHECK(tcg::prepare_block_runners());
  const bool flat = cpu.processors.flat.is_complete() && tcg::FastTables::flat_ones_fit(1, 1);
  auto runner =
      KITE_TRY(tcg::make_block_runner(cpu, KITE_TRY(tcg::CodeMemory::create(kCodeBytes)),
                                      flat ? tcg::TableKind::kFlat : tcg::TableKind::kHashed));
  cpu.code->set_runner(std::move(runner), kCodeBytes);
  return {};
}

void Translated::begin(const Pool& pool, std::span<const Case> cases) {
  Interpreter::begin(pool, cases);
  cpu().code->flush();
}

// The block at RIP: translated when it is run for the second time, and found again when the code
// cache was emptied for it.
tcg::BlockRunner::Ran Translated::run_block() {
  constexpr unsigned kTries = 4;
  tcg::Block* block = nullptr;
  for (unsigned i = 0; i < kTries; ++i) {
    block = cpu().code->lookup();
    if (!block) return {nullptr, Flow::kFault, false};
    if (auto ran = cpu().code->runner()->run(*block)) return *ran;
  }
  ++declined_;
  const tcg::Insn* insn = block->insns;
  cpu().gpr[tcg::kBlockRip] = cpu().rip;
  Flow flow;
  while ((flow = insn->handler(cpu(), *insn)) == Flow::kNext) ++insn;
  return {insn, flow, false};
}

void Translated::run(const Case& test, bool cold, Outcome& outcome) {
  if (cold) cpu().tlb.flush_all();
  start(test);
  cpu().rip = test.rip;
  constexpr unsigned kMostRounds = 100'000;  // of a repeated string instruction
  unsigned rounds = 0;
  tcg::BlockRunner::Ran ran;
  do {
    ran = run_block();
  } while (ran.flow == Flow::kLeave && cpu().rip == test.rip && ++rounds < kMostRounds);
  if (ran.flow == Flow::kLeave && cpu().rip == kWayBack) cpu().rip = test.rip + test.length;
  finish(test, ran.flow, outcome);
  if (ran.flow == Flow::kFault && ran.last) outcome.rip = cpu().this_rip(*ran.last);
}

}  // namespace kite::oracle
