// FwCfg: QEMU's firmware configuration device, by which firmware is told what the machine has.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "devices/byte_registers.h"
#include "devices/device.h"
#include "memory/address_space.h"

namespace kite {

// QEMU docs/specs/fw_cfg.rst, port interface. Read-only: writes through DMA are refused.
class FwCfg : public Device {
 public:
  static constexpr u64 kPortsSize = 2;  // at 510h: selector, 16 bits wide; data at its second byte
  static constexpr u64 kDmaSize = 8;    // at 514h: address of the request, big-endian

  // Legacy item keys that somebody outside needs.
  static constexpr u16 kCpuCount = 0x05, kBootMenu = 0x0e, kMaxCpus = 0x0f;

  struct Contents {
    std::map<u16, std::vector<u8>> items;          // by key
    std::map<std::string, std::vector<u8>> files;  // by name, of at most 55 characters
  };
  // Adds the signature, the interface's version and the file directory.
  FwCfg(AddressSpace& memory, Contents contents);

  IoHandler& ports() { return ports_; }
  IoHandler& dma_ports() { return dma_; }

  std::string_view name() const override { return "fw_cfg"; }
  void reset() override;
  void transfer(Archive& archive) override;

 private:
  struct Ports : IoHandler {
    explicit Ports(FwCfg& chip) : chip(chip) {}
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;
    FwCfg& chip;
  };
  struct Dma : ByteRegisters {
    explicit Dma(FwCfg& chip) : chip(chip) {}
    u8 read_byte(u64 offset) override;
    void write_byte(u64 offset, u8 value) override;
    FwCfg& chip;
  };
  void add_files(const std::map<std::string, std::vector<u8>>& files);
  const std::vector<u8>& selected() const;
  void select(u16 key);
  u8 next_byte();
  void run_request(Gpa request);
  bool carry_out(u32 control, u32 length, Gpa address);

  AddressSpace& memory_;
  std::map<u16, std::vector<u8>> items_;
  std::mutex mutex_;  // guards what follows
  u16 key_ = 0;
  u64 position_ = 0;
  u64 dma_address_ = 0;
  Ports ports_{*this};
  Dma dma_{*this};
};

}  // namespace kite
