#include "machine/processor.h"

#include "base/bits.h"

namespace kite {

LocalApicWiring& Processor::wiring(InterruptSources sources) {
  sources_ = std::move(sources);
  return *this;
}

std::optional<u8> Processor::acknowledge_external() {
  return sources_.acknowledge_external ? sources_.acknowledge_external() : std::nullopt;
}

void Processor::end_of_interrupt(u8 vector) {
  if (sources_.end_of_interrupt) sources_.end_of_interrupt(vector);
}

void Processor::apic_base_changed(u64 apic_base) {
  if (window_ != nullptr) window_->moved(thread_.index(), apic_base);
}

LocalApicWindow::LocalApicWindow(AddressSpace& memory, Gpa home,
                                 const std::vector<LocalApic*>& apics, BoardInterrupts& interrupts)
    : memory_(memory), home_(home), interrupts_(interrupts) {
  for (LocalApic* apic : apics) {
    places_.push_back(std::make_unique<Place>(*this, *apic, home));
    places_.back()->region = Region::mmio("local-apic", LocalApic::kSize, *places_.back());
  }
}

bool LocalApicWindow::is_processor() const {
  VcpuThread* vcpu = VcpuThread::current();
  return vcpu != nullptr && vcpu->index() < places_.size();
}

IoHandler* LocalApicWindow::target(Gpa page) {
  if (!is_processor() || interrupts_.away()) return nullptr;
  Place& own = *places_[VcpuThread::current()->index()];
  return own.page == page ? &own.apic : nullptr;
}

u64 LocalApicWindow::read(u64 offset, unsigned size) {
  IoHandler* handler = target(home_);
  return handler ? handler->read(offset, size) : mask_of_bytes(size);
}

// SDM 3A 11.11: a bus master's write is an MSI, if it is a doubleword; bits 15 and 14 of the data
// can take a level back, which means nothing to a local APIC.
void LocalApicWindow::write(u64 offset, u64 value, unsigned size) {
  if (!is_processor()) {
    const bool deassert = (value & bit(15)) != 0 && (value & bit(14)) == 0;
    if (size >= 4 && !deassert) interrupts_.send_msi(home_ + offset, static_cast<u32>(value));
  } else if (IoHandler* handler = target(home_)) {
    handler->write(offset, value, size);
  }
}

u64 LocalApicWindow::Place::read(u64 offset, unsigned size) {
  IoHandler* handler = window.target(page);
  return handler ? handler->read(offset, size) : mask_of_bytes(size);
}

void LocalApicWindow::Place::write(u64 offset, u64 value, unsigned size) {
  if (IoHandler* handler = window.target(page)) handler->write(offset, value, size);
}

void LocalApicWindow::moved(unsigned index, u64 apic_base) {
  constexpr int kAboveEverything = 100;
  constexpr u64 kFlags = LocalApic::kSize - 1;
  if (index >= places_.size()) return;
  Place& place = *places_[index];
  const Gpa page = apic_base & ~kFlags;
  std::lock_guard lock(mutex_);
  if (place.page.exchange(page) == page) return;
  AddressSpace::Edit edit(memory_);
  if (place.mapped) edit.unmap(*place.mapped);
  place.mapped.reset();
  if (page != home_)
    place.mapped = edit.map({.start = page,
                             .size = LocalApic::kSize,
                             .region = place.region,
                             .priority = kAboveEverything});
}

}  // namespace kite
