#include "tests/isa/translator/compared_rows.h"

#include "tests/isa/oracle/rules.h"

namespace kite::oracle {
namespace {

bool is_old(const tcg::Row& row) {
  if (!row.is_implemented || !row.attributes.has(tcg::not64) || uses_selectors(row)) return false;
  return !row.has(tcg::Place::kFar) && !is_named(row, {"push", "pop", "into", "les", "lds", "call",
                                                       "jmp", "call far", "jmp far"});
}

}  // namespace

bool is_compared(const tcg::Row& row, bool code64) {
  return excluded(row).empty() || (!code64 && is_old(row));
}

}  // namespace kite::oracle
