#include "devices/pci/host_bridge_82441fx.h"
#include "devices/pci/isa_bridge_82371sb.h"
#include "devices/pci/pci_host.h"
#include "devices/pci/piix_functions.h"
#include "register_script.h"

namespace kite {
namespace {

// The eight ports from CF8h.
struct Ports : IoHandler {
  explicit Ports(PciHost& host) : host(host) {}
  IoHandler& at(u64 offset) { return offset < 4 ? host.address_ports() : host.data_ports(); }
  u64 read(u64 offset, unsigned size) override { return at(offset).read(offset & 3, size); }
  void write(u64 offset, u64 value, unsigned size) override {
    at(offset).write(offset & 3, value, size);
  }
  PciHost& host;
};

struct Bus {
  HostBridge82441fx bridge{[](const HostBridge82441fx::Segments&) {}, false};
  IsaBridge82371sb isa{{}};
  PiixIde ide;
  Piix4PowerManagement pm{0x600, 9};
  PciHost host;
  Ports ports{host};
  Bus() {
    host.plug(0, 0, bridge);
    host.plug(1, 0, isa);
    host.plug(1, 1, ide);
    host.plug(1, 3, pm);
  }
};

}  // namespace
}  // namespace kite

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  kite::ManualClock clock;
  kite::Bus bus, other;
  const auto step = [&](kite::u8 what, kite::u16 value) {
    // A script of 16-bit values seldom hits a function: select one now and then.
    const kite::u32 functions[] = {0x80000000, 0x80000800, 0x80000900, 0x80000b00};
    if (what % 4 == 0)
      return bus.host.address_ports().write(0, functions[value & 3] | value >> 8, 4);
    bus.isa.set_pirq(value & 7, value >> 8, what & 1);
    if (what == 31) bus.isa.reset();
  };
  kite::fuzz::run_script(data, size, bus.ports, 8, clock, step);
  kite::fuzz::run_script(data, size, bus.host.data_ports(), 4, clock, step);
  kite::fuzz::move_state(bus.bridge, other.bridge, data, size);
  kite::fuzz::move_state(bus.isa, other.isa, data, size);
  kite::fuzz::move_state(bus.ide, other.ide, data, size);
  kite::fuzz::move_state(bus.host, other.host, data, size);
  return 0;
}
