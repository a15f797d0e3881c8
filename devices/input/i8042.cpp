#include "devices/input/i8042.h"

#include <utility>

namespace kite {

namespace {

// IBM PS/2 hardware interface reference, "Keyboard/Auxiliary Device Controller".
enum : u8 {  // status register
  kOutputFull = 0x01,
  kSystemFlag = 0x04,
  kCommandLast = 0x08,
  kUnlocked = 0x10,
  kAuxiliaryFull = 0x20,
  kTimeOut = 0x40,
};
enum : u8 {  // command byte
  kEnableIrq1 = 0x01,
  kEnableIrq12 = 0x02,
  kCommandSystemFlag = 0x04,
  kDisableKeyboard = 0x10,
  kDisableAuxiliary = 0x20,
  kTranslate = 0x40,
};
enum : u8 {  // output port
  kNotReset = 0x01,
  kA20 = 0x02,
  kIrq12Port = 0x10,
  kIrq1Port = 0x20,
};
enum : u8 {  // commands at port 64h
  kReadRam = 0x20,
  kWriteRam = 0x60,
  kDisableAuxiliaryPort = 0xa7,
  kEnableAuxiliaryPort = 0xa8,
  kTestAuxiliaryPort = 0xa9,
  kSelfTest = 0xaa,
  kTestKeyboardPort = 0xab,
  kDisableKeyboardPort = 0xad,
  kEnableKeyboardPort = 0xae,
  kReadInputPort = 0xc0,
  kReadOutputPort = 0xd0,
  kWriteOutputPort = 0xd1,
  kWriteKeyboardBuffer = 0xd2,
  kWriteAuxiliaryBuffer = 0xd3,
  kWriteAuxiliaryDevice = 0xd4,
  kDisableA20 = 0xdd,
  kEnableA20 = 0xdf,
  kPulseOutputPort = 0xf0,  // F0h to FFh: the low bits that are 0 pulse
};
constexpr u8 kSelfTestPassed = 0x55;
constexpr u8 kPortTestPassed = 0x00;
constexpr u8 kInputPort = 0xa0;  // keyboard not locked, no manufacturing jumper
constexpr u8 kResend = 0xfe;

}  // namespace

u8 I8042::Port::read_byte(u64) {
  return is_command_ ? chip_.read_status() : chip_.read_data();
}

void I8042::Port::write_byte(u64, u8 value) {
  is_command_ ? chip_.write_command(value) : chip_.write_data(value);
}

I8042::I8042(Wires wires) : wires_(std::move(wires)) {
  clear_registers();
}

// As a PC's firmware leaves it: self test done, translation on, A20 open.
void I8042::clear_registers() {
  status_ = kSystemFlag | kUnlocked;
  command_byte_ = kCommandSystemFlag | kTranslate;
  output_port_ = kNotReset | kA20;
  output_buffer_ = pending_command_ = 0;
  ram_ = {};
}

void I8042::reset() {
  std::lock_guard lock(mutex_);
  clear_registers();
  update_lines();
  wires_.a20.raise();
}

void I8042::transfer(Archive& archive) {
  std::lock_guard lock(mutex_);
  archive.field("status", status_);
  archive.field("command_byte", command_byte_);
  archive.field("output_port", output_port_);
  archive.field("output_buffer", output_buffer_);
  archive.field("pending_command", pending_command_);
  archive.field("ram", ram_);
  if (archive.is_saving()) return;
  update_lines();
  wires_.a20.set(output_port_ & kA20);
}

u8 I8042::read_data() {
  std::lock_guard lock(mutex_);
  status_ &= static_cast<u8>(~(kOutputFull | kAuxiliaryFull | kTimeOut));
  update_lines();
  return output_buffer_;
}

u8 I8042::read_status() {
  std::lock_guard lock(mutex_);
  return status_;
}

void I8042::write_data(u8 value) {
  bool pull_reset = false;
  {
    std::lock_guard lock(mutex_);
    status_ &= static_cast<u8>(~kCommandLast);
    if (pending_command_) {
      pull_reset = take_argument(value);
    } else {
      command_byte_ &= static_cast<u8>(~kDisableKeyboard);  // sending enables the interface
      answer(kResend, false, true);                         // nobody there
    }
    update_lines();
  }
  if (pull_reset && wires_.on_reset) wires_.on_reset();
}

void I8042::write_command(u8 value) {
  bool pull_reset = false;
  {
    std::lock_guard lock(mutex_);
    status_ |= kCommandLast;
    pending_command_ = 0;
    pull_reset = execute(value);
    update_lines();
  }
  if (pull_reset && wires_.on_reset) wires_.on_reset();
}

bool I8042::execute(u8 command) {
  if (command >= kPulseOutputPort) return !(command & kNotReset);
  if (command >= kReadRam && command < kReadRam + 32) {
    answer(command == kReadRam ? command_byte_ : ram_[command & 31], false);
    return false;
  }
  if (command >= kWriteRam && command < kWriteRam + 32) {
    pending_command_ = command;
    return false;
  }
  switch (command) {
    case kDisableAuxiliaryPort:
      command_byte_ |= kDisableAuxiliary;
      break;
    case kEnableAuxiliaryPort:
      command_byte_ &= static_cast<u8>(~kDisableAuxiliary);
      break;
    case kDisableKeyboardPort:
      command_byte_ |= kDisableKeyboard;
      break;
    case kEnableKeyboardPort:
      command_byte_ &= static_cast<u8>(~kDisableKeyboard);
      break;
    case kTestAuxiliaryPort:
    case kTestKeyboardPort:
      answer(kPortTestPassed, false);
      break;
    case kSelfTest:
      command_byte_ |= kCommandSystemFlag | kDisableKeyboard | kDisableAuxiliary;
      status_ |= kSystemFlag;
      answer(kSelfTestPassed, false);
      break;
    case kReadInputPort:
      answer(kInputPort, false);
      break;
    case kReadOutputPort:
      answer(output_port_, false);
      break;
    case kWriteOutputPort:
    case kWriteKeyboardBuffer:
    case kWriteAuxiliaryBuffer:
    case kWriteAuxiliaryDevice:
      pending_command_ = command;
      break;
    case kDisableA20:
      return set_output_port(output_port_ & static_cast<u8>(~kA20));
    case kEnableA20:
      return set_output_port(output_port_ | kA20);
    default:
      break;  // not a command of this controller: ignored
  }
  return false;
}

bool I8042::take_argument(u8 value) {
  const u8 command = std::exchange(pending_command_, u8{0});
  switch (command) {
    case kWriteRam:
      command_byte_ = value;
      status_ = static_cast<u8>((status_ & ~kSystemFlag) |
                                (value & kCommandSystemFlag ? kSystemFlag : 0));
      return false;
    case kWriteOutputPort:
      return set_output_port(value);
    case kWriteKeyboardBuffer:
      answer(value, false);
      return false;
    case kWriteAuxiliaryBuffer:
      answer(value, true);
      return false;
    case kWriteAuxiliaryDevice:
      command_byte_ &= static_cast<u8>(~kDisableAuxiliary);
      answer(kResend, true, true);
      return false;
    default:
      ram_[command & 31] = value;
      return false;
  }
}

// Bits 4 and 5 follow the output buffer; the others are latches.
bool I8042::set_output_port(u8 value) {
  const bool a20_changed = (value ^ output_port_) & kA20;
  output_port_ = static_cast<u8>((value | kNotReset) & ~(kIrq1Port | kIrq12Port));
  if (a20_changed) wires_.a20.set(value & kA20);
  return !(value & kNotReset);
}

void I8042::answer(u8 value, bool auxiliary, bool timed_out) {
  output_buffer_ = value;
  status_ &= static_cast<u8>(~(kAuxiliaryFull | kTimeOut));
  status_ |= kOutputFull;
  if (auxiliary) status_ |= kAuxiliaryFull;
  if (timed_out) status_ |= kTimeOut;
}

void I8042::update_lines() {
  const bool full = status_ & kOutputFull;
  const bool auxiliary = status_ & kAuxiliaryFull;
  const bool irq1 = full && !auxiliary && (command_byte_ & kEnableIrq1);
  const bool irq12 = full && auxiliary && (command_byte_ & kEnableIrq12);
  output_port_ &= static_cast<u8>(~(kIrq1Port | kIrq12Port));
  output_port_ |= static_cast<u8>((irq1 ? kIrq1Port : 0) | (irq12 ? kIrq12Port : 0));
  wires_.irq1.set(irq1);
  wires_.irq12.set(irq12);
}

}  // namespace kite
