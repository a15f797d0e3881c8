#include "firmware/acpi_table.h"

#include <algorithm>

namespace kite {

namespace {

constexpr u64 kLength = 4, kRevision = 8, kChecksum = 9, kOemId = 10, kOemTableId = 16,
              kOemRevision = 24, kCreatorId = 28, kCreatorRevision = 32;
constexpr u8 kSystemMemory = 0, kSystemIo = 1;

u8 access_size(u8 bit_width) {
  return bit_width == 8 ? 1 : bit_width == 16 ? 2 : 3;
}

}  // namespace

void set_checksum(std::vector<u8>& bytes, u64 first, u64 size, u64 checksum) {
  bytes[checksum] = 0;
  u8 sum = 0;
  for (u64 i = first; i < first + size; ++i) sum = static_cast<u8>(sum + bytes[i]);
  bytes[checksum] = static_cast<u8>(-sum);
}

AcpiTable::AcpiTable(std::string_view signature, u8 revision) : bytes_(kAcpiHeaderSize) {
  std::copy_n(signature.begin(), 4, bytes_.begin());
  bytes_[kRevision] = revision;
  std::copy_n(kAcpiOemId.begin(), 6, bytes_.begin() + kOemId);
  std::copy_n("KITE    ", 8, bytes_.begin() + kOemTableId);
  std::copy_n(signature.begin(), 4, bytes_.begin() + kOemTableId + 4);
  store<u32>(&bytes_[kOemRevision], 1);
  std::copy_n("KITE", 4, bytes_.begin() + kCreatorId);
  store<u32>(&bytes_[kCreatorRevision], 1);
}

AcpiTable& AcpiTable::add_port(u16 port, u8 bit_width) {
  if (port == 0) return add_zeros(12);
  add<u8>(kSystemIo).add<u8>(bit_width).add<u8>(0).add<u8>(access_size(bit_width));
  return add<u64>(port);
}

AcpiTable& AcpiTable::add_memory_address(Gpa address) {
  return add<u8>(kSystemMemory).add<u8>(64).add<u8>(0).add<u8>(0).add<u64>(address);
}

AcpiTable& AcpiTable::add_bytes(const std::vector<u8>& bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return *this;
}

std::vector<u8> AcpiTable::finish() {
  store<u32>(&bytes_[kLength], static_cast<u32>(bytes_.size()));
  set_checksum(bytes_, 0, bytes_.size(), kChecksum);
  return std::move(bytes_);
}

}  // namespace kite
