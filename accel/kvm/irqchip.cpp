#include "accel/kvm/irqchip.h"

#include <sys/ioctl.h>
#include <time.h>

#include <cerrno>
#include <cstring>

#include "accel/kvm/irqchip_state.h"

namespace kite::kvm {
namespace {

constexpr unsigned kIsaWires = 16, kTimerWire = 0, kCascadeWire = 2;
constexpr unsigned kTimerInput = 2;  // of the I/O APIC

u32 input_of(unsigned wire) {
  return wire == kTimerWire ? kTimerInput : wire;
}

kvm_irq_routing_entry route(u32 wire, u32 chip, u32 pin) {
  kvm_irq_routing_entry entry{};
  entry.gsi = wire;
  entry.type = KVM_IRQ_ROUTING_IRQCHIP;
  entry.u.irqchip.irqchip = chip;
  entry.u.irqchip.pin = pin;
  return entry;
}

Result<> refused(const char* what) {
  return fail_errno(ErrorKind::kUnavailable, errno, fmt::format("KVM refuses {}", what));
}

Result<> create_pit(int vm_fd, const Capabilities& capabilities) {
  kvm_pit_config config{};
  config.flags = KVM_PIT_SPEAKER_DUMMY;  // port 61h is part of it
  if (::ioctl(vm_fd, KVM_CREATE_PIT2, &config) < 0) return refused("an 8254");
  if (!capabilities.reinject_control) return {};
  // Ticks that the guest did not take are one tick, as those of Kite's own 8254 are.
  kvm_reinject_control control{};
  ::ioctl(vm_fd, KVM_REINJECT_CONTROL, &control);
  return {};
}

i64 monotonic_time() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return i64{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

u32 input_levels(u32 wires) {
  u32 inputs = 0;
  for (unsigned wire = 0; wire < InterruptChips::kInterrupts; ++wire)
    if (wire != kCascadeWire && (wires >> wire & 1)) inputs |= u32{1} << input_of(wire);
  return inputs;
}

constexpr u64 kRedirectionMask = u64{1} << 16;

}  // namespace

std::vector<kvm_irq_routing_entry> chip_routes() {
  std::vector<kvm_irq_routing_entry> routes;
  for (u32 wire = 0; wire < InterruptChips::kInterrupts; ++wire) {
    if (wire == kCascadeWire) continue;
    if (wire < kIsaWires) {
      const u32 chip = wire < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
      routes.push_back(route(wire, chip, wire % 8));
    }
    routes.push_back(route(wire, KVM_IRQCHIP_IOAPIC, input_of(wire)));
  }
  return routes;
}

Result<> set_routes(int vm_fd, const std::vector<kvm_irq_routing_entry>& routes) {
  const std::size_t bytes = sizeof(kvm_irq_routing) + routes.size() * sizeof(kvm_irq_routing_entry);
  std::vector<u64> storage((bytes + 7) / 8);
  auto& table = *reinterpret_cast<kvm_irq_routing*>(storage.data());
  table.nr = static_cast<u32>(routes.size());
  std::memcpy(reinterpret_cast<u8*>(storage.data()) + sizeof table, routes.data(),
              routes.size() * sizeof(kvm_irq_routing_entry));
  if (::ioctl(vm_fd, KVM_SET_GSI_ROUTING, &table) < 0) return refused("the interrupts' routes");
  return {};
}

Result<std::unique_ptr<KernelChips>> KernelChips::create(int vm_fd,
                                                         const Capabilities& capabilities) {
  if (::ioctl(vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
    return tl::unexpected(refused("interrupt controllers").error());
  KITE_CHECK(create_pit(vm_fd, capabilities));
  KITE_CHECK(set_routes(vm_fd, chip_routes()));
  if (capabilities.x2apic_ids) {
    kvm_enable_cap enable{};
    enable.cap = KVM_CAP_X2APIC_API;
    enable.args[0] = KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK;
    ::ioctl(vm_fd, KVM_ENABLE_CAP, &enable);
  }
  return std::unique_ptr<KernelChips>(new KernelChips(vm_fd, capabilities));
}

void KernelChips::set_irq(unsigned number, bool level) {
  if (number >= kInterrupts || number == kCascadeWire) return;
  kvm_irq_level raw{};
  raw.irq = number;
  raw.level = level;
  ::ioctl(vm_fd_, KVM_IRQ_LINE, &raw);
}

void KernelChips::send_msi(u64 address, u32 data) {
  kvm_msi raw{};
  raw.address_lo = static_cast<u32>(address);
  raw.address_hi = static_cast<u32>(address >> 32);
  raw.data = data;
  ::ioctl(vm_fd_, KVM_SIGNAL_MSI, &raw);
}

// KVM_SET_PIT2 begins every count anew; but for the flag nothing has changed, and a guest that
// switches to the HPET has stopped listening to the 8254.
void KernelChips::set_hpet_replaces(bool on) {
  std::lock_guard lock(mutex_);
  kvm_pit_state2 raw{};
  if (::ioctl(vm_fd_, KVM_GET_PIT2, &raw) < 0) return;
  const u32 flags =
      on ? raw.flags | KVM_PIT_FLAGS_HPET_LEGACY : raw.flags & ~u32{KVM_PIT_FLAGS_HPET_LEGACY};
  if (flags == raw.flags) return;
  raw.flags = flags;
  ::ioctl(vm_fd_, KVM_SET_PIT2, &raw);
}

Result<> KernelChips::get(u32 chip, kvm_irqchip& to) {
  to = {};
  to.chip_id = chip;
  if (::ioctl(vm_fd_, KVM_GET_IRQCHIP, &to) < 0) return refused("to show an interrupt controller");
  return {};
}

Result<> KernelChips::set(const kvm_irqchip& from) {
  if (::ioctl(vm_fd_, KVM_SET_IRQCHIP, &from) < 0)
    return refused("an interrupt controller's state");
  return {};
}

// The 8254 first: what it still sends is then in the controllers.
Result<ChipStates> KernelChips::save() {
  ChipStates states;
  kvm_pit_state2 pit{};
  if (::ioctl(vm_fd_, KVM_GET_PIT2, &pit) < 0)
    return tl::unexpected(refused("to show the 8254").error());
  const i64 now = monotonic_time();
  // KVM keeps counter 0's time in its timer, where it cannot be read.
  for (std::size_t i = 0; i < 3; ++i) states.pit[i] = from_kvm(pit.channels[i], now, i != 0);
  states.speaker = (pit.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON) != 0;
  states.hpet_replaces = (pit.flags & KVM_PIT_FLAGS_HPET_LEGACY) != 0;
  kvm_irqchip raw{};
  for (u32 i = 0; i < 2; ++i) {
    KITE_CHECK(get(KVM_IRQCHIP_PIC_MASTER + i, raw));
    states.pic[i] = from_kvm(raw.chip.pic);
  }
  KITE_CHECK(get(KVM_IRQCHIP_IOAPIC, raw));
  states.io_apic = from_kvm(raw.chip.ioapic);
  return states;
}

Result<> KernelChips::load_pics(const ChipStates& states, bool masked) {
  for (u32 i = 0; i < 2; ++i) {
    kvm_irqchip raw{};
    raw.chip_id = KVM_IRQCHIP_PIC_MASTER + i;
    raw.chip.pic = to_kvm(states.pic[i], i == 0);
    if (masked) raw.chip.pic.imr = 0xff;
    KITE_CHECK(set(raw));
  }
  return {};
}

Result<> KernelChips::load_io_apic(const IoApicState& state, u32 levels, bool masked) {
  kvm_irqchip raw{};
  raw.chip_id = KVM_IRQCHIP_IOAPIC;
  raw.chip.ioapic = to_kvm(state, masked ? 0 : input_levels(levels));
  if (masked)
    for (auto& entry : raw.chip.ioapic.redirtbl) entry.bits |= kRedirectionMask;
  return set(raw);
}

// KVM knows the wires' levels apart from the chips' registers, and setting them makes edges. So
// they are set while everything is masked, and the registers after that. What is down is put down
// once more: an edge that was latched before stays, and the next one is seen.
Result<> KernelChips::load(const ChipStates& states, u32 levels) {
  std::lock_guard lock(mutex_);
  KITE_CHECK(load_pics(states, true));
  KITE_CHECK(load_io_apic(states.io_apic, levels, true));
  for (unsigned wire = 0; wire < kInterrupts; ++wire) set_irq(wire, (levels >> wire & 1) != 0);
  KITE_CHECK(load_pics(states, false));
  KITE_CHECK(load_io_apic(states.io_apic, levels, false));
  for (unsigned wire = 0; wire < kInterrupts; ++wire)
    if (!(levels >> wire & 1)) set_irq(wire, false);
  kvm_pit_state2 pit{};
  for (std::size_t i = 0; i < 3; ++i) pit.channels[i] = to_kvm(states.pit[i], i == 0);
  pit.flags = (states.speaker ? KVM_PIT_FLAGS_SPEAKER_DATA_ON : 0) |
              (states.hpet_replaces ? KVM_PIT_FLAGS_HPET_LEGACY : 0);
  if (::ioctl(vm_fd_, KVM_SET_PIT2, &pit) < 0) return refused("the 8254's state");
  return {};
}

Result<LocalApicState> read_local_apic(int vcpu_fd) {
  kvm_lapic_state raw{};
  if (::ioctl(vcpu_fd, KVM_GET_LAPIC, &raw) < 0)
    return tl::unexpected(refused("to show a local APIC").error());
  LocalApicState state;
  for (std::size_t i = 0; i < LocalApicState::kRegisters; ++i)
    std::memcpy(&state.registers[i], raw.regs + 16 * i, sizeof state.registers[i]);
  return state;
}

Result<> write_local_apic(int vcpu_fd, const LocalApicState& state) {
  kvm_lapic_state raw{};
  static_assert(sizeof raw.regs == 16 * LocalApicState::kRegisters);
  for (std::size_t i = 0; i < LocalApicState::kRegisters; ++i)
    std::memcpy(raw.regs + 16 * i, &state.registers[i], sizeof state.registers[i]);
  if (::ioctl(vcpu_fd, KVM_SET_LAPIC, &raw) < 0) return refused("a local APIC's state");
  return {};
}

}  // namespace kite::kvm
