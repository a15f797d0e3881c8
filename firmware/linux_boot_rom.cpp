#include "firmware/linux_boot_rom.h"

#include <algorithm>
#include <string_view>

#include "base/bits.h"

namespace kite {

namespace {

constexpr u64 kSize = 512;
constexpr u8 kPnpHeader = 0x20, kProgramStart = 0x40, kRequests = 0xa0;
constexpr u16 kManufacturer = 0x120, kProduct = 0x130;
constexpr u64 kRequestSize = 16;  // FWCfgDmaAccess: control, length, address, all big-endian
constexpr u32 kRead = 2, kSelect = 8;
constexpr u16 kRequestsInRam = 0x7000;

// Entered with a far call by the firmware's INT 19h, at kProgramStart. The requests are carried out
// in RAM, for the ROM cannot take fw_cfg's answers.
constexpr u8 kProgram[] = {
    0xfa,                               //       cli
    0xfc,                               //       cld
    0x31, 0xc0,                         //       xor ax, ax
    0x8e, 0xd0,                         //       mov ss, ax
    0xbc, 0x00,      0x70,              //       mov sp, 7000h
    0x8e, 0xc0,                         //       mov es, ax
    0x0e,                               //       push cs
    0x1f,                               //       pop ds
    0xbe, kRequests, 0x00,              //       mov si, the requests
    0xbf, 0x00,      0x70,              //       mov di, 7000h
    0xb9, 0x00,      0x00,              //       mov cx, their size
    0xf3, 0xa4,                         //       rep movsb
    0x8e, 0xd8,                         //       mov ds, ax
    0xbb, 0x00,      0x70,              //       mov bx, 7000h
    0x66, 0x0f,      0xb7, 0xc3,        // next: movzx eax, bx
    0x66, 0x0f,      0xc8,              //       bswap eax
    0xba, 0x18,      0x05,              //       mov dx, 518h
    0x66, 0xef,                         //       out dx, eax
    0x66, 0x83,      0x3f, 0x00,        // wait: cmp dword [bx], 0
    0x74, 0x09,                         //       je done
    0xf6, 0x47,      0x03, 0x01,        //       test byte [bx + 3], 1
    0x74, 0xf4,                         //       jz wait
    0xfb,                               //       sti
    0xcd, 0x18,                         //       int 18h
    0x83, 0xc3,      0x10,              // done: add bx, 16
    0x81, 0xfb,      0x00, 0x70,        //       cmp bx, 7000h + their size
    0x72, 0xdc,                         //       jb next
    0xb8, 0x00,      0x00,              //       mov ax, segment of the setup code
    0x8e, 0xd8,                         //       mov ds, ax
    0x8e, 0xc0,                         //       mov es, ax
    0x8e, 0xe0,                         //       mov fs, ax
    0x8e, 0xe8,                         //       mov gs, ax
    0x8e, 0xd0,                         //       mov ss, ax
    0xbc, 0xf0,      0xff,              //       mov sp, fff0h
    0xea, 0x00,      0x00, 0x00, 0x00,  //       jmp segment + 20h : 0
};
// Where in it the numbers of a particular kernel go.
constexpr u64 kRequestsSize = 0x14, kRequestsEnd = 0x3d, kSegment = 0x42, kEntrySegment = 0x54;
static_assert(sizeof kProgram == kEntrySegment + 2 && kProgramStart + sizeof kProgram <= kRequests);
static_assert(kRequests + kMostFwCfgCopies * kRequestSize <= kManufacturer);

void put_big_endian(u8* at, u64 value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) at[i] = static_cast<u8>(value >> (8 * (size - 1 - i)));
}

void put_text(std::vector<u8>& rom, u16 at, std::string_view text) {
  std::copy(text.begin(), text.end(), rom.begin() + at);
}

u8 checksum(std::span<const u8> bytes) {
  u8 sum = 0;
  for (const u8 byte : bytes) sum = static_cast<u8>(sum + byte);
  return static_cast<u8>(-sum);
}

// Plug and Play BIOS 1.0A 3.2.
void put_pnp_header(std::vector<u8>& rom) {
  constexpr u8 kRevision = 1, kParagraphs = 2, kChecksum = 9, kHeaderSize = 32;
  constexpr u8 kBootDevice = 0x04, kCacheable = 0x20, kShadowable = 0x40;
  u8* header = &rom[kPnpHeader];
  put_text(rom, kPnpHeader, "$PnP");
  header[4] = kRevision;
  header[5] = kParagraphs;
  store<u16>(header + 14, kManufacturer);
  store<u16>(header + 16, kProduct);
  header[21] = kBootDevice | kCacheable | kShadowable;
  store<u16>(header + 26, kProgramStart);  // bootstrap entry vector
  header[kChecksum] = checksum({header, kHeaderSize});
  put_text(rom, kManufacturer, "Kite");
  put_text(rom, kProduct, "Linux kernel");
}

void put_program(std::vector<u8>& rom, u16 requests_size, u16 segment) {
  constexpr u16 kSetupHeader = 0x20;  // the entry is that many paragraphs above the segment
  u8* program = &rom[kProgramStart];
  std::copy(std::begin(kProgram), std::end(kProgram), program);
  store<u16>(program + kRequestsSize, requests_size);
  store<u16>(program + kRequestsEnd, static_cast<u16>(kRequestsInRam + requests_size));
  store<u16>(program + kSegment, segment);
  store<u16>(program + kEntrySegment, static_cast<u16>(segment + kSetupHeader));
}

}  // namespace

std::vector<u8> linux_boot_rom(std::span<const FwCfgCopy> copies, Gpa setup) {
  constexpr u16 kSignature = 0xaa55;
  constexpr u8 kFarReturn = 0xcb, kPnpPointer = 0x1a;
  copies = copies.first(std::min(copies.size(), kMostFwCfgCopies));
  std::vector<u8> rom(kSize);
  store<u16>(rom.data(), kSignature);
  rom[2] = kSize / 512;
  rom[3] = kFarReturn;  // nothing to initialize
  store<u16>(&rom[kPnpPointer], kPnpHeader);
  put_pnp_header(rom);
  put_program(rom, static_cast<u16>(copies.size() * kRequestSize), static_cast<u16>(setup / 16));
  u8* request = &rom[kRequests];
  for (const FwCfgCopy& copy : copies) {
    put_big_endian(request, u32{copy.key} << 16 | kSelect | kRead, 4);
    put_big_endian(request + 4, copy.size, 4);
    put_big_endian(request + 8, copy.address, 8);
    request += kRequestSize;
  }
  rom.back() = checksum(rom);
  return rom;
}

}  // namespace kite
