#include "memory/port_space.h"

#include <algorithm>

#include "base/bits.h"
#include "base/log.h"
#include "base/trace.h"

namespace kite {

namespace {

constexpr u32 kPorts = 0x10000;

log::Limiter unowned_lines{16};

void note_unowned(const char* what, u16 port) {
  if (log::enabled(log::Level::kDebug) && unowned_lines.allow())
    log::debug("guest {} port {:#x}, which nothing owns", what, port);
}

u64 last_of(const PortSpace::Entry& entry) {
  return u64{entry.first} + entry.count - 1;
}

}  // namespace

Result<> PortSpace::map(std::string name, u16 first, u32 count, IoHandler& handler) {
  if (count == 0 || first + u64{count} > kPorts)
    return fail(ErrorKind::kInternal, "ports of '{}': {} ports from {:#x} do not fit", name, count,
                first);
  Entry entry{std::move(name), first, count, &handler};
  auto next = std::find_if(entries_.begin(), entries_.end(),
                           [&](const Entry& other) { return last_of(other) >= first; });
  if (next != entries_.end() && next->first <= last_of(entry))
    return fail(ErrorKind::kInternal, "ports {:#x}-{:#x} of '{}' overlap {:#x}-{:#x} of '{}'",
                first, last_of(entry), entry.name, next->first, last_of(*next), next->name);
  entries_.insert(next, std::move(entry));
  return {};
}

const PortSpace::Entry* PortSpace::find(u16 port) const {
  auto after = std::upper_bound(entries_.begin(), entries_.end(), port,
                                [](u16 value, const Entry& entry) { return value < entry.first; });
  if (after == entries_.begin()) return nullptr;
  const Entry& entry = *std::prev(after);
  return port <= last_of(entry) ? &entry : nullptr;
}

u32 PortSpace::in(u16 port, unsigned size) {
  const Entry* entry = find(port);
  if (entry && u64{port} + size - 1 <= last_of(*entry)) {
    const u64 value = entry->handler->read(port - entry->first, size) & mask_of_bytes(size);
    trace::write(trace::Category::kPio, "in  {:#06x} ({}) size {} -> {:#x}", port, entry->name,
                 size, value);
    return static_cast<u32>(value);
  }
  if (size == 1) {
    note_unowned("reads", port);
    trace::write(trace::Category::kPio, "in  {:#06x} (nothing) size 1 -> 0xff", port);
    return 0xff;
  }
  u32 value = 0;
  for (unsigned i = 0; i < size; ++i) value |= in(static_cast<u16>(port + i), 1) << (8 * i);
  return value;
}

DoorbellId PortSpace::add_doorbell(Doorbell doorbell) {
  std::lock_guard lock(mutex_);
  doorbells_.emplace_back(next_id_, std::move(doorbell));
  publish_doorbells();
  return next_id_++;
}

void PortSpace::remove_doorbell(DoorbellId id) {
  std::lock_guard lock(mutex_);
  std::erase_if(doorbells_, [id](const auto& known) { return known.first == id; });
  publish_doorbells();
}

void PortSpace::add_listener(PortListener& listener) {
  std::lock_guard lock(mutex_);
  listeners_.push_back(&listener);
  listener.doorbells_changed(placed_ ? *placed_ : Doorbells());
}

void PortSpace::remove_listener(PortListener& listener) {
  std::lock_guard lock(mutex_);
  if (std::erase(listeners_, &listener) != 0) listener.doorbells_changed({});
}

void PortSpace::publish_doorbells() {
  static std::atomic<u64> last_generation{0};
  Doorbells placed;
  for (const auto& [id, doorbell] : doorbells_) placed.push_back({doorbell.offset, doorbell});
  placed_ = std::make_shared<const Doorbells>(in_order(std::move(placed)));
  for (PortListener* listener : listeners_) listener->doorbells_changed(*placed_);
  generation_.store(placed_->empty() ? 0 : last_generation.fetch_add(1) + 1,
                    std::memory_order_release);
}

bool PortSpace::rings(u16 port, unsigned size, u32 value) {
  const u64 now = generation_.load(std::memory_order_acquire);
  if (now == 0) return false;
  thread_local u64 held_generation = 0;
  thread_local std::shared_ptr<const Doorbells> held;
  if (held_generation != now) {
    std::lock_guard lock(mutex_);
    held = placed_;
    held_generation = now;
  }
  if (!ring(*held, port, size, value)) return false;
  trace::write(trace::Category::kPio, "out {:#06x} size {} <- {:#x} rings", port, size, value);
  return true;
}

void PortSpace::out(u16 port, u32 value, unsigned size) {
  value &= static_cast<u32>(mask_of_bytes(size));
  if (rings(port, size, value)) return;
  const Entry* entry = find(port);
  if (entry && u64{port} + size - 1 <= last_of(*entry)) {
    trace::write(trace::Category::kPio, "out {:#06x} ({}) size {} <- {:#x}", port, entry->name,
                 size, value);
    return entry->handler->write(port - entry->first, value, size);
  }
  if (size == 1) {
    trace::write(trace::Category::kPio, "out {:#06x} (nothing) size 1 <- {:#x}", port, value);
    return note_unowned("writes", port);
  }
  for (unsigned i = 0; i < size; ++i) out(static_cast<u16>(port + i), (value >> (8 * i)) & 0xff, 1);
}

}  // namespace kite
