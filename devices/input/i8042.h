// I8042: the PC/AT keyboard controller (ports 60h, 64h), on a board with no keyboard and no mouse
// plugged in.
#pragma once

#include <array>
#include <functional>
#include <mutex>

#include "base/line.h"
#include "devices/byte_registers.h"
#include "devices/device.h"

namespace kite {

// Two byte registers: offset 0 is port 60h (data), offset 1 is port 64h (status, command); a board
// maps them apart with data_port() and command_port(). Commands are those of the IBM PS/2 hardware
// interface reference, "Keyboard/Auxiliary Device Controller".
//
// What is sent to a device that is not there fails as on a real board: the controller gives up
// waiting for it and answers FEh (resend) with the time-out bit set in the status.
class I8042 : public Device {
 public:
  struct Wires {
    Line irq1;                       // keyboard
    Line irq12;                      // auxiliary device
    Line a20;                        // A20 gate, high: address line 20 passes
    std::function<void()> on_reset;  // the processor's reset line, pulled
  };
  explicit I8042(Wires wires);

  IoHandler& data_port() { return data_port_; }
  IoHandler& command_port() { return command_port_; }

  std::string_view name() const override { return "i8042"; }
  void reset() override;
  void transfer(Archive& archive) override;

 private:
  class Port : public ByteRegisters {
   public:
    Port(I8042& chip, bool is_command) : chip_(chip), is_command_(is_command) {}

   protected:
    u8 read_byte(u64 offset) override;
    void write_byte(u64 offset, u8 value) override;

   private:
    I8042& chip_;
    bool is_command_;
  };

  u8 read_data();
  u8 read_status();
  void write_data(u8 value);
  void write_command(u8 value);
  bool execute(u8 command);        // true: pull the reset line
  bool take_argument(u8 value);    // true: pull the reset line
  bool set_output_port(u8 value);  // true: pull the reset line
  void answer(u8 value, bool auxiliary, bool timed_out = false);
  void update_lines();
  void clear_registers();

  Wires wires_;
  Port data_port_{*this, false};
  Port command_port_{*this, true};
  std::mutex mutex_;  // guards everything below
  u8 status_ = 0;
  u8 command_byte_ = 0;
  u8 output_port_ = 0;
  u8 output_buffer_ = 0;
  u8 pending_command_ = 0;  // a command that waits for its argument at port 60h, or 0
  std::array<u8, 32> ram_{};
};

}  // namespace kite
