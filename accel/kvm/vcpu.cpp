#include "accel/kvm/vcpu.h"

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "accel/kvm/accelerator.h"
#include "accel/x86/msr.h"
#include "accel/x86/registers.h"

namespace kite::kvm {
namespace {

constexpr u64 kHasMcgCtl = 1 << 8;  // IA32_MCG_CAP.MCG_CTL_P

}  // namespace

Result<RunPage> RunPage::map(int vcpu_fd, std::size_t size) {
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_fd, 0);
  if (data == MAP_FAILED) {
    return fail_errno(ErrorKind::kUnavailable, errno, "KVM: a vCPU's shared page");
  }
  return RunPage(data, size);
}

RunPage::~RunPage() {
  if (data_) ::munmap(data_, size_);
}

Result<std::unique_ptr<Vcpu>> KvmVcpu::create(KvmAccelerator& accelerator, const VcpuConfig& config,
                                              UniqueFd fd) {
  RunPage page = KITE_TRY(RunPage::map(fd.get(), accelerator.device().run_size));
  std::unique_ptr<KvmVcpu> vcpu(new KvmVcpu(accelerator, config, std::move(fd), std::move(page)));
  KITE_CHECK(vcpu->set_up());
  return vcpu;
}

namespace {

VcpuConfig without_interrupts(VcpuConfig config, bool without) {
  if (without) config.interrupts = nullptr;
  return config;
}

}  // namespace

KvmVcpu::KvmVcpu(KvmAccelerator& accelerator, const VcpuConfig& config, UniqueFd fd, RunPage page)
    : accelerator_(accelerator),
      apic_in_kernel_(accelerator.chips() != nullptr),
      config_(without_interrupts(config, apic_in_kernel_)),
      fd_(std::move(fd)),
      page_(std::move(page)),
      run_(page_.run()),
      entrance_(accelerator.gate(), run_),
      transfer_(fd_.get(), accelerator.device()) {}

Result<> KvmVcpu::set_up() {
  const u64 tsc_khz = choose_tsc_khz();
  tsc_hz_ = tsc_khz * 1000;
  accelerator_.tsc_is(tsc_khz);
  CpuidTable cpuid =
      cpuid_of(*accelerator_.model(), {.apic_id = config_.apic_id, .cpus = config_.cpus}, tsc_khz);
  if (::ioctl(fd_.get(), KVM_SET_CPUID2, &cpuid.raw()) < 0) {
    return fail_errno(ErrorKind::kUnavailable, errno,
                      fmt::format("KVM refuses CPU model '{}'", accelerator_.model()->name));
  }
  // As many banks as X86State has; it begins with all of them enabled, X86State with none.
  u64 machine_check = X86State::kMachineCheckBanks | kHasMcgCtl;
  ::ioctl(fd_.get(), KVM_X86_SETUP_MCE, &machine_check);
  transfer_.find_registers(accelerator_.vm_fd());
  return set_state(X86State::after_reset());
}

// The model's frequency where KVM can scale the counter, else the host's. "host" has the host's.
// What KVM then says it is, is what the guest is told.
u64 KvmVcpu::choose_tsc_khz() {
  const u64 wanted = accelerator_.model()->tsc_hz / 1000;
  if (accelerator_.device().capabilities.tsc_control && !accelerator_.model()->from_host)
    ::ioctl(fd_.get(), KVM_SET_TSC_KHZ, wanted);
  int khz = ::ioctl(fd_.get(), KVM_GET_TSC_KHZ, 0);
  return khz > 0 ? static_cast<u64>(khz) : wanted;
}

void KvmVcpu::kick() {
  kicked_.store(true);
  entrance_.poke();
}

void KvmVcpu::signal(Signal signal, u32 argument) {
  switch (signal) {
    case Signal::kInterrupt:
      interrupt_.store(true);
      break;
    case Signal::kNmi:
      nmi_.store(true);
      break;
    case Signal::kInit:
      init_.store(true);
      break;
    case Signal::kSipi:
      sipi_.store((argument & 0xff) + 1);
      break;
  }
  entrance_.poke();
}

Result<Exit> KvmVcpu::run(Nanos deadline) {
  KITE_CHECK(timer_.use_this_thread());
  entrance_.begin();
  if (deadline != kNever) timer_.arm(deadline - accelerator_.clock().now());
  Step step;
  do {
    step = turn(deadline);
  } while (step && !*step);
  if (deadline != kNever) timer_.disarm();
  entrance_.end();
  if (!step) return tl::unexpected<Error>(std::move(step).error());
  return **step;
}

// One pass: requests, then guest code until KVM_RUN comes back, then what it came back for.
KvmVcpu::Step KvmVcpu::turn(Nanos deadline) {
  entrance_.clear();
  if (std::optional<Exit> leave = reason_to_leave(deadline)) {
    KITE_CHECK(finish_access());
    return leave;
  }
  KITE_CHECK(take_signals());
  if (std::optional<Exit> halted = wait_for_event()) return halted;
  if (accelerator_.slots().failed()) KITE_CHECK(accelerator_.slots().health());
  if (interrupt_waits_for_access()) {
    KITE_CHECK(finish_access());
    return std::nullopt;
  }
  offer_interrupt();
  return enter(deadline);
}

