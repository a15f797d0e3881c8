#include "devices/platform/fw_cfg.h"
#include "memory/backend.h"
#include "register_script.h"

namespace kite {
namespace {

const HostMemory& ram() {
  static const HostMemory memory = [] {
    BackendConfig config;
    config.kind = "ram";
    config.size = 64 * KiB;
    return std::move(*allocate(config));
  }();
  return memory;
}

}  // namespace
}  // namespace kite

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  kite::ManualClock clock;
  kite::AddressSpace memory;
  kite::AddressSpace::Edit(memory).map(
      {.start = 0, .size = 64 * kite::KiB, .region = kite::Region::ram("ram", kite::ram())});
  const auto contents = [] {
    kite::FwCfg::Contents made;
    made.files["etc/a"] = std::vector<kite::u8>(300, 7);
    return made;
  };
  kite::FwCfg chip(memory, contents()), other(memory, contents());
  memory.write(0, {data, std::min<std::size_t>(size, 4096)});  // requests are anything
  kite::fuzz::run_script(data, size, chip.ports(), kite::FwCfg::kPortsSize, clock);
  kite::fuzz::run_script(
      data, size, chip.dma_ports(), kite::FwCfg::kDmaSize, clock,
      [&](kite::u8, kite::u16 value) { chip.dma_ports().write(4, value << 16 & 0xff0f0000, 4); });
  kite::fuzz::move_state(chip, other, data, size);
  return 0;
}
