#include "memory/region.h"

#include "memory/host_memory.h"

namespace kite {

std::shared_ptr<const Region> Region::ram(std::string name, const HostMemory& memory) {
  auto region = std::shared_ptr<Region>(new Region());
  region->name_ = std::move(name);
  // Memory mapped without write permission cannot be RAM, whoever asked for it.
  region->kind_ = memory.readonly() ? Kind::kRom : Kind::kRam;
  region->size_ = memory.size();
  region->host_ = memory.data();
  region->memory_ = &memory;
  return region;
}

std::shared_ptr<const Region> Region::rom(std::string name, const HostMemory& memory,
                                          IoHandler* writes) {
  auto region = std::shared_ptr<Region>(new Region());
  region->name_ = std::move(name);
  region->kind_ = Kind::kRom;
  region->size_ = memory.size();
  region->host_ = memory.data();
  region->memory_ = &memory;
  region->handler_ = writes;
  return region;
}

std::shared_ptr<const Region> Region::mmio(std::string name, u64 size, IoHandler& handler) {
  auto region = std::shared_ptr<Region>(new Region());
  region->name_ = std::move(name);
  region->kind_ = Kind::kMmio;
  region->size_ = size;
  region->handler_ = &handler;
  return region;
}

}  // namespace kite