std::optional<Exit> KvmVcpu::reason_to_leave(Nanos deadline) {
  if (kicked_.load() && kicked_.exchange(false)) return Exit{Exit::Kind::kKicked};
  if (deadline != kNever && accelerator_.clock().now() >= deadline) {
    return Exit{Exit::Kind::kDeadline};
  }
  return std::nullopt;
}

Result<> KvmVcpu::take_signals() {
  if (apic_in_kernel()) {  // INIT and SIPI are KVM's
    if (nmi_.load() && nmi_.exchange(false)) ::ioctl(fd_.get(), KVM_NMI, 0);
    return {};
  }
  if (init_.load() && init_.exchange(false)) {
    KITE_CHECK(finish_access());
    X86State now = state();
    now.init(config_.index == 0);
    KITE_CHECK(load_state(now));
  }
  if (u32 sipi = sipi_.load(); sipi != 0) {
    sipi_.store(0);
    if (mp_state_ == MpState::kWaitForSipi) {
      X86State now = state();
      now.start_up(static_cast<u8>(sipi - 1));
      KITE_CHECK(load_state(now));
    }
  }
  if (nmi_.load() && mp_state_ != MpState::kWaitForSipi && nmi_.exchange(false)) {
    mp_state_ = MpState::kRunning;
    ::ioctl(fd_.get(), KVM_NMI, 0);
  }
  return {};
}

// A processor in HLT, or one that waits for SIPI, executes nothing.
std::optional<Exit> KvmVcpu::wait_for_event() {
  if (mp_state_ == MpState::kRunning) return std::nullopt;
  if (mp_state_ == MpState::kWaitForSipi) return Exit{Exit::Kind::kHalted, false};
  bool enabled = run_.if_flag != 0;
  if (enabled && config_.interrupts && config_.interrupts->pending()) {
    mp_state_ = MpState::kRunning;
    interrupt_.store(true);
    return std::nullopt;
  }
  return Exit{Exit::Kind::kHalted, enabled};
}

// An interrupt that the access has made, such as one the guest sends itself, is due before the next
// instruction. The window that offer_interrupt() asks for opens there, but a KVM that interprets
// looks for it only after a thousand more.
bool KvmVcpu::interrupt_waits_for_access() {
  return access_open_ && run_.if_flag != 0 && config_.interrupts && interrupt_.load() &&
         config_.interrupts->pending();
}

// Gives KVM the waiting interrupt if the guest can take one now, else asks to be told when it can.
void KvmVcpu::offer_interrupt() {
  InterruptPort* port = config_.interrupts;
  if (!port) return;
  run_.cr8 = port->cr8();
  run_.request_interrupt_window = 0;
  if (!interrupt_.load() || !interrupt_.exchange(false) || !port->pending()) return;
  interrupt_.store(true);  // ask again next time: there may be more
  run_.request_interrupt_window = 1;
  if (!run_.ready_for_interrupt_injection || !run_.if_flag || access_open_) return;
  if (std::optional<u8> vector = port->acknowledge()) {
    kvm_interrupt interrupt{.irq = *vector};
    ::ioctl(fd_.get(), KVM_INTERRUPT, &interrupt);
    run_.ready_for_interrupt_injection = 0;
  }
  run_.request_interrupt_window = port->pending();
}

KvmVcpu::Step KvmVcpu::enter(Nanos deadline) {
  if (!entrance_.enter()) return std::nullopt;
  int result = ::ioctl(fd_.get(), KVM_RUN, 0);
  int error_number = errno;
  entrance_.leave();
  access_open_ = false;
  if (config_.interrupts && run_.cr8 != config_.interrupts->cr8()) {
    config_.interrupts->set_cr8(static_cast<u8>(run_.cr8));
  }
  if (result < 0) return failed_to_run(error_number, deadline);
  return handle_exit();
}

KvmVcpu::Step KvmVcpu::failed_to_run(int error_number, Nanos deadline) {
  if (error_number == EINTR || error_number == EAGAIN) {
    // The timer runs once, and on the host's time; the deadline is the Clock's.
    if (deadline != kNever) timer_.arm(deadline - accelerator_.clock().now());
    return std::nullopt;
  }
  if (error_number == EFAULT) {
    return fail(ErrorKind::kIo, "KVM: vCPU {}: guest memory could not be read from its back end",
                config_.index);
  }
  return fail_errno(ErrorKind::kInternal, error_number,
                    fmt::format("KVM: vCPU {} does not run", config_.index));
}

// An access that was served reaches the guest's registers with the next KVM_RUN; this one ends
// before it executes anything. An access across pages comes in pieces, each of which is served.
Result<> KvmVcpu::finish_access() {
  for (int pieces = 0; access_open_ && pieces < 64; ++pieces) {
    access_open_ = false;
    while (!entrance_.enter()) continue;
    entrance_.set_immediate();
    int result = ::ioctl(fd_.get(), KVM_RUN, 0);
    const int error_number = errno;
    entrance_.leave();
    if (result < 0 && error_number != EINTR && error_number != EAGAIN) {
      return fail_errno(ErrorKind::kInternal, error_number, "KVM does not complete an access");
    }
    if (result < 0) break;
    Step step = handle_exit();
    if (!step) return tl::unexpected<Error>(std::move(step).error());
  }
  entrance_.clear();
  return {};
}

}  // namespace kite::kvm
