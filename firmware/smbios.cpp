#include "firmware/smbios.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bits.h"

namespace kite {

namespace {

constexpr u64 kEntryPointSize = 24, kStructuresOffset = 32;
enum Type : u8 {
  kBios = 0,
  kSystem = 1,
  kChassis = 3,
  kProcessor = 4,
  kMemoryArray = 16,
  kMemoryDevice = 17,
  kMappedAddress = 19,
  kBootInformation = 32,
  kEnd = 127
};
enum Handle : u16 {
  kBiosHandle = 0x0000,
  kSystemHandle = 0x0100,
  kChassisHandle = 0x0300,
  kProcessorHandle = 0x0400,
  kMemoryArrayHandle = 0x1000,
  kMemoryDeviceHandle = 0x1100,
  kMappedAddressHandle = 0x1300,
  kBootHandle = 0x2000,
  kEndHandle = 0x7f00
};

// One structure: the formatted area, then its strings, each with a NUL, then another NUL.
class Structure {
 public:
  Structure(Type type, Handle handle) { add<u8>(type).add<u8>(0).add<u16>(handle); }
  template <class T>
  Structure& add(std::type_identity_t<T> value) {
    const auto at = formatted_.size();
    formatted_.resize(at + sizeof(T));
    store<T>(&formatted_[at], value);
    return *this;
  }
  Structure& zeros(u64 count) {
    formatted_.resize(formatted_.size() + count);
    return *this;
  }
  // The number of the string goes into the formatted area; 0 is none.
  Structure& text(const std::string& value) {
    if (value.empty()) return add<u8>(0);
    for (const char c : value) strings_.push_back(c ? static_cast<u8>(c) : u8{'?'});
    strings_.push_back(0);
    return add<u8>(++string_count_);
  }
  void append_to(std::vector<u8>& bytes) {
    formatted_[1] = static_cast<u8>(formatted_.size());
    if (strings_.empty()) strings_.push_back(0);
    strings_.push_back(0);
    bytes.insert(bytes.end(), formatted_.begin(), formatted_.end());
    bytes.insert(bytes.end(), strings_.begin(), strings_.end());
  }

