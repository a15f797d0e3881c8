// PortSpace: the guest's 64 Ki I/O ports.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "memory/region.h"

namespace kite {

// Built before the first vCPU runs and then only read, so lookups take no lock.
class PortSpace {
 public:
  // Shows `handler` at ports first … first + count - 1. Overlaps are errors that name both owners.
  Result<> map(std::string name, u16 first, u32 count, IoHandler& handler);

  // `size` is 1, 2 or 4. An access that no single device covers is split into bytes; a port nobody
  // owns reads all ones and swallows writes, with one debug line.
  u32 in(u16 port, unsigned size);
  void out(u16 port, u32 value, unsigned size);

  struct Entry {
    std::string name;
    u16 first;
    u32 count;
    IoHandler* handler;
  };
  const std::vector<Entry>& entries() const { return entries_; }  // ascending

 private:
  const Entry* find(u16 port) const;
  std::vector<Entry> entries_;
};

}  // namespace kite
