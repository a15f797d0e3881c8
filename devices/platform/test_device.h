// TestDevice: ports, interrupt wires and a window of memory that only test programs use.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "devices/byte_registers.h"
#include "devices/device.h"

namespace kite {

// As QEMU's pc-testdev, which kvm-unit-tests expects (its lib/x86/apic.c, x86/emulator.c,
// x86/eventinj.c): a 32-bit register seen through two groups of ports, a port that asks the
// emulator to forget its translation of a page, one port for each interrupt wire, and memory whose
// every access the chip serves.
class TestDevice : public Device {
 public:
  static constexpr u16 kRegisterPort = 0xe0, kFlushPort = 0xe4, kByteRegisterPort = 0xe8;
  static constexpr u16 kInterruptPort = 0x2000;
  static constexpr u64 kRegisterSize = 4, kInterrupts = 24;
  static constexpr Gpa kMemory = 0xff000000;
  static constexpr u64 kMemorySize = 64 * KiB;

  // `set_interrupt` drives the wire of that number; it is called without the chip's lock.
  explicit TestDevice(std::function<void(unsigned number, bool level)> set_interrupt);

  IoHandler& register_ports() { return register_; }
  IoHandler& flush_port() { return flush_; }
  IoHandler& interrupt_ports() { return interrupts_; }
  IoHandler& memory() { return memory_; }

  std::string_view name() const override { return "test_device"; }
  void reset() override;
  void transfer(Archive& archive) override;

 private:
  // Bytes that keep what is written to them.
  class Bytes : public ByteRegisters {
   public:
    Bytes(std::mutex& mutex, u64 size) : mutex_(mutex), bytes_(size) {}
    std::vector<u8>& bytes() { return bytes_; }

   protected:
    u8 read_byte(u64 offset) override;
    void write_byte(u64 offset, u8 value) override;

   private:
    std::mutex& mutex_;
    std::vector<u8> bytes_;
  };
  // Kite keeps no translation that a page's content or mapping could outdate: nothing to do.
  class Flush : public ByteRegisters {
   protected:
    u8 read_byte(u64) override { return 0; }
    void write_byte(u64, u8) override {}
  };
  class Interrupts : public IoHandler {
   public:
    explicit Interrupts(std::function<void(unsigned, bool)> set) : set_(std::move(set)) {}
    u64 read(u64, unsigned) override { return 0; }
    void write(u64 offset, u64 value, unsigned size) override;

   private:
    std::function<void(unsigned, bool)> set_;
  };

  std::mutex mutex_;  // guards the bytes of the register and the memory
  Bytes register_{mutex_, kRegisterSize};
  Bytes memory_{mutex_, kMemorySize};
  Flush flush_;
  Interrupts interrupts_;
};

}  // namespace kite
