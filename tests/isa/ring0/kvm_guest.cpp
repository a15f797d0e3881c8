#include "tests/isa/ring0/kvm_guest.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "accel/kvm/abi.h"
#include "accel/kvm/cpuid.h"
#include "accel/kvm/state_transfer.h"
#include "accel/x86/registers.h"
#include "memory/backend.h"

namespace kite::ring0 {
namespace {

constexpr u64 kApicBase = 0xfee00900;  // enabled, boot processor

// SIGALRM, ten times a second, gets KVM_RUN to come back: the second one during a case ends it.
void set_alarm(bool on) {
  struct sigaction action {};
  action.sa_handler = on ? [](int) {} : SIG_DFL;  // no SA_RESTART
  const itimerval timer{.it_interval = {0, on * 100'000}, .it_value = {0, on * 100'000}};
  if (on) ::sigaction(SIGALRM, &action, nullptr);
  ::setitimer(ITIMER_REAL, &timer, nullptr);
  if (!on) ::sigaction(SIGALRM, &action, nullptr);
}

std::string exit_name(const kvm_run& run) {
  switch (run.exit_reason) {
    case KVM_EXIT_INTERNAL_ERROR:
      return fmt::format("internal error {}", u32{run.internal.suberror});
    case KVM_EXIT_MMIO:
      return "memory that is not there";
    case KVM_EXIT_FAIL_ENTRY:
      return "the processor refuses the state";
    default:
      return fmt::format("exit {}", u32{run.exit_reason});
  }
}

}  // namespace

Result<std::unique_ptr<KvmRunner>> KvmRunner::create(const CpuModel& wanted) {
  kvm::Device device = KITE_TRY(kvm::open_device("/dev/kvm"));
  std::vector<std::string_view> missing;
  CpuModel model = KITE_TRY(kvm::usable_model(device, wanted, false, missing));
  HostMemory ram = KITE_TRY(allocate(*parse_backend("ram,size=96K")));
  std::unique_ptr<KvmRunner> runner(
      new KvmRunner(std::move(device), std::move(model), std::move(ram)));
  KITE_CHECK(runner->set_up());
  set_alarm(true);
  return runner;
}

KvmRunner::KvmRunner(kvm::Device device, CpuModel model, HostMemory ram)
    : device_(std::move(device)), model_(std::move(model)), ram_(std::move(ram)) {
  // Both would have to be switched on.
  device_.capabilities.exception_payload = device_.capabilities.triple_fault_event = false;
}

KvmRunner::~KvmRunner() {
  set_alarm(false);
}

Result<> KvmRunner::set_up() {
  const auto cannot = [](const char* what) {
    return fail_errno(ErrorKind::kUnavailable, errno, fmt::format("KVM cannot {}", what));
  };
  vm_ = UniqueFd(::ioctl(device_.fd.get(), KVM_CREATE_VM, 0));
  if (!vm_.valid()) return cannot("make a virtual machine");
  u64 identity = 0xfeffc000;
  ::ioctl(vm_.get(), KVM_SET_IDENTITY_MAP_ADDR, &identity);
  if (::ioctl(vm_.get(), KVM_SET_TSS_ADDR, 0xfeffd000) < 0) return cannot("place its TSS");
  KITE_CHECK(map_memory(true));
  vcpu_ = UniqueFd(::ioctl(vm_.get(), KVM_CREATE_VCPU, 0));
  if (!vcpu_.valid()) return cannot("make a processor");
  page_.emplace(KITE_TRY(kvm::RunPage::map(vcpu_.get(), device_.run_size)));
  const int khz = ::ioctl(vcpu_.get(), KVM_GET_TSC_KHZ, 0);
  kvm::CpuidTable cpuid = kvm::cpuid_of(model_, {.apic_id = 0}, khz > 0 ? static_cast<u64>(khz) : 1'000'000);
  if (::ioctl(vcpu_.get(), KVM_SET_CPUID2, &cpuid.raw()) < 0) return cannot("take the CPU model");
  transfer_.emplace(vcpu_.get(), device_);
  transfer_->find_registers(vm_.get());
  return {};
}

Result<> KvmRunner::map_memory(bool present) {
  kvm_userspace_memory_region region{};
  region.memory_size = present ? kRamSize : 0;
  region.userspace_addr = reinterpret_cast<u64>(ram_.data());
  if (::ioctl(vm_.get(), KVM_SET_USER_MEMORY_REGION, &region) >= 0) return {};
  return fail_errno(ErrorKind::kUnavailable, errno, "KVM cannot take memory");
}

// A new CR3 has the processor flush its TLB. A KVM that shadows the guest's page tables hears of
// the guest's stores to them, but not of this process's: it forgets them with the memory.
bool KvmRunner::forget_translations(const Case& test) {
  const std::size_t size = kRamSize - kPml4;
  if (std::memcmp(test.ram.data() + kPml4, ram_.data() + kPml4, size) != 0) {
    if (!map_memory(false) || !map_memory(true)) return false;
    std::memcpy(ram_.data() + kPml4, test.ram.data() + kPml4, size);
  }
  kvm_sregs sregs{};
  ::ioctl(vcpu_.get(), KVM_GET_SREGS, &sregs);
  sregs.cr3 = test.state.cr3 ^ 0x1000;
  ::ioctl(vcpu_.get(), KVM_SET_SREGS, &sregs);
  return true;
}

bool KvmRunner::load(const Case& test, Outcome& outcome) {
  if (!forget_translations(test)) {
    outcome.end = End::kUnjudged;
    outcome.reason = "KVM does not take its memory again";
    return false;
  }
  std::copy(test.ram.begin(), test.ram.end(), ram_.data());
  page_->run().cr8 = 0;
  const kvm::ApicRegisters apic{.base = kApicBase};
  if (const auto set = transfer_->write(test.state, &apic, false); !set) {
    outcome.end = End::kUnjudged;
    outcome.reason = set.error().message;
    return false;
  }
  return true;
}

void KvmRunner::run(const Case& test, Outcome& outcome) {
  outcome.reason.clear();
  if (!load(test, outcome)) return;
  kvm_run& run = page_->run();
  for (unsigned alarms = 0, exits = 0;;) {
    if (::ioctl(vcpu_.get(), KVM_RUN, 0) < 0) {
      if (errno == EINTR && ++alarms < 2) continue;
      outcome.end = End::kUnjudged;
      outcome.reason = errno == EINTR ? "no end in a tenth of a second"
                                      : fmt::format("KVM_RUN fails: {}", errno);
      break;
    }
    if (step(outcome)) break;
    if (++exits < 1000) continue;
    outcome.end = End::kUnjudged;
    outcome.reason = "a thousand exits";
    break;
  }
  if (run.exit_reason == KVM_EXIT_MMIO || run.exit_reason == KVM_EXIT_IO) finish_access();
  outcome.state = transfer_->read(true);
  outcome.ram.assign(ram_.data(), ram_.data() + kRamSize);
}

bool KvmRunner::step(Outcome& outcome) {
  kvm_run& run = page_->run();
  switch (run.exit_reason) {
    case KVM_EXIT_IO:  // nobody is there
      if (run.io.direction == KVM_EXIT_IO_IN)
        std::fill_n(page_->at(run.io.data_offset), run.io.size * run.io.count, u8{0xff});
      return false;
    case KVM_EXIT_SET_TPR:
    case KVM_EXIT_INTR:
      return false;
    case KVM_EXIT_HLT:
      return outcome.end = End::kHalted, true;
    case KVM_EXIT_SHUTDOWN:
      return outcome.end = End::kShutdown, true;
    default:
      break;
  }
  outcome.end = End::kUnjudged;
  outcome.reason = exit_name(run);
  return true;
}

// KVM completes an access when it is entered again, which must not be in the next case.
void KvmRunner::finish_access() {
  page_->run().immediate_exit = 1;
  ::ioctl(vcpu_.get(), KVM_RUN, 0);
  page_->run().immediate_exit = 0;
}

}  // namespace kite::ring0