 private:
  std::vector<u8> formatted_, strings_;
  u8 string_count_ = 0;
};

void add_firmware_and_system(const SmbiosFacts& facts, std::vector<u8>& bytes) {
  constexpr u64 kNoCharacteristics = bit(3);  // "BIOS characteristics are not supported"
  constexpr u8 kVirtualMachine = 1 << 4;      // extension byte 2
  constexpr u8 kPowerSwitch = 6, kOther = 1, kSafe = 3;
  Structure bios(kBios, kBiosHandle);
  bios.text(facts.vendor).text(facts.version).add<u16>(0xf000).text("01/01/2026").add<u8>(0);
  bios.add<u64>(kNoCharacteristics).add<u8>(0).add<u8>(kVirtualMachine);
  bios.add<u8>(0xff).add<u8>(0xff).add<u8>(0xff).add<u8>(0xff).add<u16>(0);
  bios.append_to(bytes);
  Structure system(kSystem, kSystemHandle);
  system.text(facts.vendor).text(facts.product).text(facts.version).text(facts.serial);
  system.zeros(16).add<u8>(kPowerSwitch).text("").text("");
  system.append_to(bytes);
  Structure chassis(kChassis, kChassisHandle);
  chassis.text(facts.vendor).add<u8>(kOther).text(facts.version).text("").text("");
  chassis.add<u8>(kSafe).add<u8>(kSafe).add<u8>(kSafe).add<u8>(2).add<u32>(0);
  chassis.add<u8>(0).add<u8>(0).add<u8>(0).add<u8>(0).text("");
  chassis.append_to(bytes);
}

// One socket with all processors.
void add_processors(const SmbiosFacts& facts, std::vector<u8>& bytes) {
  constexpr u8 kCentral = 3, kOther = 1, kUnknown = 2, kPopulatedEnabled = 0x41, kNoUpgrade = 6;
  constexpr u16 kNoCache = 0xffff, k64BitMultiCore = 1 << 2 | 1 << 3;
  const u8 count = static_cast<u8>(std::min<u32>(facts.cpus, 0xff));
  const u16 wide_count = static_cast<u16>(std::min<u32>(facts.cpus, 0xfffe));
  Structure processor(kProcessor, kProcessorHandle);
  processor.text("CPU 0").add<u8>(kCentral).add<u8>(kOther).text(facts.vendor).add<u64>(0);
  processor.text(facts.version).add<u8>(0).add<u16>(0).add<u16>(0).add<u16>(0);
  processor.add<u8>(kPopulatedEnabled).add<u8>(kNoUpgrade);
  processor.add<u16>(kNoCache).add<u16>(kNoCache).add<u16>(kNoCache);
  processor.text("").text("").text("").add<u8>(count).add<u8>(count).add<u8>(count);
  processor.add<u16>(k64BitMultiCore).add<u16>(kUnknown);
  processor.add<u16>(wide_count).add<u16>(wide_count).add<u16>(wide_count);
  processor.append_to(bytes);
}

void add_memory(const SmbiosFacts& facts, std::vector<u8>& bytes) {
  constexpr u8 kSystemBoard = 3, kSystemMemory = 3, kMultiBitEcc = 6, kDimm = 9, kRam = 7;
  constexpr u16 kNoErrors = 0xfffe, kOtherDetail = 1 << 1;
  Structure array(kMemoryArray, kMemoryArrayHandle);
  array.add<u8>(kSystemBoard).add<u8>(kSystemMemory).add<u8>(kMultiBitEcc).add<u32>(0x80000000);
  array.add<u16>(kNoErrors).add<u16>(1).add<u64>(facts.ram_size);
  array.append_to(bytes);
  Structure device(kMemoryDevice, kMemoryDeviceHandle);
  device.add<u16>(kMemoryArrayHandle).add<u16>(kNoErrors).add<u16>(64).add<u16>(64);
  device.add<u16>(0x7fff).add<u8>(kDimm).add<u8>(0).text("DIMM 0").text("");
  device.add<u8>(kRam).add<u16>(kOtherDetail).add<u16>(0);
  device.text(facts.vendor).text("").text("").text("").add<u8>(0);
  device.add<u32>(static_cast<u32>(std::min<u64>(facts.ram_size / MiB, 0x7fffffff)));
  device.add<u16>(0).add<u16>(0).add<u16>(0).add<u16>(0);
  device.append_to(bytes);
  Structure mapped(kMappedAddress, kMappedAddressHandle);
  mapped.add<u32>(0xffffffff).add<u32>(0xffffffff).add<u16>(kMemoryArrayHandle).add<u8>(1);
  mapped.add<u64>(0).add<u64>(facts.ram_size ? facts.ram_size - 1 : 0);
  mapped.append_to(bytes);
}

// SMBIOS 3.6 5.2.2. The maximum size is the size.
void fill_entry_point(std::vector<u8>& bytes, Gpa address) {
  constexpr u64 kChecksum = 5, kLength = 6, kMajor = 7, kMinor = 8, kRevision = 10, kSize = 12,
                kTable = 16;
  std::copy_n("_SM3_", 5, bytes.begin());
  bytes[kLength] = kEntryPointSize;
  bytes[kMajor] = 3;
  bytes[kMinor] = 2;
  bytes[kRevision] = 1;
  store<u32>(&bytes[kSize], static_cast<u32>(bytes.size() - kStructuresOffset));
  store<u64>(&bytes[kTable], address + kStructuresOffset);
  u8 sum = 0;
  for (u64 i = 0; i < kEntryPointSize; ++i) sum = static_cast<u8>(sum + bytes[i]);
  bytes[kChecksum] = static_cast<u8>(-sum);
}

}  // namespace

std::vector<u8> smbios_tables(const SmbiosFacts& facts, Gpa address) {
  constexpr u64 kReservedAndNoStatus = 10;
  std::vector<u8> bytes(kStructuresOffset);
  add_firmware_and_system(facts, bytes);
  add_processors(facts, bytes);
  add_memory(facts, bytes);
  Structure(kBootInformation, kBootHandle).zeros(kReservedAndNoStatus - 4 + 1).append_to(bytes);
  Structure(kEnd, kEndHandle).append_to(bytes);
  fill_entry_point(bytes, address);
  return bytes;
}

}  // namespace kite
