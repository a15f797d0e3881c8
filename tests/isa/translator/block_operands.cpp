// What the instructions of a block reach in memory.
#include "accel/x86/registers.h"
#include "tests/isa/oracle/rules.h"
#include "tests/isa/translator/block_maker.h"

namespace kite::oracle {

using tcg::Insn;
using tcg::Row;

namespace {

u64 segment_base(const Insn& insn) {
  return insn.segment == kFs ? kFsBase : insn.segment == kGs ? kGsBase : 0;
}

bool is_locked(const Origin& origin) {
  return origin.insn.lock || origin.row->attributes.has(tcg::always_locked);
}

}  // namespace

// Where a register may point.
u64 BlockMaker::pointer() {
  switch (random_->below(16)) {
    case 0:
      return kDeviceBase + random_->below(kPageSize + 16);
    case 1:
      return program_.start.rip + random_->below(192);
    default:
      return any_target(*random_);
  }
}

// By a displacement of four bytes, if there is one.
bool BlockMaker::aim(Candidate& candidate) {
  const Insn& insn = candidate.insn();
  if (candidate.origin.row->attributes.has(tcg::vsib)) return random_->one_in(4);
  const auto value = [&](u8 number) {
    return number < 16                ? guide_.gpr(number)
           : number == tcg::kBlockRip ? program_.start.rip + program_.code.size() + insn.length
                                      : 0;
  };
  // A RIP-relative displacement counts from the start of the instruction in Insn.
  const u64 rip_part = insn.base == tcg::kBlockRip ? insn.length : 0;
  const u64 fixed = value(insn.base) + (value(insn.index) << insn.scale);
  u64 displacement = static_cast<u64>(i64{insn.disp}) - rip_part;
  if (candidate.bytes.displacement_at != 0) {
    displacement = target_of(insn) - segment_base(insn) - fixed;
    if (insn.address_width == 3 && displacement != static_cast<u64>(sign_extend(displacement, 32)))
      return random_->one_in(64);
    for (unsigned i = 0; i < 4; ++i)
      candidate.bytes.bytes[candidate.bytes.displacement_at + i] =
          static_cast<u8>(displacement >> (8 * i));
    if (!decode(candidate)) return false;
    displacement = sign_extend(displacement, 32);
  }
  const u64 linear = ((fixed + displacement) & insn.address_mask()) + segment_base(insn);
  // A locked access that crosses a cache line stops every processor of the host.
  if (is_locked(candidate.origin) && linear % 16 != 0) return false;
  if (!reaches_memory(linear) && !random_->one_in(64)) return false;
  last_access_ = linear;
  return true;
}

u64 BlockMaker::target_of(const Insn& insn) {
  switch (random_->below(8)) {
    case 0:
    case 1:
    case 2:
      return last_access_ + random_->below(128) - 64;
    case 3:
      return align_up(last_access_, kPageSize) - random_->below(32);
    case 4:
      return insn.base < 16 ? guide_.gpr(insn.base) + random_->below(256) - 128 : pointer();
    default:
      return pointer();
  }
}

bool BlockMaker::reaches_memory(u64 linear) const {
  constexpr u64 kMargin = 64;
  return linear - (kDataBase - kMargin) < 0x3000 + 2 * kMargin ||
         linear - (kLastBase - kMargin) < kPageSize + 2 * kMargin ||
         linear - (kDeviceBase - kMargin) < kPageSize + 2 * kMargin ||
         linear - program_.start.rip < 192;
}

// Registers that instructions use without naming them.
bool BlockMaker::implied_operands_fit(const Candidate& candidate) {
  const Row& row = *candidate.origin.row;
  const Insn& insn = candidate.insn();
  const std::string_view name = row.name;
  const auto near = [&](unsigned number) {
    return reaches_memory(guide_.gpr(number) & insn.address_mask()) || random_->one_in(64);
  };
  if (row.attributes.has(tcg::string)) {
    constexpr u64 kMost = 64;
    if (insn.rep && (guide_.gpr(kRcx) & insn.address_mask()) > kMost) return false;
    if (!near(kRsi) || !near(kRdi)) return false;
  }
  if (name.starts_with("push") || name.starts_with("pop") || name == "enter")
    if (!reaches_memory(guide_.gpr(kRsp)) && !random_->one_in(64)) return false;
  if (is_named(row, {"leave", "enter"}) && !near(kRbp)) return false;
  if (name.starts_with("xlat") && !near(kRbx)) return false;
  if (name.find("maskmov") != name.npos && row.encoding.opcode == 0xf7 && !near(kRdi)) return false;
  // An offset inside the instruction.
  if (row.has(tcg::Place::kOffset) && !reaches_memory(insn.imm64) && !random_->one_in(64))
    return false;
  // A bit far away.
  return !(name.starts_with("bt") && insn.is_memory && row.operand_count > 1 &&
           row.operands[1].place == tcg::Place::kModReg && is_locked(candidate.origin));
}

}  // namespace kite::oracle
