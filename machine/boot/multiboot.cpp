// Multiboot 1 (Multiboot Specification 0.6.96): 32-bit protected mode, EAX the magic number, EBX
// the address of the information structure.
#include <algorithm>

#include "base/bits.h"
#include "firmware/layout.h"
#include "machine/boot/formats.h"

namespace kite {

namespace {

constexpr u32 kHeaderMagic = 0x1badb002, kBootMagic = 0x2badb002;
constexpr u64 kSearchSize = 8192;
constexpr u32 kRequirePageAlignment = 1, kRequireMemoryInfo = 2, kRequireVideo = 4;
constexpr u32 kRequiredMask = 0xffff;
constexpr u32 kHasAddresses = 1 << 16;  // the "a.out kludge"

struct Header {
  u32 magic, flags, checksum;
};
struct Addresses {
  u32 header, load, load_end, bss_end, entry;
};
struct Info {
  u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4],
      mmap_length, mmap_addr, drives_length, drives_addr, config_table, boot_loader_name;
};
struct Module {
  u32 start, end, string, reserved;
};
struct __attribute__((packed)) MapEntry {
  u32 size;  // of what follows
  u64 start, length;
  u32 type;
};
constexpr u32 kInfoMemory = 1 << 0, kInfoCommandLine = 1 << 2, kInfoModules = 1 << 3,
              kInfoMemoryMap = 1 << 6, kInfoLoaderName = 1 << 9;
constexpr char kLoaderName[] = "Kite";

std::optional<u64> find_header(std::span<const u8> file) {
  const u64 end = std::min<u64>(file.size(), kSearchSize);
  for (u64 offset = 0; offset + sizeof(Header) <= end; offset += 4) {
    const auto header = load<Header>(&file[offset]);
    if (header.magic == kHeaderMagic && header.magic + header.flags + header.checksum == 0)
      return offset;
  }
  return std::nullopt;
}

// Loads what the header's own addresses say; the entry point.
Result<u64> add_by_addresses(PlanBuilder& builder, std::span<const u8> file, u64 offset) {
  if (file.size() - offset < sizeof(Header) + sizeof(Addresses))
    return fail(ErrorKind::kData, "{}: truncated multiboot header", builder.name());
  const auto at = load<Addresses>(&file[offset + sizeof(Header)]);
  const u64 before = u64{at.header} - at.load;  // bytes of the load area in front of the header
  if (at.header < at.load || before > offset)
    return fail(ErrorKind::kData, "{}: broken multiboot header: it loads from before the file",
                builder.name());
  const auto rest = file.subspan(offset - before);
  const u64 size = at.load_end ? u64{at.load_end} - at.load : rest.size();
  if (at.load_end < at.load && at.load_end)
    return fail(ErrorKind::kData, "{}: broken multiboot header: it ends before it begins",
                builder.name());
  if (size > rest.size())
    return fail(ErrorKind::kData, "{}: truncated multiboot kernel: {} bytes of {}", builder.name(),
                rest.size(), size);
  if (size == 0)
    return fail(ErrorKind::kData, "{}: multiboot header without anything to load", builder.name());
  const u64 memory_end = std::max<u64>(at.bss_end, at.load + size);
  KITE_CHECK(builder.add("the kernel", at.load, rest.first(size), memory_end - at.load));
  return u64{at.entry};
}

Result<u64> add_kernel(PlanBuilder& builder, std::span<const u8> file, u64 offset, u32 flags) {
  if (flags & kHasAddresses) return add_by_addresses(builder, file, offset);
  if (!is_elf(file))
    return fail(ErrorKind::kData,
                "{}: multiboot kernel that is neither ELF nor says where it is to be loaded",
                builder.name());
  const auto image = KITE_TRY(parse_elf(file, builder.name()));
  KITE_CHECK(add_elf(builder, image));
  return image.physical(image.entry);
}

// Bytes that are put one after the other into the page at layout::kStartInfo.
class InfoPage {
 public:
  u32 append(const void* from, u64 size) {
    const u64 offset = align_up(bytes_.size(), 8);
    bytes_.resize(offset + size);
    std::memcpy(&bytes_[offset], from, size);
    return static_cast<u32>(layout::kStartInfo + offset);
  }
  std::vector<u8> take() { return std::move(bytes_); }

