#include "tests/isa/translator/block_rules.h"

#include "accel/x86/registers.h"
#include "tests/isa/oracle/rules.h"
#include "tests/isa/translator/compared_rows.h"

namespace kite::oracle {

using tcg::Insn;
using tcg::Row;

namespace {

constexpr u64 kLetters[6] = {rflags::kOf, rflags::kSf, rflags::kZf,
                             rflags::kAf, rflags::kPf, rflags::kCf};

// By a count, perhaps of 0, and then flags are as they were.
bool may_keep_flags(const Row& row, const Insn& insn) {
  const std::string_view name = row.name;
  return name.starts_with("sh") || name.starts_with("sa") || name.starts_with("ro") ||
         name.starts_with("rc") || (row.attributes.has(tcg::string) && insn.rep);
}

// The count may come from the block's own bytes, which are not there yet while it is made.
bool counts_by_cl(const Row& row) {
  for (unsigned i = 0; i < row.operand_count; ++i)
    if (std::string_view(row.operands[i].name) == "CL") return true;
  return false;
}

}  // namespace

bool is_straight(const Row& row) {
  const std::string_view name = row.name;
  return !row.attributes.has(tcg::ends_block) && !row.has(tcg::Place::kRelative) &&
         !name.starts_with("jmp") && !name.starts_with("call") && !name.starts_with("ret");
}

bool fits_a_block(const Row& row, bool code64) {
  return is_compared(row, code64) && is_straight(row) && !uses_selectors(row);
}

bool is_makers_choice(const Row& row, const Insn& insn) {
  const std::string_view name = row.name;
  if (is_named(row, {"dpps", "vdpps", "dppd", "vdppd", "bsf", "bsr", "vcvtps2ph", "verw"}))
    return true;
  if (is_named(row, {"cmpxchg"}) && insn.width == 2) return true;
  if (is_named(row, {"shld", "shrd"}) && insn.width == 1) return true;  // by more than 16
  if (name.starts_with("sha") && name.size() > 4) return insn.is_memory;
  if (name.ends_with("ldmxcsr")) return true;
  return name.find("maskmov") != name.npos && insn.address_width == 2;
}

u64 read_flags(const Row& row) {
  u64 read = 0;
  for (unsigned i = 0; i < 6; ++i)
    if (row.flags[i] == 'T' || row.flags[i] == 'B') read |= kLetters[i];
  return read;
}

u64 undefined_behind(u64 before, const Origin& origin, u64 defined) {
  const Row& row = *origin.row;
  for (unsigned i = 0; i < 6; ++i)
    if (row.flags[i] != ' ' && row.flags[i] != 'T' && !may_keep_flags(row, origin.insn))
      before &= ~kLetters[i];
  if (counts_by_cl(row)) before |= rflags::kOf | rflags::kAf;
  return (before | ~defined) & rflags::kArithmetic;
}

}  // namespace kite::oracle
