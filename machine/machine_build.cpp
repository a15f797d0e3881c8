#include "machine/machine_build.h"

namespace kite {
namespace {

// What the CPU models say of the local APIC timer (CPUID leaf 40000010h).
constexpr u64 kApicBusHz = 1'000'000'000;

}  // namespace

void ChipSet::reset() {
  for (Device* device : devices_) device->reset();
}

void ChipSet::reset_after_sleep() {
  for (Device* device : devices_) device->reset_after_sleep();
}

ChipSet::~ChipSet() {
  while (!owned_.empty()) owned_.pop_back();
}

void MachineBuild::ram(Gpa hole_start) {
  auto region = Region::ram("ram", at_.ram);
  u64 offset = 0;
  for (const RamWindow& window : pc_ram_windows(at_.ram.size(), hole_start)) {
    edit_.map({.start = window.start, .size = window.size, .region = region, .offset = offset});
    at_.firmware.ram.push_back(window);
    offset += window.size;
  }
}

void MachineBuild::mmio(std::string name, Gpa address, u64 size, IoHandler& handler) {
  constexpr int kAboveRam = 1;
  edit_.map({.start = address,
             .size = size,
             .region = Region::mmio(std::move(name), size, handler),
             .priority = kAboveRam});
}

Result<> MachineBuild::ports(std::string name, u16 first, u64 count, IoHandler& handler) {
  return at_.ports.map(std::move(name), first, static_cast<u32>(count), handler);
}

std::vector<LocalApic*> MachineBuild::local_apics(Gpa address, ApicBus& bus,
                                                  const InterruptSources& sources) {
  std::vector<LocalApic*> apics;
  for (auto& processor : at_.processors) {
    const unsigned index = processor->thread().index();
    LocalApicConfig config;
    config.apic_id = index;
    config.bootstrap = index == 0;
    config.tsc_hz = at_.cpu_model.tsc_hz;
    config.bus_hz = kApicBusHz;
    config.physical_address_bits = at_.cpu_model.physical_address_bits;
    config.x2apic = at_.cpu_model.has(Feature::kX2apic);
    config.cmci = config.directed_eoi = false;  // as KVM's in the kernel
    LocalApic& apic = chips().add<LocalApic>(config, processor->thread().clock(), bus,
                                             processor->wiring(sources));
    processor->connect(apic);
    bus.add(apic);
    apics.push_back(&apic);
  }
  auto& window = chips().join<LocalApicWindow>(at_.memory, address, apics, interrupts());
  for (auto& processor : at_.processors) processor->connect(window);
  mmio("local-apic", address, LocalApic::kSize, window);
  return apics;
}

}  // namespace kite