 private:
  std::vector<u8> bytes_ = std::vector<u8>(sizeof(Info));
};

void describe_memory(std::span<const E820Entry> map, InfoPage& page, Info& info) {
  std::vector<MapEntry> entries;
  for (const auto& entry : map) {
    entries.push_back(
        {sizeof(MapEntry) - 4, entry.start, entry.size, static_cast<u32>(entry.type)});
    if (entry.type != E820Type::kRam) continue;
    const u64 kibibytes = std::min<u64>(entry.size / KiB, 0xffffffff);
    if (entry.start == 0) info.mem_lower = static_cast<u32>(std::min<u64>(kibibytes, 640));
    if (entry.start == layout::kLowHoleEnd) info.mem_upper = static_cast<u32>(kibibytes);
  }
  info.flags |= kInfoMemory | kInfoMemoryMap;
  info.mmap_length = static_cast<u32>(entries.size() * sizeof(MapEntry));
  info.mmap_addr = page.append(entries.data(), info.mmap_length);
}

Result<std::vector<u8>> information(PlanBuilder& builder) {
  const auto& request = builder.request();
  Info info = {};
  InfoPage page;
  info.flags = kInfoCommandLine | kInfoLoaderName;
  info.cmdline = static_cast<u32>(KITE_TRY(builder.add_command_line(layout::kCommandLineSize - 1)));
  info.boot_loader_name = page.append(kLoaderName, sizeof kLoaderName);
  describe_memory(request.memory_map, page, info);
  if (const auto initrd = KITE_TRY(builder.add_initrd())) {
    const u32 name = page.append(request.initrd_name.c_str(),
                                 std::min<u64>(request.initrd_name.size() + 1, 256));
    const Module module = {static_cast<u32>(initrd),
                           static_cast<u32>(initrd + request.initrd.size()), name, 0};
    info.flags |= kInfoModules;
    info.mods_count = 1;
    info.mods_addr = page.append(&module, sizeof module);
  }
  auto bytes = page.take();
  store<Info>(bytes.data(), info);
  return bytes;
}

}  // namespace

bool is_multiboot(std::span<const u8> file) {
  return find_header(file).has_value();
}

Result<BootPlan> plan_multiboot(PlanBuilder& builder, std::span<const u8> file) {
  const auto offset = find_header(file);
  if (!offset) return fail(ErrorKind::kData, "{}: no multiboot header", builder.name());
  const u32 flags = load<Header>(&file[*offset]).flags;
  // Bits 0 to 15 are demands; page alignment and memory information are met, a video mode is not,
  // but a kernel gets on without one: it looks at the information's flags.
  const u32 known = kRequirePageAlignment | kRequireMemoryInfo | kRequireVideo;
  if (flags & kRequiredMask & ~known)
    return fail(ErrorKind::kData, "{}: multiboot header with unknown demands {:#x}", builder.name(),
                flags & kRequiredMask & ~known);
  const u64 entry = KITE_TRY(add_kernel(builder, file, *offset, flags));
  if (entry > 0xffffffff)
    return fail(ErrorKind::kData, "{}: its multiboot entry {:#x} is not below 4 GiB",
                builder.name(), entry);
  KITE_CHECK(builder.add_tables(EntryMode::kProtected));
  auto page = KITE_TRY(information(builder));
  KITE_CHECK(builder.add("the multiboot information", layout::kStartInfo, std::move(page)));
  auto state = entry_state(EntryMode::kProtected, entry);
  state.gpr[kRax] = kBootMagic;
  state.gpr[kRbx] = layout::kStartInfo;
  return builder.finish("multiboot 1", state);
}

}  // namespace kite
