#include <ucontext.h>

#include "accel/tcg/translator/fault_context.h"

namespace kite::tcg::fault_context {

// sigaction(2): what the kernel found wrong has a positive code.
bool is_fault(const siginfo_t& info) {
  return info.si_code > 0;
}

const u8* pc(const void* context) {
  const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
  return reinterpret_cast<const u8*>(registers[REG_RIP]);
}

void go_on_at(void* context, const u8* pc) {
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] = reinterpret_cast<greg_t>(pc);
}

}  // namespace kite::tcg::fault_context
