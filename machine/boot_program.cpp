#include "machine/boot_program.h"

#include "firmware/acpi.h"
#include "firmware/e820.h"
#include "firmware/layout.h"
#include "firmware/mp_table.h"
#include "firmware/smbios.h"
#include "machine/boot/entry_state.h"
#include "machine/boot/kernel_image.h"
#include "machine/boot_files.h"

namespace kite {

// RSDP's address, or 0 on a board without tables.
Result<Gpa> BootProgram::write_tables() {
  if (!firmware_.acpi) return Gpa{0};
  AcpiTables acpi = KITE_TRY(acpi_tables(*firmware_.acpi, layout::kAcpi, layout::kAcpiSize));
  memory_.write(layout::kAcpi, acpi.bytes);
  facs_ = acpi.facs;

  SmbiosFacts smbios;
  smbios.product = config_.machine;
  smbios.cpus = config_.cpus;
  smbios.ram_size = memory_size_of(config_);
  memory_.write(layout::kSmbios, smbios_tables(smbios, layout::kSmbios));
  memory_.write(layout::kMpTable, mp_table(*firmware_.acpi, layout::kMpTable));
  return acpi.rsdp;
}

// Everything a kernel is entered with lies below 1 MiB.
Result<> BootProgram::check_low_memory() const {
  if (!firmware_.ram.empty() && firmware_.ram.front().size >= layout::kLowHoleEnd) return {};
  return fail(ErrorKind::kUsage, "--memory: booting needs the first 1 MiB");
}

Result<X86State> BootProgram::load() {
  if (!config_.firmware.empty()) {
    // It is in ROM already, and finds out for itself what the machine is made of.
    description_ = fmt::format("firmware {}{}{}", config_.firmware,
                               firmware_.kernel.empty() ? "" : "; ", firmware_.kernel);
    return X86State::after_reset();
  }
  KITE_CHECK(check_low_memory());
  BootFiles files = KITE_TRY(read_boot_files(config_, kernel_.c_str(), initrd_.c_str()));
  BootRequest& request = files.request;
  request.memory_map = e820_map(firmware_.ram, firmware_.reserved);
  request.rsdp = KITE_TRY(write_tables());
  BootPlan plan = KITE_TRY(plan_boot(request));
  KITE_CHECK(kite::load(plan, memory_));
  description_ = plan.description;
  return plan.entry;
}

// Without a firmware Kite does what one does (ACPI 6.5 16.3.3): the tables and RAM are as they
// were.
Result<X86State> BootProgram::resume() {
  if (!config_.firmware.empty()) return X86State::after_reset();
  const u64 vector = facs_ != 0 ? memory_.read_value(facs_ + kFacsWakingVector, 4) : 0;
  if (vector == 0 || vector >= layout::kLowHoleEnd) return load();
  return waking_state(static_cast<u32>(vector));
}

}  // namespace kite
