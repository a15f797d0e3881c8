// What the pc board tells its firmware: the contents of fw_cfg and of the CMOS RAM.
#pragma once

#include "devices/platform/fw_cfg.h"
#include "devices/time/rtc_mc146818.h"
#include "machine/machine_build.h"

namespace kite {

// After machine.ram() and with firmware().acpi filled in.
Result<FwCfg::Contents> pc_fw_cfg(MachineBuild& machine);

// Sizes of RAM, number of processors, no diskette, CD-ROM before disk.
void fill_pc_cmos(MachineBuild& machine, RtcMc146818& rtc);

}  // namespace kite
