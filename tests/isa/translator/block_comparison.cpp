#include "tests/isa/translator/block_comparison.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "accel/tcg/disassembler.h"
#include "accel/x86/registers.h"
#include "tests/isa/oracle/compare.h"

namespace kite::oracle {
namespace {

// The flags that are defined where the program stopped. Nobody knows if that is not where one of
// its instructions begins, or one that it has written itself.
u64 defined_at_end(const Program& program, const BlockOutcome& outcome) {
  if (program.undefined.empty()) return rflags::kArithmetic;
  if (!outcome.code.empty()) return 0;
  const u64 at = outcome.outcome.rip - program.start.rip;
  if (at >= program.code.size()) return ~program.undefined.back().second & rflags::kArithmetic;
  for (const auto& [offset, undefined] : program.undefined)
    if (at == offset) return ~undefined & rflags::kArithmetic;
  return 0;
}

}  // namespace

void BlockComparison::run_batch(u64 number) {
  Random random(mix(seed_ * 0x9e3779b97f4a7c15 + number));
  fill_pool(*pool_, random());
  maker_.begin(*pool_, random);
  programs_.clear();
  for (u64 slot = 0; slot < kPrograms; ++slot) programs_.push_back(maker_.make(slot, random));
  ours_.begin(*pool_, programs_);
  theirs_.begin(*pool_, programs_);
  for (const Program& program : programs_) compare(number, program);
}

void BlockComparison::compare(u64 batch, const Program& program) {
  if (!ours_.run(program, false, first_)) return;
  if (!first_.code.empty() && !maker_.is_fair(program, first_.code)) return;
  faults_ += first_.outcome.vector < 32;
  for (bool cold : {true, false}) {
    const bool ends = theirs_.run(program, cold, second_);
    ++run_;
    std::string text = ends ? difference_of(program, first_, second_) : "endless";
    if (text.empty()) continue;
    ++differing_;
    Finding& finding = findings_[text.substr(0, text.find_first_of("0123456789="))];
    if (++finding.count == 1)
      finding.first = fmt::format("KITE_ISA_SEED={} KITE_ISA_BATCH={} ({}){}\n{}{}", seed_, batch,
                                  cold ? "cold" : "warm", text, listing(program),
                                  describe(program.start, *pool_));
  }
}

std::string BlockComparison::difference_of(const Program& program, const BlockOutcome& ours,
                                           const BlockOutcome& theirs) const {
  std::string text =
      difference(program.start, defined_at_end(program, ours), theirs.outcome, ours.outcome);
  if (ours.device != theirs.device) text += "\n  the device was asked otherwise";
  if (ours.segments != theirs.segments) text += "\n  segments differ";
  if (ours.code != theirs.code)
    text +=
        fmt::format("\n  code: {} bytes changed, silicon {}", ours.code.size(), theirs.code.size());
  return text;
}

std::string BlockComparison::listing(const Program& program) const {
  std::string text;
  u64 rip = program.code_at;
  std::span<const u8> code = program.code;
  while (!code.empty()) {
    tcg::Insn insn;
    std::vector<u8> bytes(code.begin(), code.end());
    bytes.resize(bytes.size() + tcg::kMaxInsnLength + 1, 0xcc);
    if (ours_.decoder().decode(bytes, user_mode(code64_), insn) != tcg::DecodeStatus::kOk) break;
    const auto own = code.first(std::min<std::size_t>(insn.length, code.size()));
    text += fmt::format("  {:#x} {:<40} {}\n", rip, fmt::format("{:02x}", fmt::join(own, " ")),
                        tcg::disassemble(own, rip, code64_ ? 3 : 2));
    code = code.subspan(own.size());
    rip += own.size();
  }
  return text;
}

std::string BlockComparison::report() const {
  std::string text;
  for (const auto& [kind, finding] : findings_)
    text += fmt::format("{} times{}\n  {}\n", finding.count, kind, finding.first);
  return text;
}

}  // namespace kite::oracle
