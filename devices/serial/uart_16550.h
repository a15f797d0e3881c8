// Uart16550: the PC16550D universal asynchronous receiver/transmitter with FIFOs (the COM ports).
#pragma once

#include <array>
#include <mutex>

#include "base/clock.h"
#include "base/line.h"
#include "devices/byte_registers.h"
#include "devices/device.h"
#include "devices/host/char_backend.h"

namespace kite {

// Register numbers and bit names are the PC16550D data sheet's (table II). Eight byte registers.
//
// The far end is the CharBackend. A character is on the wire for no time at all: the transmitter is
// empty again as soon as the guest has written, so nothing the host does stalls the guest. The
// receiver takes characters only while it has room and the guest listens (receive interrupts
// enabled, or line status polled again and again), because a driver that starts clears the FIFOs
// and what was piped into the run would be lost. So the only overruns are those of the loop-back
// test. Receive time-outs (four character times, section 8.4) are kept on the Clock.
class Uart16550 : public Device, public ByteRegisters, private CharReceiver {
 public:
  static constexpr u64 kSize = 8;  // bytes of registers

  Uart16550(Line irq, CharBackend& backend, Clock& clock);
  ~Uart16550() override;

  std::string_view name() const override { return "uart_16550"; }
  void reset() override;
  void transfer(Archive& archive) override;

 protected:
  u8 read_byte(u64 offset) override;
  void write_byte(u64 offset, u8 value) override;

 private:
  std::size_t room() override;
  void receive(std::span<const u8> bytes) override;

  bool divisor_latch() const;
  bool fifos_enabled() const;
  bool loopback() const;
  bool listening() const;
  std::size_t capacity() const;
  std::size_t trigger_level() const;
  Nanos character_time() const;
  u8 interrupt_identification() const;
  u8 modem_lines() const;
  u8 read_receiver();
  u8 read_interrupt_identification();
  u8 read_line_status();
  u8 read_modem_status();
  void write_transmitter(u8 value);
  void write_interrupt_enable(u8 value);
  void write_fifo_control(u8 value);
  void write_modem_control(u8 value);
  void clear_receiver();
  void store(u8 value);
  void restart_timeout();
  void timed_out();
  void driver_settled();
  void update_line();
  void clear_registers();

  static constexpr std::size_t kFifoSize = 16;

  Line irq_;
  CharBackend& backend_;
  std::mutex mutex_;  // guards everything below
  std::array<u8, kFifoSize> fifo_{};
  u8 fifo_first_ = 0;
  u8 fifo_count_ = 0;
  u8 last_received_ = 0;
  u8 interrupt_enable_ = 0;
  u8 fifo_control_ = 0;
  u8 line_control_ = 0;
  u8 modem_control_ = 0;
  u8 modem_delta_ = 0;  // the low half of MSR
  u8 scratch_ = 0;
  u8 polls_ = 0;  // of an empty receiver's line status, with nothing else between
  u16 divisor_ = 0;
  bool overrun_ = false;
  bool transmitter_empty_interrupt_ = false;  // pending until IIR is read or THR written
  bool timeout_interrupt_ = false;
  bool settled_ = false;  // receive interrupts without FIFOs are what the driver wants
  bool level_ = false;    // of INTR
  Timer timeout_;
  Timer settle_;
};

}  // namespace kite
