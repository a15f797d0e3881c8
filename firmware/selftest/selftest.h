// The self-test guest's own vocabulary: sections, checks and what is known of the machine.
#pragma once

#include "firmware/selftest/runtime/guest.h"

namespace selftest {

using namespace guest;

// ---- report.cpp ----

// Each prints one line. check() also counts a failure.
bool check(bool passed, const char* what);
bool check_same(u64 got, u64 wanted, const char* what);
void skip(const char* what, const char* why);
void begin_note(const char* what);  // a line of information: begin, any prints, end
void end_note();
unsigned failures();
unsigned checks();

// ---- boot_information.cpp ----

struct MemoryRange {
  u64 start, size;
  bool ram;
};
struct BootInformation {
  const char* protocol;
  MemoryRange ranges[32];
  unsigned count;
  u64 rsdp;  // 0 if the loader did not say
};
BootInformation read_boot_information();

// ---- acpi.cpp ----

struct Platform {
  bool acpi;
  u16 pm_timer_port;  // 0: none
  u64 hpet;           // 0: none
  u64 io_apic;        // 0: none
  u64 local_apic;     // 0: none
  bool pic;
  u32 pit_input;  // of the I/O APIC, by the MADT's overrides
};
Platform discover(const BootInformation& boot);

// ---- clocks.cpp ----

// Nominal if CPUID says it, else measured.
u64 tsc_hz();
void start_clocks(const Platform& platform);
// Spins until `done` or until the time has passed; true if `done`.
bool wait_until(bool (*done)(), u64 microseconds);

// The rooms of the test, in order.
void test_memory(const BootInformation& boot);
void test_features();
void test_paging();
void test_exceptions();
void test_interrupts(const Platform& platform);
void test_clocks(const Platform& platform);
void measure_speed();

}  // namespace selftest
