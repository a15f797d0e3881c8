// What engines do that neither lend instructions nor borrow them.
#include "accel/accelerator.h"

namespace kite {

Result<> Vcpu::take_back(const X86State&, const X86State& now, bool) {
  return set_state(now);
}

Error Vcpu::why_unable() {
  return {ErrorKind::kInternal, "the accelerator cannot execute an instruction"};
}

Result<Burst> Vcpu::execute(X86State&, const BurstLimits&) {
  return fail(ErrorKind::kInternal, "this accelerator executes no single instructions");
}

}  // namespace kite
