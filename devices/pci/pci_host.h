// PciHost: configuration mechanism #1 (ports CF8h and CFCh) and the functions on bus 0.
#pragma once

#include <array>
#include <mutex>

#include "devices/device.h"
#include "devices/pci/pci_function.h"
#include "memory/region.h"

namespace kite {

// PCI 2.1 3.7.4.1. CONFIG_ADDRESS answers to 32-bit accesses only; what is narrower goes on to the
// I/O bus, where the south bridge has its reset control register at offset 1 (CF9h).
class PciHost : public Device {
 public:
  static constexpr u64 kAddressSize = 4, kDataSize = 4;

  // One byte, at offset 1 of CONFIG_ADDRESS; null: nobody is there.
  explicit PciHost(IoHandler* behind_address = nullptr) : behind_address_(behind_address) {}

  // Before the first access. `device` is 0 to 31, `function` 0 to 7; the function outlives the
  // host.
  void plug(unsigned device, unsigned function, PciFunction& pci_function);

  IoHandler& address_ports() { return address_; }
  IoHandler& data_ports() { return data_; }

  std::string_view name() const override { return "pci-host"; }
  void reset() override;
  void transfer(Archive& archive) override;

 private:
  struct AddressPorts : IoHandler {
    explicit AddressPorts(PciHost& host) : host(host) {}
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;
    PciHost& host;
  };
  struct DataPorts : IoHandler {
    explicit DataPorts(PciHost& host) : host(host) {}
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;
    PciHost& host;
  };
  struct Target {
    PciFunction* function = nullptr;  // null: nobody answers
    u8 offset = 0;
  };
  Target target(u64 offset);

  IoHandler* behind_address_;
  std::array<PciFunction*, 256> functions_{};  // by device and function number
  std::mutex mutex_;                           // guards config_address_
  u32 config_address_ = 0;
  AddressPorts address_{*this};
  DataPorts data_{*this};
};

}  // namespace kite
