#include "devices/pci/host_bridge_82441fx.h"

#include "base/bits.h"

namespace kite {

namespace {

constexpr u8 kCommand = 0x04;
constexpr u8 kPam0 = 0x59;  // PAM0 to PAM6 (3.2.15)
constexpr u8 kSmram = 0x72;
constexpr u8 kAttributes = 0x33;  // read enable and write enable of two segments; no caching bits
constexpr u8 kPam0Attributes = 0x30;
constexpr u8 kSmramClosed = 0x02;  // C_BASE_SEG is always 010b

// SeaBIOS takes the machine for one with fw_cfg only where the host bridge has this subsystem.
constexpr PciFunction::Identity kIdentity{.device = 0x1237,
                                          .class_code = 0x060000,
                                          .revision = 2,
                                          .subsystem_vendor = 0x1af4,
                                          .subsystem = 0x1100};

}  // namespace

HostBridge82441fx::HostBridge82441fx(std::function<void(const Segments&)> on_remap, bool all_ram)
    : PciFunction(kIdentity), on_remap_(std::move(on_remap)) {
  define(kCommand, 0x06, 0x40);  // memory and bus master are always on (3.2.3)
  define(kPam0, all_ram ? kPam0Attributes : u8{0}, kPam0Attributes);
  for (u8 pam = kPam0 + 1; pam <= kPam0 + 6; ++pam)
    define(pam, all_ram ? kAttributes : u8{0}, kAttributes);
  define(kSmram, kSmramClosed);
  mapped_ = segments();
}

// PAM0 has the BIOS segment in its high half; PAM1 to PAM6 have two segments each, the lower one in
// the low half.
HostBridge82441fx::Segments HostBridge82441fx::segments() {
  Segments segments{};
  for (unsigned i = 0; i + 1 < kSegments; ++i) {
    const u8 pam = config(static_cast<u8>(kPam0 + 1 + i / 2));
    segments[i] = static_cast<Access>(bits(pam, i % 2 ? 5 : 1, i % 2 ? 4 : 0));
  }
  segments[kSegments - 1] = static_cast<Access>(bits(config(kPam0), 5, 4));
  return segments;
}

void HostBridge82441fx::config_changed() {
  std::lock_guard lock(remap_mutex_);
  const Segments now = segments();
  if (now == mapped_) return;
  mapped_ = now;
  if (on_remap_) on_remap_(now);
}

}  // namespace kite
