#include "accel/kvm/doorbells.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "accel/kvm/abi.h"
#include "base/log.h"

namespace kite::kvm {

void Doorbells::memory_changed(const FlatView&, const FlatView& after) {
  change(memory_, after.doorbells(), 0);
}

void Doorbells::doorbells_changed(const std::vector<PlacedDoorbell>& doorbells) {
  change(ports_, doorbells, KVM_IOEVENTFD_FLAG_PIO);
}

// First what goes, since KVM takes no two that one store would ring.
void Doorbells::change(List& current, const List& wanted, u32 flags) {
  std::erase_if(current, [&](const PlacedDoorbell& bell) {
    if (std::ranges::find(wanted, bell) != wanted.end()) return false;
    assign(bell, flags | KVM_IOEVENTFD_FLAG_DEASSIGN);
    return true;
  });
  for (const PlacedDoorbell& bell : wanted) {
    if (bell.doorbell.size == 0 && !any_length_) continue;
    if (std::ranges::find(current, bell) != current.end()) continue;
    if (assign(bell, flags)) current.push_back(bell);
  }
}

bool Doorbells::assign(const PlacedDoorbell& bell, u32 flags) {
  if (ended_) return false;
  kvm_ioeventfd request{};
  request.addr = bell.address;
  request.len = bell.doorbell.size;
  request.fd = bell.doorbell.notifier->fd();
  request.flags = flags;
  if (bell.doorbell.value) {
    request.datamatch = *bell.doorbell.value;
    request.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
  }
  if (::ioctl(vm_fd_, KVM_IOEVENTFD, &request) >= 0) return true;
  log::debug("KVM does not ring the doorbell at {:#x}: {}", bell.address, std::strerror(errno));
  return false;
}

}  // namespace kite::kvm
