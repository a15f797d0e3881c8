#include "tests/isa/silicon/campaign.h"

#include <fmt/format.h>

#include "accel/x86/vectors.h"
#include "tests/isa/oracle/rules.h"

namespace kite::oracle {
namespace {

// Up to the first number: what kind of difference it is.
std::string kind_of(const tcg::Row& row, const std::string& text) {
  const std::size_t from = text.find_first_not_of("\n ");
  const std::size_t to = text.find_first_of(" =", from);
  return fmt::format("{} ({}): {}", row.name, row.text, text.substr(from, to - from));
}

}  // namespace

Campaign::Campaign(u64 seed) : seed_(seed), rows_(compared_rows()), origins_(kSlots) {}

std::vector<const tcg::Row*> Campaign::compared_rows() {
  std::vector<const tcg::Row*> list;
  for (const tcg::Row& row : tcg::rows())
    if (excluded(row).empty()) list.push_back(&row);
  return list;
}

std::map<std::string_view, std::vector<std::string_view>> Campaign::left_out() {
  std::map<std::string_view, std::vector<std::string_view>> list;
  for (const tcg::Row& row : tcg::rows()) {
    const std::string_view reason = excluded(row);
    if (reason.empty()) continue;
    auto& names = list[reason];
    if (names.empty() || names.back() != row.name) names.push_back(row.name);
  }
  return list;
}

u32 Campaign::generate(u64 number) {
  const u64 batch_seed = mix(seed_ * 0x9e3779b97f4a7c15 + number);
  fill_pool(native_.pool(), batch_seed);
  Random random(batch_seed);
  constexpr u64 kTries = 1000;
  u32 count = 0;
  u64 place = number * kSlots;  // in the endless repetition of the rows
  for (u64 tries = 0; count < kSlots && tries < kSlots + kTries; ++tries, ++place) {
    const tcg::Row& row = *rows_[place % rows_.size()];
    const auto test = make_case(interpreter_.decoder(), row, count, random, origins_[count]);
    if (test) native_.cases()[count++] = *test;
  }
  return count;
}

Result<> Campaign::run_batch(u64 number) {
  const u32 count = generate(number);
  KITE_CHECK(native_.run(count));
  interpreter_.begin(native_.pool(), {native_.cases(), count});
  for (u32 i = 0; i < count; ++i) compare(number, i);
  run_ += count;
  return {};
}

void Campaign::compare(u64 number, u32 index) {
  const Case& test = native_.cases()[index];
  const Origin& origin = origins_[index];
  interpreter_.run(test, origin.insn, ours_);
  const bool astray = ours_.vector == Outcome::kLanded && is_inside_a_case(ours_.rip);
  if (astray || (ours_.vector == kPageFault && native_.has_own_memory_at(ours_.cr2))) {
    ++not_judged_;
    return;
  }
  const std::string text = difference(origin, test, host_maker(), native_.outcomes()[index], ours_);
  if (text.empty()) return;
  ++differing_;
  Finding& finding = findings_[kind_of(*origin.row, text)];
  if (++finding.count == 1)
    finding.first = fmt::format("KITE_ISA_SEED={} KITE_ISA_BATCH={}{}\n{}", seed_, number, text,
                                describe(test, native_.pool()));
}

std::string Campaign::report() const {
  std::string text;
  for (const auto& [kind, finding] : findings_)
    text += fmt::format("{} times {}\n  {}\n", finding.count, kind, finding.first);
  return text;
}

}  // namespace kite::oracle
