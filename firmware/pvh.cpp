#include "firmware/pvh.h"

#include "base/bits.h"

namespace kite {

namespace {

struct StartInfo {
  u32 magic;
  u32 version;  // 1: with a memory map
  u32 flags;
  u32 module_count;
  u64 modules;
  u64 command_line;
  u64 rsdp;
  u64 memory_map;
  u32 memory_map_entries;
  u32 reserved;
};
struct Module {
  u64 address;
  u64 size;
  u64 command_line;
  u64 reserved;
};
struct MapEntry {
  u64 address;
  u64 size;
  u32 type;  // as E820's
  u32 reserved;
};
static_assert(sizeof(StartInfo) == 56 && sizeof(Module) == 32 && sizeof(MapEntry) == 24);

}  // namespace

std::vector<u8> pvh_start_info(const PvhFacts& facts, Gpa address) {
  constexpr u64 kModuleOffset = sizeof(StartInfo);
  constexpr u64 kMapOffset = kModuleOffset + sizeof(Module);
  std::vector<u8> bytes(kMapOffset + facts.memory_map.size() * sizeof(MapEntry));
  StartInfo info = {};
  info.magic = kPvhMagic;
  info.version = 1;
  if (facts.initrd_size != 0) {
    info.module_count = 1;
    info.modules = address + kModuleOffset;
    store<Module>(&bytes[kModuleOffset], {facts.initrd, facts.initrd_size, 0, 0});
  }
  info.command_line = facts.command_line;
  info.rsdp = facts.rsdp;
  info.memory_map = address + kMapOffset;
  info.memory_map_entries = static_cast<u32>(facts.memory_map.size());
  store<StartInfo>(bytes.data(), info);
  for (std::size_t i = 0; i < facts.memory_map.size(); ++i) {
    const auto& entry = facts.memory_map[i];
    store<MapEntry>(&bytes[kMapOffset + i * sizeof(MapEntry)],
                    {entry.start, entry.size, static_cast<u32>(entry.type), 0});
  }
  return bytes;
}

}  // namespace kite
