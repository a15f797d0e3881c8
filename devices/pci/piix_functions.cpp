#include "devices/pci/piix_functions.h"

namespace kite {

namespace {

constexpr u8 kCommand = 0x04, kInterruptLine = 0x3c, kInterruptPin = 0x3d;
constexpr u8 kIdetim = 0x40;     // primary and secondary, two bytes each
constexpr u8 kPmba = 0x40;       // PIIX4 7.1.10
constexpr u8 kDevactb = 0x58;    // its bit 25 is APMC_EN
constexpr u8 kPmregmisc = 0x80;  // bit 0: the block at PMBA is decoded
constexpr u8 kIoSpace = 0x01;

constexpr PciFunction::Identity kIde{.device = 0x7010, .class_code = 0x010100};
constexpr PciFunction::Identity kPm{.device = 0x7113, .class_code = 0x068000, .revision = 3};

}  // namespace

PiixIde::PiixIde() : PciFunction(kIde) {
  define(kCommand, 0, kIoSpace);
  for (u8 i = 0; i < 4; ++i) define(kIdetim + i, i % 2 ? 0x80 : 0, 0xff);  // channels enabled
}

Piix4PowerManagement::Piix4PowerManagement(u16 base, u8 irq) : PciFunction(kPm) {
  define(kCommand, 0, kIoSpace);
  define(kInterruptLine, irq, 0xff);
  define(kInterruptPin, 1);
  define(kPmba, static_cast<u8>(base | kIoSpace));
  define(kPmba + 1, static_cast<u8>(base >> 8));
  define(kDevactb + 3, 0x02);
  define(kPmregmisc, 0x01);
}

}  // namespace kite
