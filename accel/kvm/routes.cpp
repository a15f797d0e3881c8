#include "accel/kvm/routes.h"

#include <sys/ioctl.h>

#include <cerrno>

#include "accel/kvm/irqchip.h"

namespace kite::kvm {
namespace {

// SDM 3A 11.11.1. What else a guest may have written there is no interrupt message, and KVM would
// refuse the whole table for it.
bool is_message(u64 address) {
  constexpr u64 kWindow = 0xfee00000, kWindowSize = 0x100000;
  return address - kWindow < kWindowSize;
}

kvm_irq_routing_entry message_route(unsigned number, u64 address, u32 data) {
  kvm_irq_routing_entry entry{};
  entry.gsi = number;
  entry.type = KVM_IRQ_ROUTING_MSI;
  entry.u.msi.address_lo = static_cast<u32>(address);
  entry.u.msi.data = data;
  return entry;
}

}  // namespace

Result<> EventRoutes::attach(unsigned number, const Notifier& event, const Notifier* resample) {
  kvm_irqfd request{};
  request.gsi = number;
  request.fd = static_cast<u32>(event.fd());
  if (resample) {
    request.flags = KVM_IRQFD_FLAG_RESAMPLE;
    request.resamplefd = static_cast<u32>(resample->fd());
  }
  if (::ioctl(vm_fd_, KVM_IRQFD, &request) >= 0) return {};
  return fail_errno(ErrorKind::kUnavailable, errno,
                    fmt::format("KVM does not take a descriptor for interrupt {}", number));
}

void EventRoutes::detach(unsigned number, const Notifier& event) {
  kvm_irqfd request{};
  request.gsi = number;
  request.fd = static_cast<u32>(event.fd());
  request.flags = KVM_IRQFD_FLAG_DEASSIGN;
  ::ioctl(vm_fd_, KVM_IRQFD, &request);
}

Result<unsigned> EventRoutes::add_message(u64 address, u32 data) {
  std::lock_guard lock(mutex_);
  unsigned number = InterruptChips::kInterrupts;
  while (messages_.contains(number)) ++number;
  if (number >= most_)
    return fail(ErrorKind::kUnavailable, "KVM on this host has {} numbers for interrupts, no more",
                most_);
  messages_[number] = {address, data};
  if (Result<> published = publish(); !published) {
    messages_.erase(number);
    return tl::unexpected<Error>(std::move(published).error());
  }
  return number;
}

Result<> EventRoutes::change_message(unsigned number, u64 address, u32 data) {
  std::lock_guard lock(mutex_);
  const auto found = messages_.find(number);
  if (found == messages_.end() || found->second == std::pair{address, data}) return {};
  found->second = {address, data};
  return publish();
}

void EventRoutes::remove_message(unsigned number) {
  std::lock_guard lock(mutex_);
  // A table that is only shorter is one that KVM has taken before.
  if (messages_.erase(number) != 0) static_cast<void>(publish());
}

Result<> EventRoutes::publish() {
  auto routes = chip_routes();
  for (const auto& [number, message] : messages_)
    if (is_message(message.first))
      routes.push_back(message_route(number, message.first, message.second));
  return set_routes(vm_fd_, routes);
}

}  // namespace kite::kvm
