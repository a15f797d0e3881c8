#include "accel/kvm/derived_memory.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "accel/kvm/abi.h"
#include "accel/kvm/requests.h"
#include "base/bits.h"
#include "base/unique_fd.h"

namespace kite::kvm {
namespace {

bool is_on(const FixedName& parameter) {
  const UniqueFd file(::open(parameter.c_str(), O_RDONLY | O_CLOEXEC));
  char value = 'N';
  return file.valid() && ::read(file.get(), &value, 1) == 1 && (value == 'Y' || value == '1');
}

}  // namespace

bool shadows_page_tables() {
  return !is_on(ept_parameter()) && !is_on(npt_parameter());
}

// KVM drops all of them when it deletes a slot, whichever (Linux Documentation/virt/kvm/api.rst,
// KVM_X86_QUIRK_SLOT_ZAP_ALL). So one comes and goes, where no board maps anything.
void forget_shadow_pages(int vm_fd, u32 slot) {
  alignas(kPageSize) static u8 page[kPageSize];
  kvm_userspace_memory_region region{};
  region.slot = slot;
  region.guest_phys_addr = 0xfeffb000;
  region.memory_size = kPageSize;
  region.userspace_addr = reinterpret_cast<u64>(page);
  if (::ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0) return;
  region.memory_size = 0;
  ::ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region);
}

}  // namespace kite::kvm
