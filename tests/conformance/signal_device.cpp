#include "tests/conformance/signal_device.h"

#include <poll.h>

#include "tests/guests/signal_ports.h"

namespace kite {
namespace {

constexpr u64 kMessageAddress = 0xfee00000;  // to the local APIC 0 (SDM 3A 11.11.1)

Result<std::shared_ptr<Notifier>> make_notifier() {
  return std::make_shared<Notifier>(KITE_TRY(Notifier::create()));
}

}  // namespace

Result<> SignalDevice::add(MachineBuild& machine) {
  auto& device = machine.chips().join<SignalDevice>(machine.event_interrupts());
  KITE_CHECK(device.start());
  return machine.ports("signal-device", signal_ports::kFirst, signal_ports::kCount, device);
}

Result<> SignalDevice::start() {
  for (auto* notifier : {&edge_, &message_, &marker_, &commanded_})
    *notifier = KITE_TRY(make_notifier());
  connections_.push_back(KITE_TRY(interrupts_.connect_edge(signal_ports::kEdgeWire, edge_)));
  message_id_ = KITE_TRY(
      interrupts_.connect_message({kMessageAddress, signal_ports::kFirstVector}, message_));
  connections_.push_back(message_id_);
  connections_.push_back(KITE_TRY(
      interrupts_.connect_message({kMessageAddress, signal_ports::kMarkerVector}, marker_)));
  for (unsigned unit = 0; unit < 2; ++unit) {
    Level& level = levels_[unit];
    level.event = KITE_TRY(make_notifier());
    level.resample = KITE_TRY(make_notifier());
    connections_.push_back(KITE_TRY(
        interrupts_.connect_level(signal_ports::kLevelWires[unit], level.event, level.resample)));
  }
  thread_ = std::thread([this] { serve(); });
  return {};
}

SignalDevice::~SignalDevice() {
  if (thread_.joinable()) {
    ended_.store(true);
    commanded_->signal();
    thread_.join();
  }
  for (EventInterrupts::Id id : connections_) interrupts_.disconnect(id);
}

u8 SignalDevice::Level::take() {
  std::lock_guard lock(mutex);
  return work != 0 ? --work : 0;
}

void SignalDevice::Level::give(u8 pieces) {
  std::lock_guard lock(mutex);
  work = pieces;
  ends.store(0);
}

void SignalDevice::Level::signal_work() {
  std::lock_guard lock(mutex);
  if (work != 0) event->signal();
}

u64 SignalDevice::read(u64 offset, unsigned) {
  const u64 port = signal_ports::kFirst + offset;
  if (port == signal_ports::kIdentity) return signal_ports::kPresent;
  if (port == signal_ports::kUndone) return undone_.load();
  for (unsigned unit = 0; unit < 2; ++unit) {
    Level& level = levels_[unit];
    if (port == signal_ports::kEnds[unit]) return level.ends.load();
    if (port == signal_ports::kWork[unit]) return level.take();
  }
  return 0;
}

void SignalDevice::write(u64 offset, u64 value, unsigned) {
  ++undone_;
  std::lock_guard lock(mutex_);
  commands_.push_back({signal_ports::kFirst + offset, static_cast<u8>(value)});
  commanded_->signal();
}

std::optional<SignalDevice::Command> SignalDevice::next_command() {
  std::lock_guard lock(mutex_);
  if (commands_.empty()) return std::nullopt;
  const Command command = commands_.front();
  commands_.pop_front();
  return command;
}

void SignalDevice::carry_out(const Command& command) {
  if (command.port == signal_ports::kEdge) edge_->signal();
  if (command.port == signal_ports::kMessage) message_->signal();
  if (command.port == signal_ports::kMarker) marker_->signal();
  if (command.port == signal_ports::kVector)
    static_cast<void>(interrupts_.change_message(message_id_, {kMessageAddress, command.value}));
  if (command.port == signal_ports::kMasked)
    static_cast<void>(interrupts_.set_masked(message_id_, command.value != 0));
  for (unsigned unit = 0; unit < 2; ++unit) {
    if (command.port != signal_ports::kWork[unit]) continue;
    levels_[unit].give(command.value);
    levels_[unit].signal_work();
  }
}

void SignalDevice::serve() {
  while (!ended_.load()) {
    pollfd waits[] = {{commanded_->fd(), POLLIN, 0},
                      {levels_[0].resample->fd(), POLLIN, 0},
                      {levels_[1].resample->fd(), POLLIN, 0}};
    if (::poll(waits, std::size(waits), -1) < 0) continue;
    for (Level& level : levels_) {
      if (level.resample->take() == 0) continue;
      ++level.ends;
      level.signal_work();
    }
    commanded_->take();
    while (auto command = next_command()) {
      carry_out(*command);
      --undone_;
    }
  }
}

}  // namespace kite
