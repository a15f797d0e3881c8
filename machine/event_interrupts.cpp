#include "machine/event_interrupts.h"

#include <atomic>

namespace kite {

struct MachineEventInterrupts::Connection {
  unsigned wire = 0;  // or, for a message in the kernel, its number there
  std::optional<Message> message = {};
  std::shared_ptr<Notifier> event = {};
  std::shared_ptr<Notifier> resample = {};  // of a level
  bool masked = false;
  bool asserted = false;  // a level, with the loop
  bool watched = false;   // by the loop
  bool attached = false;  // to the kernel
  bool numbered = false;  // a message that the kernel has given a number
};

// Held by the object and, weakly, by what waits in the loop.
struct MachineEventInterrupts::State : std::enable_shared_from_this<State> {
  State(EventLoop& event_loop, Controllers the_controllers)
      : loop(event_loop), controllers(std::move(the_controllers)) {}

  EventLoop& loop;
  const Controllers controllers;
  std::atomic<bool> has_levels{false};  // stays: whether ended() can concern anybody
  std::mutex mutex;                     // guards everything below
  std::map<Id, Connection> connections;
  Id next_id = 1;
  InterruptEvents* kernel = nullptr;

  Connection* find(Id id) {
    const auto found = connections.find(id);
    return found == connections.end() ? nullptr : &found->second;
  }

  // Brings a connection to where it should be: watched, attached, or neither.
  Result<> place(Id id, Connection& connection) {
    watch(id, connection, !kernel && !connection.masked);
    return kernel ? attach(connection, !connection.masked) : Result<>();
  }

  void watch(Id id, Connection& connection, bool wanted) {
    if (std::exchange(connection.watched, wanted) == wanted) return;
    // The event is kept open until the loop has let go of it.
    loop.post([weak = weak_from_this(), &loop = loop, id, wanted, event = connection.event] {
      if (!wanted) return loop.unwatch(event->fd());
      loop.watch(event->fd(), POLLIN, [weak, id, event](short) {
        if (auto state = weak.lock()) state->signalled(id);
      });
    });
  }

  Result<> attach(Connection& connection, bool wanted) {
    if (!wanted) {
      if (std::exchange(connection.attached, false))
        kernel->detach(connection.wire, *connection.event);
      return {};
    }
    if (connection.message && !connection.numbered) {
      connection.wire =
          KITE_TRY(kernel->add_message(connection.message->address, connection.message->data));
      connection.numbered = true;
    }
    if (connection.attached) return {};
    KITE_CHECK(kernel->attach(connection.wire, *connection.event, connection.resample.get()));
    connection.attached = true;
    return {};
  }

  void leave_kernel(Connection& connection) {
    if (!kernel) return;
    static_cast<void>(attach(connection, false));
    if (std::exchange(connection.numbered, false)) kernel->remove_message(connection.wire);
  }

  bool asserted(unsigned wire) const {
    for (const auto& [id, connection] : connections)
      if (!connection.message && connection.wire == wire && connection.asserted) return true;
    return false;
  }

  void lower(Connection& connection) {
    if (!std::exchange(connection.asserted, false)) return;
    if (!asserted(connection.wire)) controllers.set_wire(connection.wire, false);
  }

  // On the loop's thread.
  void signalled(Id id) {
    std::lock_guard lock(mutex);
    Connection* connection = find(id);
    if (!connection || !connection->watched || connection->event->take() == 0) return;
    if (connection->message) {
      controllers.send_message(connection->message->address, connection->message->data);
    } else {
      controllers.set_wire(connection->wire, true);
      if (connection->resample)
        connection->asserted = true;
      else
        controllers.set_wire(connection->wire, false);
    }
  }
};

MachineEventInterrupts::MachineEventInterrupts(EventLoop& loop, Controllers controllers)
    : state_(std::make_shared<State>(loop, std::move(controllers))) {}

MachineEventInterrupts::~MachineEventInterrupts() {
  std::lock_guard lock(state_->mutex);
  for (auto& [id, connection] : state_->connections) {
    state_->watch(id, connection, false);
    state_->leave_kernel(connection);
  }
}

Result<EventInterrupts::Id> MachineEventInterrupts::connect(Connection connection) {
  if (!connection.message && connection.wire >= InterruptChips::kInterrupts)
    return fail(ErrorKind::kInternal, "there is no interrupt wire {}", connection.wire);
  if (connection.resample) state_->has_levels.store(true);
  std::lock_guard lock(state_->mutex);
  const Id id = state_->next_id++;
  Connection& placed = state_->connections[id] = std::move(connection);
  if (Result<> done = state_->place(id, placed); !done) {
    state_->leave_kernel(placed);
    state_->connections.erase(id);
    return tl::unexpected<Error>(std::move(done).error());
  }
  return id;
}

Result<EventInterrupts::Id> MachineEventInterrupts::connect_edge(unsigned wire,
                                                                 std::shared_ptr<Notifier> event) {
  return connect({.wire = wire, .event = std::move(event)});
}

Result<EventInterrupts::Id> MachineEventInterrupts::connect_level(
    unsigned wire, std::shared_ptr<Notifier> event, std::shared_ptr<Notifier> resample) {
  return connect({.wire = wire, .event = std::move(event), .resample = std::move(resample)});
}

Result<EventInterrupts::Id> MachineEventInterrupts::connect_message(
    const Message& message, std::shared_ptr<Notifier> event) {
  return connect({.message = message, .event = std::move(event)});
}

Result<> MachineEventInterrupts::change_message(Id id, const Message& message) {
  std::lock_guard lock(state_->mutex);
  Connection* connection = state_->find(id);
  if (!connection || !connection->message) return {};
  connection->message = message;
  if (!connection->numbered) return {};
  return state_->kernel->change_message(connection->wire, message.address, message.data);
}

Result<> MachineEventInterrupts::set_masked(Id id, bool masked) {
  std::lock_guard lock(state_->mutex);
  Connection* connection = state_->find(id);
  if (!connection) return {};
  connection->masked = masked;
  if (masked) state_->lower(*connection);
  return state_->place(id, *connection);
}

void MachineEventInterrupts::disconnect(Id id) {
  std::lock_guard lock(state_->mutex);
  Connection* connection = state_->find(id);
  if (!connection) return;
  state_->watch(id, *connection, false);
  state_->lower(*connection);
  state_->leave_kernel(*connection);
  state_->connections.erase(id);
}

void MachineEventInterrupts::ended(unsigned wire) {
  if (!state_->has_levels.load()) return;
  std::lock_guard lock(state_->mutex);
  if (state_->kernel) return;
  const bool was_up = state_->asserted(wire);
  for (auto& [id, connection] : state_->connections) {
    if (connection.message || connection.wire != wire || !connection.resample) continue;
    connection.asserted = false;
    connection.resample->signal();
  }
  if (was_up) state_->controllers.set_wire(wire, false);
}

Result<> MachineEventInterrupts::use(InterruptEvents* kernel) {
  std::lock_guard lock(state_->mutex);
  const auto move = [this](InterruptEvents* to) -> Result<> {
    for (auto& [id, connection] : state_->connections) {
      state_->lower(connection);
      state_->leave_kernel(connection);
    }
    state_->kernel = to;
    for (auto& [id, connection] : state_->connections) KITE_CHECK(state_->place(id, connection));
    return {};
  };
  Result<> moved = move(kernel);
  if (!moved) static_cast<void>(move(nullptr));
  for (auto& [id, connection] : state_->connections)
    if (connection.resample) connection.resample->signal();
  return moved;
}

}  // namespace kite
