// FullMachine as a monitor sees it.
#include "machine/full_machine.h"

namespace kite {

MonitorTarget::Status FullMachine::status() {
  Status status;
  status.stopped = stopped_;
  status.asleep = control_.asleep();
  status.board = config_.machine;
  status.accelerator = choice_.kind->name;
  status.accelerator_reason = choice_.reason;
  status.vcpus = config_.cpus;
  for (auto& processor : processors_) status.halted_vcpus += processor->thread().is_halted();
  status.uptime = clock_.now() - started_;
  status.resets = resets_;
  for (auto& vcpu : vcpus_) {
    if (std::optional<u64> executed = vcpu->instructions())
      status.instructions = status.instructions.value_or(0) + *executed;
    status.fall_backs = status.fall_backs.value_or(0) + vcpu->fall_backs();
  }
  return status;
}

std::vector<MonitorTarget::VcpuStatus> FullMachine::vcpus() {
  std::vector<VcpuStatus> list;
  park_vcpus();
  for (std::size_t i = 0; i < vcpus_.size(); ++i) {
    const VcpuThread& thread = processors_[i]->thread();
    list.push_back({vcpus_[i]->state(), thread.is_halted(), thread.is_dead(), control_.asleep()});
  }
  resume_vcpus(false);
  return list;
}

void FullMachine::stop_vcpus() {
  park_vcpus();
  stopped_ = true;
}

void FullMachine::continue_vcpus() {
  stopped_ = false;
  resume_vcpus(false);
}

void FullMachine::reset_machine() {
  restart();
}

bool FullMachine::wake_machine() {
  return control_.request_wake();
}

void FullMachine::quit() {
  request_stop(0);
}

bool FullMachine::ends() const {
  return stop_signal_.load() != kNoSignal || control_.ending();
}

void FullMachine::park_vcpus() {
  for (auto& processor : processors_) processor->thread().park();
}

// While a monitor has stopped them, or the guest sleeps, they stay where they are, and begin anew
// once they go on.
void FullMachine::resume_vcpus(bool new_state) {
  new_state_waits_ |= new_state;
  if (stopped_ || control_.asleep()) return;
  const bool anew = std::exchange(new_state_waits_, false);
  for (auto& processor : processors_) processor->thread().resume(anew);
}

}  // namespace kite
