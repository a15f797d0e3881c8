#include "machine/boot/elf_image.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"

namespace kite {

namespace {

// Own structures, because <elf.h> is not on every host (System V ABI, chapters 4 and 5).
struct Header32 {
  u8 ident[16];
  u16 type, machine;
  u32 version, entry, program_offset, section_offset, flags;
  u16 header_size, program_entry_size, program_count, section_entry_size, section_count, names;
};
struct Header64 {
  u8 ident[16];
  u16 type, machine;
  u32 version;
  u64 entry, program_offset, section_offset;
  u32 flags;
  u16 header_size, program_entry_size, program_count, section_entry_size, section_count, names;
};
struct Program32 {
  u32 type, offset, linear, physical, file_size, memory_size, flags, align;
};
struct Program64 {
  u32 type, flags;
  u64 offset, linear, physical, file_size, memory_size, align;
};
static_assert(sizeof(Header32) == 52 && sizeof(Header64) == 64);
static_assert(sizeof(Program32) == 32 && sizeof(Program64) == 56);

constexpr u8 kClass32 = 1, kClass64 = 2, kLittleEndian = 1;
constexpr u16 kExecutable = 2, kSharedObject = 3;
constexpr u16 kI386 = 3, kX86_64 = 62;
constexpr u32 kLoad = 1, kNote = 4;
constexpr u32 kXenPhys32Entry = 18;  // xen/include/public/elfnote.h

bool lies_within(u64 offset, u64 size, u64 whole) {
  return offset <= whole && size <= whole - offset;
}

std::optional<u64> phys32_entry(std::span<const u8> description) {
  if (description.size() >= 8) return load<u64>(description.data());
  if (description.size() >= 4) return load<u32>(description.data());
  return std::nullopt;
}

// Notes: name size, description size, type, name, description, both padded. PT_NOTE of x86 kernels
// is padded to 4 bytes also in 64-bit files.
std::optional<u64> find_pvh_entry(std::span<const u8> notes) {
  while (notes.size() >= 12) {
    const u64 name_size = load<u32>(notes.data()), size = load<u32>(notes.data() + 4);
    const u32 type = load<u32>(notes.data() + 8);
    const u64 body = 12 + align_up(name_size, 4);
    if (!lies_within(body, size, notes.size())) return std::nullopt;
    if (type == kXenPhys32Entry && name_size == 4 && std::memcmp(&notes[12], "Xen", 4) == 0)
      return phys32_entry(notes.subspan(body, size));
    notes = notes.subspan(std::min<u64>(body + align_up(size, 4), notes.size()));
  }
  return std::nullopt;
}

template <class Program>
Result<> take_program(const Program& program, std::span<const u8> bytes, std::string_view name,
                      ElfImage& image) {
  if (program.type != kLoad && program.type != kNote) return {};
  if (!lies_within(program.offset, program.file_size, bytes.size()))
    return fail(ErrorKind::kData, "{}: truncated ELF file: a segment ends beyond the file's end",
                name);
  const auto content = bytes.subspan(program.offset, program.file_size);
  if (program.type == kNote) {
    if (!image.pvh_entry) image.pvh_entry = find_pvh_entry(content);
    return {};
  }
  if (program.memory_size == 0) return {};
  if (program.memory_size < program.file_size ||
      u64{program.memory_size} > ~u64{0} - u64{program.physical})
    return fail(ErrorKind::kData, "{}: broken ELF file: a segment of {} bytes at {:#x}", name,
                u64{program.memory_size}, u64{program.physical});
  image.segments.push_back({program.physical, program.linear, content, program.memory_size});
  return {};
}

template <class Header, class Program>
Result<ElfImage> parse(std::span<const u8> bytes, std::string_view name, u16 machine) {
  if (bytes.size() < sizeof(Header)) return fail(ErrorKind::kData, "{}: truncated ELF file", name);
  const auto header = load<Header>(bytes.data());
  if (header.machine != kI386 && header.machine != kX86_64)
    return fail(ErrorKind::kData, "{}: ELF file for another processor (machine {}), not for x86",
                name, header.machine);
  if (header.type != kExecutable && header.type != kSharedObject)
    return fail(ErrorKind::kData, "{}: ELF file of type {}, not an executable", name, header.type);
  const u64 table_size = u64{header.program_count} * sizeof(Program);
  if (header.program_entry_size != sizeof(Program) ||
      !lies_within(header.program_offset, table_size, bytes.size()))
    return fail(ErrorKind::kData, "{}: truncated ELF file: no program headers", name);
  ElfImage image;
  image.is_64_bit = machine == kX86_64;
  image.entry = header.entry;
  for (u64 i = 0; i < header.program_count; ++i) {
    const auto program = load<Program>(bytes.data() + header.program_offset + i * sizeof(Program));
    KITE_CHECK(take_program(program, bytes, name, image));
  }
  if (image.segments.empty())
    return fail(ErrorKind::kData, "{}: ELF file without anything to load", name);
  return image;
}

}  // namespace

Gpa ElfImage::start() const {
  Gpa lowest = ~Gpa{0};
  for (const auto& segment : segments) lowest = std::min(lowest, segment.physical);
  return lowest;
}

Gpa ElfImage::end() const {
  Gpa highest = 0;
  for (const auto& segment : segments) highest = std::max(highest, segment.physical + segment.size);
  return highest;
}

u64 ElfImage::physical(u64 address) const {
  for (const auto& segment : segments)
    if (address - segment.physical < segment.size) return address;
  for (const auto& segment : segments)
    if (address - segment.linear < segment.size)
      return segment.physical + (address - segment.linear);
  return address;
}

bool is_elf(std::span<const u8> bytes) {
  return bytes.size() >= 4 && std::memcmp(bytes.data(), "\177ELF", 4) == 0;
}

Result<ElfImage> parse_elf(std::span<const u8> bytes, std::string_view name) {
  if (!is_elf(bytes)) return fail(ErrorKind::kData, "{}: not an ELF file", name);
  if (bytes.size() < sizeof(Header32))
    return fail(ErrorKind::kData, "{}: truncated ELF file", name);
  if (bytes[5] != kLittleEndian)
    return fail(ErrorKind::kData, "{}: big-endian ELF file, not for x86", name);
  if (bytes[4] == kClass32) return parse<Header32, Program32>(bytes, name, kI386);
  if (bytes[4] == kClass64) return parse<Header64, Program64>(bytes, name, kX86_64);
  return fail(ErrorKind::kData, "{}: ELF file of unknown class {}", name, bytes[4]);
}

}  // namespace kite
