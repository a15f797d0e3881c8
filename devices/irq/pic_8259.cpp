#include "devices/irq/pic_8259.h"

#include "base/bits.h"
#include "base/trace.h"

namespace kite {

namespace {

// 231468, figure 7 and 8: the command words. A0 = 0 and D4 = 1 is ICW1; A0 = 0 and D4 = 0, D3 tells
// OCW3 from OCW2.
constexpr u8 kIcw1 = 0x10;
constexpr u8 kIcw1Single = 0x02;
constexpr u8 kIcw1NeedsIcw4 = 0x01;
constexpr u8 kIcw4SpecialFullyNested = 0x10;
constexpr u8 kIcw4AutoEoi = 0x02;
constexpr u8 kOcw3 = 0x08;
constexpr u8 kOcw3EnableSpecialMask = 0x40;
constexpr u8 kOcw3SpecialMask = 0x20;
constexpr u8 kOcw3Poll = 0x04;
constexpr u8 kOcw3ReadRegister = 0x02;
constexpr u8 kOcw3ReadIsr = 0x01;

constexpr unsigned kCascade = 2;

// Interrupts that cannot be level triggered on a PC: timer, keyboard and cascade; RTC and FERR#.
constexpr u8 kMasterElcrMask = 0xF8;
constexpr u8 kSlaveElcrMask = 0xDE;

constexpr u8 one(unsigned ir) {
  return static_cast<u8>(1u << (ir & 7));
}

}  // namespace

void Pic8259::reset() {
  const u8 lines = lines_;
  *this = Pic8259(master_);
  lines_ = lines;
}

void Pic8259::transfer(Archive& archive) {
  archive.field("lines", lines_);
  archive.field("edges", edges_);
  archive.field("elcr", elcr_);
  archive.field("isr", in_service_);
  archive.field("imr", mask_);
  archive.field("vector_base", vector_base_);
  archive.field("lowest", lowest_);
  archive.field("next_icw", next_icw_);
  archive.field("single", single_);
  archive.field("needs_icw4", needs_icw4_);
  archive.field("auto_eoi", auto_eoi_);
  archive.field("rotate_on_auto_eoi", rotate_on_auto_eoi_);
  archive.field("special_fully_nested", special_fully_nested_);
  archive.field("special_mask", special_mask_);
  archive.field("read_isr", read_isr_);
  archive.field("polled", polled_);
  lowest_ &= 7;
  vector_base_ &= 0xF8;
}

Pic8259State Pic8259::state() const {
  Pic8259State state;
  state.lines = lines_;
  state.irr = requests();
  state.isr = in_service_;
  state.imr = mask_;
  state.elcr = elcr_;
  state.vector_base = vector_base_;
  state.lowest = lowest_;
  state.next_icw = next_icw_;
  state.needs_icw4 = needs_icw4_;
  state.auto_eoi = auto_eoi_;
  state.rotate_on_auto_eoi = rotate_on_auto_eoi_;
  state.special_fully_nested = special_fully_nested_;
  state.special_mask = special_mask_;
  state.read_isr = read_isr_;
  state.polled = polled_;
  return state;
}

void Pic8259::set_state(const Pic8259State& state) {
  *this = Pic8259(master_);
  set_elcr(state.elcr);
  lines_ = state.lines | state.irr;
  edges_ = static_cast<u8>(state.irr & ~elcr_);
  in_service_ = state.isr;
  mask_ = state.imr;
  vector_base_ = state.vector_base & 0xF8;
  lowest_ = state.lowest & 7;
  next_icw_ = state.next_icw;
  needs_icw4_ = state.needs_icw4;
  auto_eoi_ = state.auto_eoi;
  rotate_on_auto_eoi_ = state.rotate_on_auto_eoi;
  special_fully_nested_ = state.special_fully_nested;
  special_mask_ = state.special_mask;
  read_isr_ = state.read_isr;
  polled_ = state.polled;
}

// IRR. An edge counts only while the line stays up: the IR input must remain high until the first
// INTA (231468, "Interrupt sequence"), which is where the spurious IR7 comes from.
u8 Pic8259::requests() const {
  return static_cast<u8>(lines_ & (elcr_ | edges_));
}

// The IR with the highest priority in `set`, or -1. Priorities run downwards from lowest_ + 1.
int Pic8259::highest(u8 set) const {
  for (unsigned i = 1; i <= 8; ++i) {
    const unsigned ir = (lowest_ + i) & 7;
    if (set & one(ir)) return static_cast<int>(ir);
  }
  return -1;
}

// The IR that INT asks for, or -1. What is in service blocks its own level and those below; in the
// special mask mode, only where it is not masked.
int Pic8259::highest_request() const {
  const u8 waiting = requests() & static_cast<u8>(~mask_);
  const u8 blocking = special_mask_ ? static_cast<u8>(in_service_ & ~mask_) : in_service_;
  for (unsigned i = 1; i <= 8; ++i) {
    const unsigned ir = (lowest_ + i) & 7;
    const bool blocks = blocking & one(ir);
    // Special fully nested: the slave's further requests pass while one of them is in service.
    const bool nested = master_ && special_fully_nested_ && ir == kCascade;
    if ((waiting & one(ir)) && (!blocks || nested)) return static_cast<int>(ir);
    if (blocks) return -1;
  }
  return -1;
}

unsigned Pic8259::acknowledge() {
  const int request = highest_request();
  if (request < 0) return 7;
  const auto ir = static_cast<unsigned>(request);
  edges_ &= static_cast<u8>(~one(ir));
  if (!auto_eoi_) {
    in_service_ |= one(ir);
  } else {
    ended_ |= one(ir);
    if (rotate_on_auto_eoi_) lowest_ = static_cast<u8>(ir);
  }
  return ir;
}

void Pic8259::set_line(unsigned ir, bool level) {
  if (!level) {
    lines_ &= static_cast<u8>(~one(ir));
    edges_ &= static_cast<u8>(~one(ir));
    return;
  }
  if (!(lines_ & one(ir))) edges_ |= one(ir);
  lines_ |= one(ir);
}

void Pic8259::set_elcr(u8 value) {
  elcr_ = value & (master_ ? kMasterElcrMask : kSlaveElcrMask);
}

u8 Pic8259::read(bool a0) {
  if (polled_) return poll();
  if (a0) return mask_;
  return read_isr_ ? in_service_ : requests();
}

// 231468, "Poll command": the read after it is an INTA; D7 tells whether there was a request.
u8 Pic8259::poll() {
  polled_ = false;
  if (highest_request() < 0) return 0;
  return static_cast<u8>(0x80 | acknowledge());
}

void Pic8259::write(bool a0, u8 value) {
  if (a0) {
    if (next_icw_ != 0) {
      write_initialization(value);
    } else {
      mask_ = value;
    }
  } else if (value & kIcw1) {
    begin_initialization(value);
  } else if (value & kOcw3) {
    if (value & kOcw3EnableSpecialMask) special_mask_ = value & kOcw3SpecialMask;
    polled_ = value & kOcw3Poll;
    if (value & kOcw3ReadRegister) read_isr_ = value & kOcw3ReadIsr;
  } else {
    operate(value);
  }
}

// 231468, "ICW1": clears the edge sense, the IMR and the special mask mode; IR7 gets priority 7;
// status read is IRR; without IC4 the functions of ICW4 are off. LTIM is the ELCR's on a PC.
void Pic8259::begin_initialization(u8 icw1) {
  edges_ = 0;
  end(in_service_);
  mask_ = 0;
  lowest_ = 7;
  special_mask_ = false;
  read_isr_ = false;
  polled_ = false;
  auto_eoi_ = false;
  rotate_on_auto_eoi_ = false;
  special_fully_nested_ = false;
  single_ = icw1 & kIcw1Single;
  needs_icw4_ = icw1 & kIcw1NeedsIcw4;
  next_icw_ = 2;
}

void Pic8259::write_initialization(u8 value) {
  const u8 icw = next_icw_;
  next_icw_ = 0;
  if (icw == 2) {
    vector_base_ = value & 0xF8;
    if (!single_) {
      next_icw_ = 3;  // the wiring it describes is fixed on a PC
    } else if (needs_icw4_) {
      next_icw_ = 4;
    }
  } else if (icw == 3) {
    if (needs_icw4_) next_icw_ = 4;
  } else {
    special_fully_nested_ = value & kIcw4SpecialFullyNested;
    auto_eoi_ = value & kIcw4AutoEoi;
  }
}

// 231468, figure 8: R SL EOI and the level L2–L0.
void Pic8259::operate(u8 ocw2) {
  const unsigned level = ocw2 & 7;
  const u8 clearable = special_mask_ ? static_cast<u8>(in_service_ & ~mask_) : in_service_;
  const int served = highest(clearable);
  const unsigned command = ocw2 >> 5;
  switch (command) {
    case 0b000:  // rotate in automatic EOI mode: clear, set
    case 0b100:
      rotate_on_auto_eoi_ = command == 0b100;
      break;
    case 0b001:  // non-specific EOI, without and with rotation
    case 0b101:
      if (served < 0) break;
      end(one(static_cast<unsigned>(served)));
      if (command == 0b101) lowest_ = static_cast<u8>(served);
      break;
    case 0b011:  // specific EOI, without and with rotation
    case 0b111:
      end(one(level));
      if (command == 0b111) lowest_ = static_cast<u8>(level);
      break;
    case 0b110:  // set priority
      lowest_ = static_cast<u8>(level);
      break;
    default:  // 010: no operation
      break;
  }
}

void Pic8259::end(u8 irs) {
  ended_ |= in_service_ & irs;
  in_service_ &= static_cast<u8>(~irs);
}

Pic8259Pair::Pic8259Pair(Line intr) : intr_(std::move(intr)) {}

void Pic8259Pair::reset() {
  std::lock_guard lock(mutex_);
  master_.reset();
  slave_.reset();
  update();
}

void Pic8259Pair::transfer(Archive& archive) {
  std::lock_guard lock(mutex_);
  master_.transfer(archive);
  slave_.transfer(archive);
  if (!archive.is_saving()) update();
}

std::array<Pic8259State, 2> Pic8259Pair::state() {
  std::lock_guard lock(mutex_);
  return {master_.state(), slave_.state()};
}

void Pic8259Pair::set_state(const std::array<Pic8259State, 2>& state) {
  std::lock_guard lock(mutex_);
  master_.set_state(state[0]);
  slave_.set_state(state[1]);
  update();
}

void Pic8259Pair::set_irq(unsigned irq, bool level) {
  if (irq > 15 || irq == kCascade) return;
  std::lock_guard lock(mutex_);
  Pic8259& chip = irq < 8 ? master_ : slave_;
  chip.set_line(irq & 7, level);
  update();
}

u8 Pic8259Pair::acknowledge() {
  std::unique_lock lock(mutex_);
  const unsigned ir = master_.acknowledge();
  u8 vector = master_.vector(ir);
  if (ir == kCascade) vector = slave_.vector(acknowledge_slave());
  finish(std::move(lock));
  trace::write(trace::Category::kIrq, "8259: INTA of IR{} gives vector {:02x}", ir, vector);
  return vector;
}

// The slave drops INT when its request is taken, even if another one waits, so that the
// edge-triggered master sees the next.
unsigned Pic8259Pair::acknowledge_slave() {
  const unsigned ir = slave_.acknowledge();
  master_.set_line(kCascade, false);
  return ir;
}

// Whoever holds a wire up until the end of interrupt lets go of it before it is looked at.
void Pic8259Pair::finish(std::unique_lock<std::mutex> lock) {
  const unsigned low = master_.take_ended(), high = slave_.take_ended();
  if (unsigned ended = low | high << 8; ended != 0 && ended_) {
    lock.unlock();
    for (unsigned irq = 0; ended >> irq != 0; ++irq)
      if (ended >> irq & 1) ended_(irq);
    lock.lock();
  }
  update();
}

void Pic8259Pair::update() {
  master_.set_line(kCascade, slave_.interrupt());
  const bool level = master_.interrupt();
  if (level == intr_level_.load(std::memory_order_relaxed)) return;
  intr_level_.store(level, std::memory_order_release);
  intr_.set(level);
}

u8 Pic8259Pair::read_port(Ports::Kind kind, bool a0) {
  std::unique_lock lock(mutex_);
  if (kind == Ports::Kind::kElcr) return a0 ? slave_.elcr() : master_.elcr();
  Pic8259& chip = kind == Ports::Kind::kMaster ? master_ : slave_;
  // A poll is an acknowledgement.
  if (&chip == &slave_ && chip.polled()) master_.set_line(kCascade, false);
  const u8 value = chip.read(a0);
  finish(std::move(lock));
  return value;
}

void Pic8259Pair::write_port(Ports::Kind kind, bool a0, u8 value) {
  std::unique_lock lock(mutex_);
  if (kind == Ports::Kind::kElcr) {
    (a0 ? slave_ : master_).set_elcr(value);
  } else {
    (kind == Ports::Kind::kMaster ? master_ : slave_).write(a0, value);
  }
  finish(std::move(lock));
}

u8 Pic8259Pair::Ports::read_byte(u64 offset) {
  return pair_.read_port(kind_, offset & 1);
}

void Pic8259Pair::Ports::write_byte(u64 offset, u8 value) {
  pair_.write_port(kind_, offset & 1, value);
}

}  // namespace kite
