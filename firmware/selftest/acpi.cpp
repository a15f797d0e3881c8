// The ACPI tables (ACPI 6.5 chapter 5): are they sound, and what do they say is there.
#include "firmware/selftest/selftest.h"

namespace selftest {

namespace {

constexpr u32 signature(const char (&name)[5]) {
  return static_cast<u32>(name[0]) | static_cast<u32>(name[1]) << 8 |
         static_cast<u32>(name[2]) << 16 | static_cast<u32>(name[3]) << 24;
}

u8 sum(u64 at, u32 length) {
  u8 total = 0;
  for (u32 i = 0; i < length; ++i) total = static_cast<u8>(total + volatile_read<u8>(at + i));
  return total;
}

constexpr u64 kRsdpSignature = 0x2052545020445352;  // "RSD PTR "

// ACPI 6.5 5.2.5.1: the BIOS read-only area, on 16-byte boundaries.
u64 search_rsdp() {
  for (u64 at = 0xe0000; at < 0x100000; at += 16) {
    if (volatile_read<u64>(at) == kRsdpSignature && sum(at, 20) == 0) return at;
  }
  return 0;
}

struct Table {
  u64 at;
  u32 name, length;
};

// A table above 4 GiB, or one that claims an absurd length, is not looked at.
bool readable(u64 at, u32 length) {
  return at != 0 && at < (1ull << 32) - (1 << 20) && length >= 36 && length <= 1 << 20;
}

bool sound(u64 at) {
  if (!readable(at, 36)) return false;
  const u32 length = volatile_read<u32>(at + 4);
  return readable(at, length) && sum(at, length) == 0;
}

bool check_table(u64 at) {
  char text[] = "ACPI: checksum of ????";
  for (int i = 0; i < 4; ++i) {
    text[18 + i] = readable(at, 36) ? static_cast<char>(volatile_read<u8>(at + i)) : '?';
  }
  return check(sound(at), text);
}

void read_fadt(u64 at, Platform& platform) {
  const u32 length = volatile_read<u32>(at + 4);
  platform.pm_timer_port = static_cast<u16>(volatile_read<u32>(at + 76));
  if (volatile_read<u8>(at + 91) != 4) platform.pm_timer_port = 0;
  u64 dsdt = volatile_read<u32>(at + 40);
  if (length >= 148 && volatile_read<u64>(at + 140)) dsdt = volatile_read<u64>(at + 140);
  if (length >= 220 && !platform.pm_timer_port && volatile_read<u8>(at + 208) == 1) {
    platform.pm_timer_port = static_cast<u16>(volatile_read<u64>(at + 212));
  }
  if (dsdt) check_table(dsdt);
}

// ACPI 6.5 5.2.12: type 1 is an I/O APIC, type 2 an interrupt source override.
void read_madt(u64 at, Platform& platform) {
  const u32 length = volatile_read<u32>(at + 4);
  platform.local_apic = volatile_read<u32>(at + 36);
  platform.pic = volatile_read<u32>(at + 40) & 1;
  for (u32 offset = 44; offset + 2 <= length;) {
    const u8 type = volatile_read<u8>(at + offset), size = volatile_read<u8>(at + offset + 1);
    if (size < 2) return;
    if (type == 1 && !platform.io_apic) platform.io_apic = volatile_read<u32>(at + offset + 4);
    if (type == 2 && volatile_read<u8>(at + offset + 3) == 0) {
      platform.pit_input = volatile_read<u32>(at + offset + 4);
    }
    offset += size;
  }
}

void read_table(u64 at, Platform& platform) {
  if (!check_table(at)) return;
  const u32 name = volatile_read<u32>(at);
  if (name == signature("FACP")) read_fadt(at, platform);
  if (name == signature("APIC")) read_madt(at, platform);
  if (name == signature("HPET")) platform.hpet = volatile_read<u64>(at + 44);
}

void read_tables(u64 rsdp, Platform& platform) {
  const bool extended = volatile_read<u8>(rsdp + 15) >= 2 && volatile_read<u64>(rsdp + 24);
  const u64 root = extended ? volatile_read<u64>(rsdp + 24) : volatile_read<u32>(rsdp + 16);
  if (!check_table(root)) return;
  const u32 length = volatile_read<u32>(root + 4), size = extended ? 8 : 4;
  for (u32 offset = 36; offset + size <= length; offset += size) {
    read_table(extended ? volatile_read<u64>(root + offset) : volatile_read<u32>(root + offset),
               platform);
  }
}

// Without ACPI: where these chips have always been, if something answers there.
Platform customary() {
  Platform platform = {};
  platform.pic = true;
  platform.pit_input = 2;  // as boards have always wired it (MP specification 1.4, 5.3)
  if (has(cpuid(1).edx, 9)) platform.local_apic = read_msr(0x1b) & 0xffff'ffff'f000;
  constexpr u64 kIoApic = 0xfec0'0000;
  if (volatile_read<u32>(kIoApic) != ~0u) platform.io_apic = kIoApic;
  return platform;
}

}  // namespace

Platform discover(const BootInformation& boot) {
  const u64 rsdp = boot.rsdp ? boot.rsdp : search_rsdp();
  if (!rsdp || rsdp >= 1ull << 32) {
    skip("ACPI", "no RSDP");
    return customary();
  }
  Platform platform = {};
  platform.acpi = true;
  platform.pic = true;
  check(volatile_read<u64>(rsdp) == kRsdpSignature && sum(rsdp, 20) == 0, "ACPI: RSDP");
  if (volatile_read<u8>(rsdp + 15) >= 2) {
    check(sum(rsdp, 36) == 0, "ACPI: RSDP's extended checksum");
  }
  read_tables(rsdp, platform);
  return platform;
}

}  // namespace selftest
