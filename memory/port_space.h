// PortSpace: the guest's 64 Ki I/O ports.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "memory/doorbell.h"
#include "memory/region.h"

namespace kite {

// Told of the doorbells on the thread that changes them, ahead of those who ring.
class PortListener {
 public:
  virtual ~PortListener() = default;
  virtual void doorbells_changed(const std::vector<PlacedDoorbell>& doorbells) = 0;
};

// The ports are mapped before the first vCPU runs and then only read, so lookups take no lock.
// Doorbells come and go at any time.
class PortSpace {
 public:
  // Shows `handler` at ports first … first + count - 1. Overlaps are errors that name both owners.
  Result<> map(std::string name, u16 first, u32 count, IoHandler& handler);

  // `size` is 1, 2 or 4. An access that no single device covers is split into bytes; a port nobody
  // owns reads all ones and swallows writes, with one debug line.
  u32 in(u16 port, unsigned size);
  void out(u16 port, u32 value, unsigned size);

  // Matching writes to port doorbell.offset ring. Any thread.
  DoorbellId add_doorbell(Doorbell doorbell);
  void remove_doorbell(DoorbellId id);
  // A listener hears the doorbells when it joins, and none when it leaves.
  void add_listener(PortListener& listener);
  void remove_listener(PortListener& listener);

  struct Entry {
    std::string name;
    u16 first;
    u32 count;
    IoHandler* handler;
  };
  const std::vector<Entry>& entries() const { return entries_; }  // ascending

 private:
  using Doorbells = std::vector<PlacedDoorbell>;
  const Entry* find(u16 port) const;
  void publish_doorbells();
  bool rings(u16 port, unsigned size, u32 value);

  std::vector<Entry> entries_;
  std::mutex mutex_;  // guards what follows but generation_
  std::vector<std::pair<DoorbellId, Doorbell>> doorbells_;
  std::shared_ptr<const Doorbells> placed_;
  std::vector<PortListener*> listeners_;
  DoorbellId next_id_ = 1;
  // Of placed_: no two in the process share one; 0: there are no doorbells.
  std::atomic<u64> generation_{0};
};

}  // namespace kite
