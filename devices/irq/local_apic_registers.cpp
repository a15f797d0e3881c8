// The local APIC's registers as the processor reaches them: the page, the x2APIC MSRs and
// IA32_APIC_BASE (SDM 3A 11.4 and 11.12).
#include <utility>

#include "base/bits.h"
#include "devices/irq/local_apic.h"
#include "devices/irq/local_apic_bits.h"

namespace kite {

using namespace apic;

namespace {

// The LVT entries' writable bits, in the order of LocalApic::Lvt: SDM 3A figure 11-8.
constexpr std::array<u32, 7> kLvtWritable = {0x107FF, 0x700FF, 0x107FF, 0x107FF,
                                             0x1A7FF, 0x1A7FF, 0x100FF};

// The bits that may be set in a write to an x2APIC register; none for one that may not be written
// (SDM 3A table 11-6, 11.12.1.3). ICR and EOI have their own rules.
std::optional<u64> x2apic_writable(unsigned index) {
  switch (index) {
    case kTpr:
      return 0xFF;
    case kEoi:
    case kEsr:
      return 0;
    case kSvr:
      return 0x11FF;
    case kIcrLow:
      return 0xFFFF'FFFF'0000'0000 | kIcrWritable;
    case kLvtCmci:
    case kLvtThermal:
    case kLvtPerformance:
      return 0x117FF;
    case kLvtTimer:
      return 0x710FF;
    case kLvtLint0:
    case kLvtLint1:
      return 0x1F7FF;
    case kLvtError:
      return 0x110FF;
    case kInitialCount:
      return 0xFFFF'FFFF;
    case kDivideConfiguration:
      return 0xB;
    case kSelfIpi:
      return 0xFF;
    default:
      return std::nullopt;
  }
}

}  // namespace

// SDM 3A 11.4.1: registers are 32 bits at 16-byte steps, to be accessed as aligned doublewords.
// In x2APIC mode and hardware-disabled the page is not there.
u64 LocalApic::read(u64 offset, unsigned size) {
  std::unique_lock lock(mutex_);
  if (!hardware_enabled() || x2apic()) return mask_of_bytes(size);
  const unsigned index = static_cast<unsigned>(offset >> 4) & 0xFF;
  const unsigned byte = static_cast<unsigned>(offset & 15);
  u32 value = 0;
  if (byte >= 4) return 0;
  if (!read_register(index, value)) {
    report_error(kEsrIllegalRegister);
    value = 0;
  }
  finish(std::move(lock));
  return (u64{value} >> (8 * byte)) & mask_of_bytes(size);
}

void LocalApic::write(u64 offset, u64 value, unsigned size) {
  std::unique_lock lock(mutex_);
  if (!hardware_enabled() || x2apic() || (offset & 15) != 0 || size < 4) return;
  const unsigned index = static_cast<unsigned>(offset >> 4) & 0xFF;
  if (!write_register(index, static_cast<u32>(value))) report_error(kEsrIllegalRegister);
  finish(std::move(lock));
}

bool LocalApic::read_register(unsigned index, u32& value) {
  if (index >= kIsr && index < kIsr + 24) {
    const VectorSet& set = index < kTmr ? in_service_ : index < kIrr ? trigger_mode_ : request_;
    value = set.words[index % 8];
    return true;
  }
  switch (index) {
    case kId:
      value = x2apic() ? id_ : id_ << 24;
      return true;
    case kVersion:
      value = version();
      return true;
    case kTpr:
      value = tpr_;
      return true;
    case kPpr:
      value = processor_priority();
      return true;
    case kLdr:
      value = logical_id();
      return true;
    case kDfr:
      value = dfr_;
      return true;
    case kSvr:
      value = svr_;
      return true;
    case kEsr:
      value = esr_;
      return true;
    case kIcrLow:
      value = static_cast<u32>(icr_);
      return true;
    case kIcrHigh:
      value = static_cast<u32>(icr_ >> 32);
      return true;
    case kLvtCmci:
      value = lvt_[kCmci];
      return config_.cmci;
    case kInitialCount:
      value = timer_.initial_count();
      return true;
    case kCurrentCount:
      value = timer_.current_count();
      return true;
    case kDivideConfiguration:
      value = timer_.divide_configuration();
      return true;
    case kApr:
    case kRrd:
    case kEoi:
      value = 0;
      return true;
    default:
      if (index < kLvtTimer || index > kLvtError) return false;
      value = lvt_[kTimer + index - kLvtTimer];
      return true;
  }
}

bool LocalApic::write_register(unsigned index, u32 value) {
  switch (index) {
    case kTpr:
      tpr_ = value & 0xFF;
      update_pending();
      return true;
    case kEoi:
      end_of_interrupt();
      return true;
    case kLdr:
      ldr_ = value & 0xFF00'0000;
      return true;
    case kDfr:
      dfr_ = value | 0x0FFF'FFFF;
      return true;
    case kSvr:
      write_svr(value);
      return true;
    case kEsr:
      write_esr();
      return true;
    case kIcrHigh:
      icr_ = u64{value & 0xFF00'0000} << 32 | static_cast<u32>(icr_);
      return true;
    case kIcrLow:
      icr_ = (icr_ & ~u64{0xFFFF'FFFF}) | (value & kIcrWritable);
      send_ipi(value & kIcrWritable, static_cast<u32>(icr_ >> 56));
      return true;
    case kLvtCmci:
      if (config_.cmci) write_lvt(kCmci, value);
      return config_.cmci;
    case kInitialCount:
      settle_timer();
      timer_.set_initial_count(value);
      return true;
    case kDivideConfiguration:
      settle_timer();
      timer_.set_divide(value);
      return true;
    case kId:  // x2apic_writable() keeps it from x2APIC mode
      id_ = value >> 24;
      return true;
    case kVersion:
    case kApr:
    case kPpr:
    case kRrd:
    case kCurrentCount:
      return true;
    default:
      if (index >= kIsr && index < kIsr + 24) return true;  // read-only
      if (index < kLvtTimer || index > kLvtError) return false;
      write_lvt(static_cast<Lvt>(kTimer + index - kLvtTimer), value);
      return true;
  }
}

u32 LocalApic::version() const {
  return kVersion14h + (config_.cmci ? kVersionCmci : 0) +
         (config_.directed_eoi ? kVersionDirectedEoi : 0);
}

// SDM 3A 11.4.7.2: software-disabling masks every LVT entry.
void LocalApic::write_svr(u32 value) {
  svr_ = value & (config_.directed_eoi ? 0x11FF : 0x1FF);
  if (!software_enabled())
    for (u32& entry : lvt_) entry |= kLvtMask;
  update_pending();
}

// SDM 3A 11.5.3: a write arms the register anew and shows the errors since the last one.
void LocalApic::write_esr() {
  esr_ = std::exchange(esr_collected_, 0);
}

// What the timer has run out of by now belongs to the registers as they still are: the clock's
// thread, which would say so, may be late.
void LocalApic::settle_timer() {
  if (timer_.take_expiry()) fire(kTimer);
}

void LocalApic::write_lvt(Lvt lvt, u32 value) {
  if (lvt == kTimer) settle_timer();
  const u32 writable = kLvtWritable[lvt];
  lvt_[lvt] = (lvt_[lvt] & kLvtRemoteIrr) | (value & writable);
  if (!software_enabled()) lvt_[lvt] |= kLvtMask;
  if (lvt == kTimer) timer_.set_mode(static_cast<LocalApicTimer::Mode>(bits(value, 18, 17)));
  if (lvt == kLint0) {
    if (!(value & kLvtLevel)) lvt_[lvt] &= ~kLvtRemoteIrr;
    update_lint(0, lint_[0]);
  }
}

// SDM 3A 11.12.1.2: MSR 800h + register. Not there are DFR and the upper half of the ICR.
bool LocalApic::read_msr(u32 index, u64& value) {
  std::unique_lock lock(mutex_);
  if (index == kMsrApicBase) {
    value = apic_base_;
    return true;
  }
  if (index == kMsrTscDeadline) {
    value = timer_.tsc_deadline();
    return true;
  }
  if (index < kMsrX2apicFirst || index > kMsrX2apicLast || !x2apic()) return false;
  const unsigned number = index - kMsrX2apicFirst;
  if (number == kIcrLow) {
    value = icr_;
    return true;
  }
  if (number == kDfr || number == kIcrHigh || number == kEoi || number == kApr || number == kRrd)
    return false;
  u32 low = 0;
  if (!read_register(number, low)) return false;
  value = low;
  return true;
}

bool LocalApic::write_msr(u32 index, u64 value) {
  std::unique_lock lock(mutex_);
  bool valid = false;
  if (index == kMsrApicBase) {
    valid = write_apic_base(value);
  } else if (index == kMsrTscDeadline) {
    valid = true;
    if (timer_.set_tsc_deadline(value)) fire(kTimer);
  } else if (index >= kMsrX2apicFirst && index <= kMsrX2apicLast && x2apic()) {
    valid = write_x2apic_register(index - kMsrX2apicFirst, value);
  }
  finish(std::move(lock));
  return valid;
}

bool LocalApic::write_x2apic_register(unsigned index, u64 value) {
  const auto writable = x2apic_writable(index);
  if (!writable || (value & ~*writable) != 0) return false;
  if (index == kIcrLow) {
    icr_ = value;
    send_ipi(static_cast<u32>(value), static_cast<u32>(value >> 32));
    return true;
  }
  if (index == kSelfIpi) {
    self_ipi(static_cast<u8>(value));
    return true;
  }
  return write_register(index, static_cast<u32>(value));
}

// SDM 3A 11.12.5, figure 11-27: from disabled only to xAPIC, from xAPIC to x2APIC or disabled, from
// x2APIC to disabled. Disabling forgets the state; entering x2APIC mode keeps it, except that the
// ICR is one register now and the logical ID follows from the APIC ID.
bool LocalApic::write_apic_base(u64 value) {
  const u64 address = mask_of_bytes(8) >> (64 - config_.physical_address_bits) & ~u64{0xFFF};
  if (value & ~(address | kBaseBsp | kBaseExtd | kBaseEn)) return false;
  const bool enable = (value & kBaseEn) != 0;
  const bool extend = (value & kBaseExtd) != 0;
  if (extend && !(enable && config_.x2apic)) return false;
  if (extend && !hardware_enabled()) return false;
  if (!extend && enable && x2apic()) return false;
  const bool changed = value != apic_base_;
  const bool entered_x2apic = extend && !x2apic();
  apic_base_ = value;
  if (!enable) reset_registers();
  if (!enable || entered_x2apic) id_ = config_.apic_id;  // SDM 3A 11.12.5.1
  if (entered_x2apic) icr_ &= 0xFFFF'FFFF;
  update_pending();
  if (changed) outcome_.base = value;
  return true;
}

}  // namespace kite
