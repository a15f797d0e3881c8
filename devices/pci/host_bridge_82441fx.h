// HostBridge82441fx: the 440FX's PCI and memory controller, with the PAM registers that put RAM in
// place of the ROM between C0000h and FFFFFh.
#pragma once

#include <functional>

#include "devices/pci/pci_function.h"

namespace kite {

// Intel 82441FX data sheet 3.2. DRAM timing registers have no effect and are absent. There is no
// system management RAM: SMRAM reads as closed and cannot be opened.
class HostBridge82441fx : public PciFunction {
 public:
  // What a processor's access to one segment of memory reaches. Bit 0 (read) and bit 1 (write) set:
  // RAM; clear: the PCI bus, and the ROM behind it.
  enum Access : u8 { kRom = 0, kReadRam = 1, kWriteRam = 2, kRam = 3 };

  // Twelve segments of 16 KiB from C0000h, then the 64 KiB from F0000h.
  static constexpr unsigned kSegments = 13;
  using Segments = std::array<Access, kSegments>;

  // `on_remap` is called when the guest has changed a PAM register, on reset, and never twice at
  // once. With `all_ram` the registers stand after RESET# as a firmware would leave them.
  HostBridge82441fx(std::function<void(const Segments&)> on_remap, bool all_ram);

  // As the registers say now.
  Segments segments();

  std::string_view name() const override { return "82441FX"; }
  // RAM stays in place of the ROM: what the firmware resumes by is in it.
  void reset_after_sleep() override {}

 private:
  void config_changed() override;

  std::function<void(const Segments&)> on_remap_;
  std::mutex remap_mutex_;  // guards mapped_, and the order of the calls of on_remap_
  Segments mapped_;
};

}  // namespace kite
