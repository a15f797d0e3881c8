#include "tests/isa/translator/enumeration.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/isa/translator/compared_rows.h"

namespace kite::oracle {
namespace {

// Up to the first number: what kind of difference it is.
std::string kind_of(const tcg::Row& row, const std::string& text) {
  const std::size_t from = text.find_first_not_of("\n ");
  const std::size_t to = text.find_first_of(" =", from);
  return fmt::format("{} ({}): {}", row.name, row.text, text.substr(from, to - from));
}

}  // namespace

Enumeration::Enumeration(bool code64, u64 seed)
    : code64_(code64),
      seed_(seed),
      interpreter_(code64),
      translated_(code64),
      pool_(std::make_unique<Pool>()) {
  for (const tcg::Row& row : tcg::rows())
    if (is_compared(row, code64)) rows_.push_back(&row);
}

void Enumeration::generate(u64 number) {
  const u64 batch_seed = mix(seed_ * 0x9e3779b97f4a7c15 + number);
  fill_pool(*pool_, batch_seed);
  Random random(batch_seed);
  const Wanted wanted{user_mode(code64_),
                      code64_ ? +[](const tcg::Row& row) { return is_compared(row, true); }
                              : +[](const tcg::Row& row) { return is_compared(row, false); }};
  constexpr u64 kTries = 1000;
  cases_.clear();
  origins_.assign(kSlots, {});
  u64 place = number * kSlots;  // in the endless repetition of the rows
  for (u64 tries = 0; cases_.size() < kSlots && tries < kSlots + kTries; ++tries, ++place) {
    const u64 slot = cases_.size();
    const tcg::Row& row = *rows_[place % rows_.size()];
    const auto test = make_case(interpreter_.decoder(), row, slot, random, origins_[slot], wanted);
    if (test) cases_.push_back(*test);
  }
}

void Enumeration::run_batch(u64 number) {
  generate(number);
  interpreter_.begin(*pool_, cases_);
  translated_.begin(*pool_, cases_);
  constexpr u32 kOneCold = 8;  // of so many cases
  for (u32 i = 0; i < cases_.size(); ++i) {
    if (i % kOneCold == number % kOneCold) compare(number, i, true);
    compare(number, i, false);
  }
}

void Enumeration::compare(u64 number, u32 index, bool cold) {
  const Case& test = cases_[index];
  const Origin& origin = origins_[index];
  interpreter_.run(test, origin.insn, ours_);
  if (ours_.vector == Outcome::kLanded && is_inside_a_case(ours_.rip)) return;
  translated_.run(test, cold, theirs_);
  ++run_;
  // What processors may do as they like with x87, these two do alike.
  const std::string x87 = test.vectors ? x87_difference(theirs_.image, ours_.image) : "";
  std::string text = difference(origin, test, host_maker(), theirs_, ours_);
  if (text.empty()) text = x87;
  if (text.empty()) return;
  ++differing_;
  Finding& finding = findings_[kind_of(*origin.row, text)];
  if (++finding.count == 1)
    finding.first = fmt::format("KITE_ISA_SEED={} KITE_ISA_BATCH={} ({}){}\n{}", seed_, number,
                                cold ? "cold" : "warm", text, describe(test, *pool_));
}

std::string Enumeration::report() const {
  std::string text;
  for (const auto& [kind, finding] : findings_)
    text += fmt::format("{} times {}\n  {}\n", finding.count, kind, finding.first);
  return text;
}

}  // namespace kite::oracle
