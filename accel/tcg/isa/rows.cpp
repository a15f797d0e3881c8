#include <vector>

#include "accel/tcg/isa/families.h"
#include "accel/tcg/isa/row.h"
#include "base/log.h"

namespace kite::tcg {

std::span<const Row> rows() {
  static const std::vector<Row> all = [] {
    std::vector<Row> list;
    for (auto family : {
#define KITE_NAME(family) &family##_rows,
             KITE_FAMILIES(KITE_NAME)
#undef KITE_NAME
         }) {
      const auto part = family();
      list.insert(list.end(), part.begin(), part.end());
    }
    return list;
  }();
  return all;
}

Flow execute_unimplemented(Cpu& cpu, const Insn& insn) {
  static log::Limiter limiter(32);
  if (limiter.allow())
    log::warning("the guest ran '{}' ({}), which Kite does not have yet: #UD",
                 rows()[insn.row].name, rows()[insn.row].text);
  return cpu.undefined_opcode();
}

}  // namespace kite::tcg
