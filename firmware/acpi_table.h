// AcpiTable: the bytes of one system description table, with header and checksum.
#pragma once

#include <string_view>
#include <vector>

#include "base/bits.h"
#include "base/types.h"

namespace kite {

inline constexpr std::string_view kAcpiOemId = "KITE  ";
inline constexpr u64 kAcpiHeaderSize = 36;

// Makes the bytes [first, first + size) sum to 0 by the byte at `checksum`.
void set_checksum(std::vector<u8>& bytes, u64 first, u64 size, u64 checksum);

// Fields are appended in the order of the specification's tables.
class AcpiTable {
 public:
  AcpiTable(std::string_view signature, u8 revision);

  template <class T>
  AcpiTable& add(std::type_identity_t<T> value) {
    const auto at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    store<T>(&bytes_[at], value);
    return *this;
  }
  AcpiTable& add_zeros(u64 count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  // A Generic Address Structure in I/O space (ACPI 6.5 5.2.3.2); port 0 is an absent one.
  AcpiTable& add_port(u16 port, u8 bit_width);
  AcpiTable& add_memory_address(Gpa address);
  AcpiTable& add_bytes(const std::vector<u8>& bytes);

  // With length and checksum filled in.
  std::vector<u8> finish();

 private:
  std::vector<u8> bytes_;
};

}  // namespace kite
