#include "memory/address_space.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"
#include "base/log.h"
#include "base/trace.h"
#include "memory/dirty_log.h"
#include "memory/guest_access.h"

namespace kite {

namespace {

log::Limiter unmapped_lines{16};
log::Limiter rom_write_lines{16};

// A number no other view of any address space has, so that a generation alone names a view.
u64 next_generation() {
  static std::atomic<u64> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// The largest naturally aligned piece of registers at `offset`, at most `left` bytes.
unsigned piece_size(u64 offset, u64 left) {
  unsigned size = 8;
  while (size > left || !is_aligned(offset, size)) size /= 2;
  return size;
}

// The handler may edit the address space, which can free the region: hence the copy of its name.
u64 read_register(const Region& region, u64 offset, unsigned size) {
  IoHandler& handler = *region.handler();
  if (!trace::enabled(trace::Category::kMmio))
    return handler.read(offset, size) & mask_of_bytes(size);
  const std::string name = region.name();
  const u64 value = handler.read(offset, size) & mask_of_bytes(size);
  trace::write(trace::Category::kMmio, "read  {}+{:#x} size {} -> {:#x}", name, offset, size,
               value);
  return value;
}

void write_register(const Region& region, u64 offset, u64 value, unsigned size) {
  trace::write(trace::Category::kMmio, "write {}+{:#x} size {} <- {:#x}", region.name(), offset,
               size, value);
  region.handler()->write(offset, value, size);
}

void note_unmapped(const char* what, Gpa address, u64 size) {
  if (log::enabled(log::Level::kDebug) && unmapped_lines.allow())
    log::debug("guest {} {} bytes at {:#x}, where nothing is mapped", what, size, address);
}

void note_rom_write(const Region& region, u64 offset) {
  if (log::enabled(log::Level::kDebug) && rom_write_lines.allow())
    log::debug("guest writes to ROM '{}' at offset {:#x}; ignored", region.name(), offset);
}

}  // namespace

AddressSpace::AddressSpace()
    : view_(std::make_shared<const FlatView>()),
      generation_(next_generation()),
      dirty_log_(std::make_unique<DirtyLog>()) {}

AddressSpace::~AddressSpace() = default;

AddressSpace::Edit::Edit(AddressSpace& space) : space_(space), lock_(space.edit_mutex_) {}

AddressSpace::Edit::~Edit() {
  space_.publish();
}

WindowId AddressSpace::Edit::map(Window window) {
  space_.windows_.emplace_back(space_.next_id_, std::move(window));
  return space_.next_id_++;
}

void AddressSpace::Edit::unmap(WindowId id) {
  std::erase_if(space_.windows_, [id](const auto& entry) { return entry.first == id; });
}

void AddressSpace::Edit::move(WindowId id, Gpa start) {
  for (auto& [known, window] : space_.windows_)
    if (known == id) window.start = start;
}

DoorbellId AddressSpace::Edit::add_doorbell(std::shared_ptr<const Region> region,
                                            Doorbell doorbell) {
  space_.doorbells_.push_back({space_.next_id_, std::move(region), std::move(doorbell)});
  return space_.next_id_++;
}

void AddressSpace::Edit::remove_doorbell(DoorbellId id) {
  std::erase_if(space_.doorbells_, [id](const auto& known) { return known.id == id; });
}

std::vector<PlacedDoorbell> AddressSpace::place_doorbells(const FlatView& view) const {
  std::vector<PlacedDoorbell> placed;
  for (const RegionDoorbell& known : doorbells_) {
    if (!known.region->handler()) continue;
    for (const FlatRange& range : view.ranges()) {
      const u64 offset = known.doorbell.offset - range.offset;
      if (range.region == known.region && offset < range.size)
        placed.push_back({range.start + offset, known.doorbell});
    }
  }
  return in_order(std::move(placed));
}

void AddressSpace::publish() {
  std::vector<Window> windows;
  windows.reserve(windows_.size());
  for (const auto& [id, window] : windows_) windows.push_back(window);
  FlatView visible = flatten(std::move(windows));
  auto bells = place_doorbells(visible);
  auto after = std::make_shared<const FlatView>(visible.ranges(), std::move(bells));
  const auto before = view();
  if (before->ranges() == after->ranges() && before->doorbells() == after->doorbells()) return;
  for (MemoryListener* listener : listeners_) listener->memory_changed(*before, *after);
  {
    std::lock_guard lock(view_mutex_);
    view_ = std::move(after);
    generation_.store(next_generation(), std::memory_order_release);
  }
  for (MemoryListener* listener : listeners_) listener->memory_published();
}

void AddressSpace::add_listener(MemoryListener& listener) {
  std::lock_guard lock(edit_mutex_);
  listeners_.push_back(&listener);
  listener.memory_changed(FlatView(), *view());
}

void AddressSpace::remove_listener(MemoryListener& listener) {
  std::lock_guard lock(edit_mutex_);
  if (std::erase(listeners_, &listener) != 0) listener.memory_changed(*view(), FlatView());
}

std::shared_ptr<const FlatView> AddressSpace::view() const {
  std::lock_guard lock(view_mutex_);
  return view_;
}

// The current view, held by this thread until its next call. A call of a handler may end in
// another access on this thread: never use the reference, or a range of it, after one.
const FlatView& AddressSpace::current() const {
  thread_local u64 held_generation = 0;
  thread_local std::shared_ptr<const FlatView> held;
  if (const u64 now = generation(); held_generation != now) {
    held = view();
    held_generation = now;
  }
  return *held;
}

// Serves the start of an access that lies in `range`; returns the bytes served.
u64 AddressSpace::read_piece(const FlatRange& range, Gpa address, std::span<u8> to) {
  const u64 offset = range.offset + (address - range.start);
  const u64 left = std::min<u64>(to.size(), range.last() - address + 1);
  if (const u8* host = range.region->host()) {
    guest_read(to.data(), host + offset, left);
    return left;
  }
  const unsigned size = piece_size(offset, left);
  const u64 value = read_register(*range.region, offset, size);
  std::memcpy(to.data(), &value, size);
  return size;
}

void AddressSpace::note_ram_written(Gpa address, const u8* host, u64 size) {
  if (dirty_log_->active()) dirty_log_->mark(host, size);
  if (auto* listener = write_listener_.load(std::memory_order_acquire))
    listener->ram_written(address, size);
}

u64 AddressSpace::write_piece(const FlatView& view, const FlatRange& range, Gpa address,
                              std::span<const u8> from) {
  const u64 offset = range.offset + (address - range.start);
  const u64 left = std::min<u64>(from.size(), range.last() - address + 1);
  const Region& region = *range.region;
  if (region.kind() == Region::Kind::kRam) {
    u8* host = region.host() + offset;
    guest_write(host, from.data(), left);
    note_ram_written(address, host, left);
    return left;
  }
  if (!region.handler()) {
    note_rom_write(region, offset);
    return left;
  }
  const unsigned size = piece_size(offset, left);
  u64 value = 0;
  std::memcpy(&value, from.data(), size);
  if (!view.doorbells().empty() && ring(view.doorbells(), address, size, value))
    trace::write(trace::Category::kMmio, "write {}+{:#x} size {} <- {:#x} rings", region.name(),
                 offset, size, value);
  else
    write_register(region, offset, value, size);
  return size;
}

void AddressSpace::read(Gpa address, std::span<u8> to) {
  while (!to.empty()) {
    const FlatView& view = current();
    u64 served = 0;
    if (const FlatRange* range = view.find(address)) {
      served = read_piece(*range, address, to);
    } else {
      served = std::min<u64>(to.size(), view.gap(address));
      note_unmapped("reads", address, served);
      std::memset(to.data(), 0xff, served);
    }
    to = to.subspan(served);
    address += served;
  }
}

void AddressSpace::write(Gpa address, std::span<const u8> from) {
  while (!from.empty()) {
    const FlatView& view = current();
    u64 served = 0;
    if (const FlatRange* range = view.find(address)) {
      served = write_piece(view, *range, address, from);
    } else {
      served = std::min<u64>(from.size(), view.gap(address));
      note_unmapped("writes", address, served);
    }
    from = from.subspan(served);
    address += served;
  }
}

u64 AddressSpace::read_value(Gpa address, unsigned size) {
  const FlatRange* range = current().find(address);
  if (range && range->region->host() && range->last() - address >= size - 1) {
    // One load of the value's own width: another vCPU must never see half of a table entry.
    const u8* host = range->region->host() + range->offset + (address - range->start);
    switch (size) {
      case 1:
        return guest_load<u8>(host);
      case 2:
        return guest_load<u16>(host);
      case 4:
        return guest_load<u32>(host);
      default:
        return guest_load<u64>(host);
    }
  }
  u64 value = 0;
  read(address, {reinterpret_cast<u8*>(&value), size});
  return value;
}

void AddressSpace::write_value(Gpa address, u64 value, unsigned size) {
  const FlatRange* range = current().find(address);
  const bool whole =
      range && range->region->kind() == Region::Kind::kRam && range->last() - address >= size - 1;
  if (!whole) return write(address, {reinterpret_cast<const u8*>(&value), size});
  u8* host = range->region->host() + range->offset + (address - range->start);
  switch (size) {
    case 1:
      guest_store<u8>(host, static_cast<u8>(value));
      break;
    case 2:
      guest_store<u16>(host, static_cast<u16>(value));
      break;
    case 4:
      guest_store<u32>(host, static_cast<u32>(value));
      break;
    default:
      guest_store<u64>(host, value);
  }
  note_ram_written(address, host, size);
}

std::span<u8> AddressSpace::ram(Gpa address, u64 size, bool for_write) {
  const FlatRange* range = current().find(address);
  if (!range || size == 0 || !range->region->host() || range->last() - address < size - 1)
    return {};
  if (for_write && range->region->kind() != Region::Kind::kRam) return {};
  u8* host = range->region->host() + range->offset + (address - range->start);
  if (for_write && dirty_log_->active()) dirty_log_->mark(host, size);
  return {host, size};
}

void ViewCache::refresh() {
  generation_ = space_.generation();
  view_ = space_.view();
}

}  // namespace kite
