#include "machine/processor.h"

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

IoHandler& LocalApicWindow::target() {
  VcpuThread* vcpu = VcpuThread::current();
  if (vcpu == nullptr || vcpu->index() >= apics_.size()) return bus_;
  return *apics_[vcpu->index()];
}

}  // namespace kite
