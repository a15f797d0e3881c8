#include "devices/pci/isa_bridge_82371sb.h"

#include "base/bits.h"

namespace kite {

namespace {

constexpr u8 kCommand = 0x04, kIort = 0x4c, kXbcs = 0x4e, kPirqrc = 0x60, kTom = 0x69;
constexpr u8 kRoutingDisabled = 0x80;
// 2.2.13: 0, 1, 2, 8 and 13 are reserved.
constexpr u16 kRoutable = 0xdef8;

constexpr PciFunction::Identity kIdentity{
    .device = 0x7000, .class_code = 0x060100, .multi_function = true};

}  // namespace

IsaBridge82371sb::IsaBridge82371sb(Irqs irqs) : PciFunction(kIdentity), irqs_(std::move(irqs)) {
  define(kCommand, 0x07, 0x08);
  define(kIort, 0x4d, 0x7f);
  define(kXbcs, 0x03, 0xff);
  define(kXbcs + 1, 0x00, 0x01);
  for (u8 i = 0; i < kPirqs; ++i) define(kPirqrc + i, kRoutingDisabled, 0x8f);
  define(kTom, 0x02, 0xfe);
}

void IsaBridge82371sb::set_pirq(unsigned pirq, unsigned source, bool asserted) {
  if (pirq >= kPirqs || source >= 32) return;
  {
    std::lock_guard lock(lines_mutex_);
    u32& sources = asserted_[pirq];
    sources = static_cast<u32>((sources & ~bit(source)) | (asserted ? bit(source) : 0));
  }
  config_changed();
}

void IsaBridge82371sb::reset() {
  {
    std::lock_guard lock(lines_mutex_);
    asserted_.fill(0);
  }
  PciFunction::reset();
}

void IsaBridge82371sb::transfer(Archive& archive) {
  {
    std::lock_guard lock(lines_mutex_);
    archive.field("asserted", asserted_);
  }
  PciFunction::transfer(archive);
}

void IsaBridge82371sb::config_changed() {
  std::lock_guard lock(lines_mutex_);
  u16 wanted = 0;
  for (u8 i = 0; i < kPirqs; ++i) {
    const u8 route = config(kPirqrc + i);
    if (asserted_[i] != 0 && !(route & kRoutingDisabled))
      wanted = static_cast<u16>(wanted | (1u << (route & 0x0f)));
  }
  wanted &= kRoutable;
  for (unsigned irq = 0; irq < irqs_.size(); ++irq)
    if ((wanted ^ driven_) >> irq & 1) irqs_[irq].set(wanted >> irq & 1);
  driven_ = wanted;
}

}  // namespace kite
