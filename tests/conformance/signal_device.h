// SignalDevice: a device in a thread of its own, whose interrupts come by descriptor, as those of a
// device in another process do. tests/guests/signal_ports.h has its ports.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/notifier.h"
#include "devices/irq/event_interrupts.h"
#include "machine/machine_build.h"
#include "memory/region.h"

namespace kite {

class SignalDevice : public IoHandler {
 public:
  // For MachineOutside::more_chips.
  static Result<> add(MachineBuild& machine);

  explicit SignalDevice(EventInterrupts& interrupts) : interrupts_(interrupts) {}
  ~SignalDevice() override;
  Result<> start();

  // On the vCPUs' threads: writes are carried out by the device's own, in their order.
  u64 read(u64 offset, unsigned size) override;
  void write(u64 offset, u64 value, unsigned size) override;

 private:
  struct Level {
    std::shared_ptr<Notifier> event, resample;
    std::mutex mutex;  // guards `work`: none is taken between the look at it and the signal
    u8 work = 0;
    std::atomic<u8> ends{0};
    u8 take();
    void give(u8 pieces);
    void signal_work();
  };
  struct Command {
    u64 port;
    u8 value;
  };

  void serve();
  void carry_out(const Command& command);
  std::optional<Command> next_command();

  EventInterrupts& interrupts_;
  std::vector<EventInterrupts::Id> connections_;
  std::shared_ptr<Notifier> edge_, message_, marker_, commanded_;
  EventInterrupts::Id message_id_ = 0;
  Level levels_[2];
  std::mutex mutex_;  // guards commands_
  std::deque<Command> commands_;
  std::atomic<u8> undone_{0};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace kite
