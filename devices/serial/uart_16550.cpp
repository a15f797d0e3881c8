#include "devices/serial/uart_16550.h"

#include <algorithm>

#include "base/bits.h"

namespace kite {

namespace {

// PC16550D, table II: register numbers.
enum : u64 { kData, kIer, kIirFcr, kLcr, kMcr, kLsr, kMsr, kScr };

enum : u8 {  // IER
  kErbfi = 0x01,
  kEtbei = 0x02,
  kElsi = 0x04,
  kEdssi = 0x08,
};
enum : u8 {  // IIR (table IV): no interrupt pending, or the source
  kNoInterrupt = 0x01,
  kModemStatus = 0x00,
  kTransmitterEmpty = 0x02,
  kDataAvailable = 0x04,
  kLineStatus = 0x06,
  kCharacterTimeout = 0x0c,
  kFifosEnabledBits = 0xc0,
};
enum : u8 {  // FCR
  kFifoEnable = 0x01,
  kReceiverReset = 0x02,
  kTransmitterReset = 0x04,
};
enum : u8 { kDlab = 0x80 };                                                        // LCR
enum : u8 { kDtr = 0x01, kRts = 0x02, kOut1 = 0x04, kOut2 = 0x08, kLoop = 0x10 };  // MCR
enum : u8 { kDr = 0x01, kOe = 0x02, kThre = 0x20, kTemt = 0x40 };                  // LSR
enum : u8 { kCts = 0x10, kDsr = 0x20, kRi = 0x40, kDcd = 0x80, kTeri = 0x04 };     // MSR

constexpr u64 kCrystalHz = 1'843'200;  // the PC's, divided by 16 per bit

// Drivers that print read the line status once or twice per character.
constexpr u8 kPollsOfAListener = 8;
// Linux enables receive interrupts first and the FIFOs, which clears them, a moment later
// (serial8250_do_set_termios).
constexpr Nanos kSettling = 10 * kMillisecond;

}  // namespace

Uart16550::Uart16550(Line irq, CharBackend& backend, Clock& clock)
    : irq_(std::move(irq)),
      backend_(backend),
      timeout_(clock, [this] { timed_out(); }),
      settle_(clock, [this] { driver_settled(); }) {
  backend_.set_receiver(this);
}

Uart16550::~Uart16550() {
  backend_.set_receiver(nullptr);
}

void Uart16550::reset() {
  std::lock_guard lock(mutex_);
  clear_registers();
  update_line();
  backend_.resume();
}

// Table III; the divisor latch and the scratch register are not touched by MR.
void Uart16550::clear_registers() {
  clear_receiver();
  last_received_ = 0;
  interrupt_enable_ = fifo_control_ = line_control_ = modem_control_ = modem_delta_ = polls_ = 0;
  overrun_ = transmitter_empty_interrupt_ = settled_ = false;
}

void Uart16550::transfer(Archive& archive) {
  std::lock_guard lock(mutex_);
  archive.field("fifo", fifo_);
  archive.field("fifo_first", fifo_first_);
  archive.field("fifo_count", fifo_count_);
  archive.field("last_received", last_received_);
  archive.field("interrupt_enable", interrupt_enable_);
  archive.field("fifo_control", fifo_control_);
  archive.field("line_control", line_control_);
  archive.field("modem_control", modem_control_);
  archive.field("modem_delta", modem_delta_);
  archive.field("scratch", scratch_);
  archive.field("divisor", divisor_);
  archive.field("polls", polls_);
  u8 flags =
      static_cast<u8>(overrun_ | transmitter_empty_interrupt_ << 1 | timeout_interrupt_ << 2);
  archive.field("flags", flags);
  if (archive.is_saving()) return;
  overrun_ = flags & 1;
  transmitter_empty_interrupt_ = flags & 2;
  timeout_interrupt_ = flags & 4;
  settled_ = interrupt_enable_ & kErbfi;
  fifo_first_ %= kFifoSize;
  fifo_count_ = static_cast<u8>(std::min<std::size_t>(fifo_count_, capacity()));
  restart_timeout();
  update_line();
  backend_.resume();
}

bool Uart16550::divisor_latch() const {
  return line_control_ & kDlab;
}
bool Uart16550::fifos_enabled() const {
  return fifo_control_ & kFifoEnable;
}
bool Uart16550::loopback() const {
  return modem_control_ & kLoop;
}
bool Uart16550::listening() const {
  if (polls_ >= kPollsOfAListener) return true;
  return (interrupt_enable_ & kErbfi) && (fifos_enabled() || settled_);
}
std::size_t Uart16550::capacity() const {
  return fifos_enabled() ? kFifoSize : 1;
}

std::size_t Uart16550::trigger_level() const {
  static constexpr std::array<u8, 4> kLevels = {1, 4, 8, 14};
  return fifos_enabled() ? kLevels[fifo_control_ >> 6] : 1;
}

// A start bit, 5 to 8 data bits, parity, one or two stop bits, at the rate of the divisor latch.
Nanos Uart16550::character_time() const {
  const u64 data = 5 + (line_control_ & 3);
  const u64 parity = (line_control_ >> 3) & 1;
  const u64 stop = 1 + ((line_control_ >> 2) & 1);
  const u64 divisor = divisor_ == 0 ? 1 : divisor_;
  return static_cast<Nanos>((1 + data + parity + stop) * 16 * divisor * kSecond / kCrystalHz);
}

// Priorities of table IV.
u8 Uart16550::interrupt_identification() const {
  if ((interrupt_enable_ & kElsi) && overrun_) return kLineStatus;
  if (interrupt_enable_ & kErbfi) {
    if (fifo_count_ >= trigger_level()) return kDataAvailable;
    if (timeout_interrupt_) return kCharacterTimeout;
  }
  if ((interrupt_enable_ & kEtbei) && transmitter_empty_interrupt_) return kTransmitterEmpty;
  if ((interrupt_enable_ & kEdssi) && modem_delta_) return kModemStatus;
  return kNoInterrupt;
}

// The PC's OUT2 gates the interrupt onto the bus (IBM PC/AT technical reference, serial adapter);
// in loop-back mode all modem outputs are inactive, and so is this gate. Interrupts of the
// loop-back test itself still show in IIR.
void Uart16550::update_line() {
  const bool gate = (modem_control_ & kOut2) && !loopback();
  const bool level = gate && interrupt_identification() != kNoInterrupt;
  if (level == level_) return;
  level_ = level;
  irq_.set(level);
}

// The far end has everything ready; in loop-back mode the inputs are the chip's own outputs.
u8 Uart16550::modem_lines() const {
  if (!loopback()) return kCts | kDsr | kDcd;
  u8 lines = 0;
  if (modem_control_ & kRts) lines |= kCts;
  if (modem_control_ & kDtr) lines |= kDsr;
  if (modem_control_ & kOut1) lines |= kRi;
  if (modem_control_ & kOut2) lines |= kDcd;
  return lines;
}

u8 Uart16550::read_byte(u64 offset) {
  std::lock_guard lock(mutex_);
  switch (offset) {
    case kData:
      return divisor_latch() ? static_cast<u8>(divisor_) : read_receiver();
    case kIer:
      return divisor_latch() ? static_cast<u8>(divisor_ >> 8) : interrupt_enable_;
    case kIirFcr:
      return read_interrupt_identification();
    case kLcr:
      return line_control_;
    case kMcr:
      return modem_control_;
    case kLsr:
      return read_line_status();
    case kMsr:
      return read_modem_status();
    default:
      return scratch_;
  }
}

void Uart16550::write_byte(u64 offset, u8 value) {
  std::lock_guard lock(mutex_);
  polls_ = 0;
  switch (offset) {
    case kData:
      if (divisor_latch()) {
        divisor_ = static_cast<u16>((divisor_ & 0xff00) | value);
      } else {
        write_transmitter(value);
      }
      break;
    case kIer:
      if (divisor_latch()) {
        divisor_ = static_cast<u16>((divisor_ & 0x00ff) | (value << 8));
      } else {
        write_interrupt_enable(value);
      }
      break;
    case kIirFcr:
      write_fifo_control(value);
      break;
    case kLcr:
      line_control_ = value;
      break;
    case kMcr:
      write_modem_control(value);
      break;
    case kScr:
      scratch_ = value;
      break;
    default:
      break;  // LSR and MSR are read-only but for factory tests
  }
  update_line();
}

u8 Uart16550::read_receiver() {
  if (fifo_count_ == 0) return last_received_;
  last_received_ = fifo_[fifo_first_];
  fifo_first_ = (fifo_first_ + 1) % kFifoSize;
  --fifo_count_;
  timeout_interrupt_ = false;
  restart_timeout();
  update_line();
  backend_.resume();
  return last_received_;
}

u8 Uart16550::read_interrupt_identification() {
  const u8 source = interrupt_identification();
  if (source == kTransmitterEmpty) transmitter_empty_interrupt_ = false;
  update_line();
  return source | (fifos_enabled() ? kFifosEnabledBits : 0);
}

u8 Uart16550::read_line_status() {
  u8 value = kThre | kTemt;
  if (fifo_count_) value |= kDr;
  if (overrun_) value |= kOe;
  overrun_ = false;
  if (fifo_count_ == 0 && polls_ < kPollsOfAListener && ++polls_ == kPollsOfAListener)
    backend_.resume();
  update_line();
  return value;
}

u8 Uart16550::read_modem_status() {
  const u8 value = modem_lines() | modem_delta_;
  modem_delta_ = 0;
  update_line();
  return value;
}

// The character leaves at once, so THR is empty again and asks for the next one.
void Uart16550::write_transmitter(u8 value) {
  if (loopback()) {
    store(value & static_cast<u8>(mask_of_bytes(1) >> (3 - (line_control_ & 3))));
  } else {
    backend_.write({&value, 1});
  }
  transmitter_empty_interrupt_ = true;
}

// Section 8.6.2: enabling ETBEI while THR is empty raises the interrupt at once.
void Uart16550::write_interrupt_enable(u8 value) {
  const u8 enabled = static_cast<u8>(value & ~interrupt_enable_);
  interrupt_enable_ = value & 0x0f;
  if (enabled & kEtbei) transmitter_empty_interrupt_ = true;
  if (!(interrupt_enable_ & kErbfi)) settled_ = false;
  if (enabled & kErbfi) {
    settle_.arm(settle_.clock().now() + kSettling);
    backend_.resume();
  }
}

// Section 8.5: bits other than FCR0 are taken only with FCR0 set; changing FCR0 clears both FIFOs.
void Uart16550::write_fifo_control(u8 value) {
  const bool toggled = (value ^ fifo_control_) & kFifoEnable;
  if (toggled || ((value & kFifoEnable) && (value & kReceiverReset))) clear_receiver();
  if ((value & kFifoEnable) && (value & kTransmitterReset)) transmitter_empty_interrupt_ = true;
  fifo_control_ = (value & kFifoEnable) ? value & 0xc9 : 0;
  backend_.resume();
}

void Uart16550::write_modem_control(u8 value) {
  const u8 before = modem_lines();
  modem_control_ = value & 0x1f;
  const u8 after = modem_lines();
  const u8 changed = before ^ after;
  modem_delta_ |= (changed >> 4) & 0x0b;                         // DCTS, DDSR, DDCD
  if ((changed & kRi) && !(after & kRi)) modem_delta_ |= kTeri;  // RI: trailing edge only
  backend_.resume();
}

void Uart16550::clear_receiver() {
  fifo_first_ = fifo_count_ = 0;
  timeout_interrupt_ = false;
  timeout_.disarm();
}

// On overrun the FIFO keeps what it has and the new character is lost; without FIFOs the new
// character replaces the old one (section 8.4, OE).
void Uart16550::store(u8 value) {
  if (fifo_count_ >= capacity()) {
    overrun_ = true;
    if (!fifos_enabled()) fifo_[fifo_first_] = value;
    return;
  }
  fifo_[(fifo_first_ + fifo_count_) % kFifoSize] = value;
  ++fifo_count_;
  restart_timeout();
}

void Uart16550::restart_timeout() {
  if (fifos_enabled() && fifo_count_ > 0 && !timeout_interrupt_) {
    timeout_.arm(timeout_.clock().now() + 4 * character_time());
  } else {
    timeout_.disarm();
  }
}

void Uart16550::driver_settled() {
  std::lock_guard lock(mutex_);
  settled_ = interrupt_enable_ & kErbfi;
  backend_.resume();
}

void Uart16550::timed_out() {
  std::lock_guard lock(mutex_);
  if (!fifos_enabled() || fifo_count_ == 0) return;
  timeout_interrupt_ = true;
  update_line();
}

std::size_t Uart16550::room() {
  std::lock_guard lock(mutex_);
  const bool takes = listening() && !loopback() && fifo_count_ < capacity();
  return takes ? capacity() - fifo_count_ : 0;
}

void Uart16550::receive(std::span<const u8> bytes) {
  std::lock_guard lock(mutex_);
  for (u8 byte : bytes) store(byte);
  update_line();
}

}  // namespace kite
