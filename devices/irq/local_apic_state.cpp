// The local APIC's registers as a page, to go on from in another implementation and back.
#include "devices/irq/local_apic.h"
#include "devices/irq/local_apic_bits.h"

namespace kite {

using namespace apic;

LocalApicState LocalApic::state() {
  std::unique_lock lock(mutex_);
  LocalApicState state;
  for (unsigned index = 0; index < LocalApicState::kRegisters; ++index) {
    if (!read_register(index, state.registers[index])) state.registers[index] = 0;
  }
  state.apic_base = apic_base_;
  state.tsc_deadline = timer_.tsc_deadline();
  return state;
}

void LocalApic::set_state(const LocalApicState& state) {
  std::unique_lock lock(mutex_);
  const auto& page = state.registers;
  apic_base_ = state.apic_base;
  reset_registers();
  id_ = x2apic() ? config_.apic_id : page[kId] >> 24;
  tpr_ = page[kTpr] & 0xFF;
  ldr_ = page[kLdr] & 0xFF00'0000;
  dfr_ = page[kDfr] | 0x0FFF'FFFF;
  svr_ = page[kSvr] & 0x11FF;
  esr_ = page[kEsr] & 0xFF;
  icr_ = u64{page[kIcrHigh]} << 32 | (page[kIcrLow] & kIcrWritable);
  for (unsigned i = 0; i < 8; ++i) {
    in_service_.words[i] = page[kIsr + i];
    trigger_mode_.words[i] = page[kTmr + i];
    request_.words[i] = page[kIrr + i];
  }
  if (config_.cmci) lvt_[kCmci] = page[kLvtCmci];
  for (unsigned i = kTimer; i < kLvtCount; ++i) lvt_[i] = page[kLvtTimer + i - kTimer];
  timer_.set_state(static_cast<LocalApicTimer::Mode>(bits(lvt_[kTimer], 18, 17)),
                   page[kDivideConfiguration], page[kInitialCount], page[kCurrentCount],
                   state.tsc_deadline);
  update_pending();
  outcome_.base = apic_base_;
  outcome_.changed = true;
  finish(std::move(lock));
}

}  // namespace kite
