#include "machine/boot/firmware_kernel.h"

#include <algorithm>

#include "base/bits.h"
#include "firmware/layout.h"
#include "machine/boot/formats.h"
#include "machine/boot/linux_setup.h"

namespace kite {

namespace {

constexpr u64 kTypeOfLoader = 0x210, kLoadFlags = 0x211, kRamdiskImage = 0x218,
              kRamdiskSize = 0x21c, kHeapEndPtr = 0x224, kCmdLinePtr = 0x228;
constexpr u8 kUnknownLoader = 0xff, kCanUseHeap = 0x80;
constexpr u16 kOldestProtocol = 0x202;  // that has cmd_line_ptr
// The setup code, its heap and its stack have 64 KiB of their own, below the command line.
constexpr Gpa kSetup = 0x10000;
constexpr u64 kSetupRoom = layout::kCommandLine - kSetup;
constexpr u64 kStackAndHeap = 0x2000;
// Firmware keeps its tables at the end of RAM.
constexpr u64 kFirmwareRoom = 1 * MiB;

Result<Gpa> place_initrd(const BootRequest& request, const LinuxSetup& linux, Gpa ram_end) {
  const u64 size = request.initrd.size();
  const Gpa kernel_end = std::max(kLinuxProtectedModeLoad + linux.kernel.size(),
                                  std::min(linux.pref_address, 4 * GiB) + linux.init_size);
  const Gpa end =
      std::min(ram_end - std::min<u64>(ram_end, kFirmwareRoom), Gpa{linux.initrd_addr_max} + 1);
  if (end < size || align_down(end - size, kPageSize) < kernel_end)
    return fail(ErrorKind::kData,
                "kernel '{}' ({} MiB) and initrd '{}' ({} MiB) do not fit into {} MiB of memory",
                request.kernel_name, (kernel_end + MiB - 1) / MiB, request.initrd_name,
                (size + MiB - 1) / MiB, ram_end / MiB);
  return align_down(end - size, kPageSize);
}

void fill_header(FirmwareKernel& plan) {
  u8* setup = plan.setup.bytes.data();
  setup[kTypeOfLoader] = kUnknownLoader;
  setup[kLoadFlags] |= kCanUseHeap;
  store<u16>(setup + kHeapEndPtr,
             kSetupRoom - 0x200);  // an offset less 200h, and the stack above it
  store<u32>(setup + kCmdLinePtr, static_cast<u32>(plan.command_line.address));
  store<u32>(setup + kRamdiskImage, static_cast<u32>(plan.initrd.address));
  store<u32>(setup + kRamdiskSize, static_cast<u32>(plan.initrd.bytes.size()));
}

std::vector<u8> copy_of(std::span<const u8> bytes) {
  return {bytes.begin(), bytes.end()};
}

// Entered at kSetup + 200h like setup code, in real mode with DS = kSetup / 16: to protected mode
// with the plan's GDT, and to the kernel.
constexpr u8 kToMultiboot[] = {
    0xfa,                                            // cli
    0x0f, 0x01, 0x16, 0x00, 0x00,                    // lgdt [0]
    0x0f, 0x20, 0xc0,                                // mov eax, cr0
    0x0c, 0x01,                                      // or al, 1
    0x0f, 0x22, 0xc0,                                // mov cr0, eax
    0x66, 0xea, 0,    0,    0,    0,    0,    0,     // jmp far, to the next line
    0x66, 0xb8, 0,    0,                             // mov ax, data
    0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0x8e, 0xe0,  // mov ds, ax … es, ss, fs
    0x8e, 0xe8,                                      // mov gs, ax
    0xb8, 0,    0,    0,    0,                       // mov eax, the magic number
    0xbb, 0,    0,    0,    0,                       // mov ebx, the information
    0xbc, 0,    0,    0,    0,                       // mov esp, the stack
    0xba, 0,    0,    0,    0,                       // mov edx, the entry
    0xff, 0xe2,                                      // jmp edx
};
// Where in it the numbers go.
constexpr u64 kFar = 16, kFarSelector = 20, kProtected = 22, kData = 24, kEax = 37, kEbx = 42,
              kEsp = 47, kEdx = 52;
static_assert(sizeof kToMultiboot == kEdx + 6);
constexpr u64 kSetupEntry = 0x200;

std::vector<u8> multiboot_setup(const X86State& entry) {
  std::vector<u8> setup(kSetupEntry + sizeof kToMultiboot);
  store<u16>(&setup[0], entry.gdtr.limit);
  store<u32>(&setup[2], static_cast<u32>(entry.gdtr.base));
  u8* code = &setup[kSetupEntry];
  std::copy(std::begin(kToMultiboot), std::end(kToMultiboot), code);
  store<u32>(code + kFar, static_cast<u32>(kSetup + kSetupEntry + kProtected));
  store<u16>(code + kFarSelector, entry.segments[kCs].selector);
  store<u16>(code + kData, entry.segments[kDs].selector);
  store<u32>(code + kEax, static_cast<u32>(entry.gpr[kRax]));
  store<u32>(code + kEbx, static_cast<u32>(entry.gpr[kRbx]));
  store<u32>(code + kEsp, static_cast<u32>(entry.gpr[kRsp]));
  store<u32>(code + kEdx, static_cast<u32>(entry.rip));
  return setup;
}

// As Kite would start it, but for the end of RAM, which is the firmware's.
Result<FirmwareKernel> plan_multiboot_kernel(BootRequest request, Gpa ram_end) {
  request.memory_map = {{0, layout::kEbda, E820Type::kRam}};
  if (ram_end > layout::kLowHoleEnd + kFirmwareRoom)
    request.memory_map.push_back(
        {layout::kLowHoleEnd, ram_end - kFirmwareRoom - layout::kLowHoleEnd, E820Type::kRam});
  PlanBuilder builder(request);
  KITE_CHECK(builder.claim("the code that enters it", kSetup, kPageSize));
  const BootPlan plan = KITE_TRY(plan_multiboot(builder, request.kernel));
  FirmwareKernel kernel;
  kernel.description = plan.description;
  kernel.setup = {kSetup, multiboot_setup(plan.entry)};
  for (const LoadPiece& piece : plan.pieces) {
    kernel.others.push_back({piece.address, copy_of(piece.bytes)});
    kernel.others.back().bytes.resize(piece.size);
  }
  return kernel;
}

}  // namespace

Result<FirmwareKernel> plan_firmware_kernel(const BootRequest& request, Gpa ram_end) {
  const std::string name = fmt::format("kernel '{}'", request.kernel_name);
  if (!is_linux_image(request.kernel) && is_multiboot(request.kernel))
    return plan_multiboot_kernel(request, ram_end);
  if (!is_linux_image(request.kernel))
    return fail(ErrorKind::kData,
                "{}: with --firmware a Linux bzImage or a multiboot kernel is expected", name);
  const LinuxSetup linux = KITE_TRY(parse_linux_setup(request.kernel, name));
  if (linux.version < kOldestProtocol || linux.setup.size() > kSetupRoom - kStackAndHeap)
    return fail(ErrorKind::kData,
                "{}: with --firmware, setup code of boot protocol 2.02 or later is expected", name);
  if (kLinuxProtectedModeLoad + linux.kernel.size() > ram_end)
    return fail(ErrorKind::kData, "{}: {} MiB, and the machine has {} MiB", name,
                linux.kernel.size() / MiB, ram_end / MiB);
  const u64 longest = std::min<u64>(linux.cmdline_size, layout::kCommandLineSize - 1);
  if (request.command_line.size() > longest)
    return fail(ErrorKind::kData, "command line of {} characters: {} takes at most {}",
                request.command_line.size(), name, longest);

  FirmwareKernel plan;
  plan.description = fmt::format("bzImage {}", linux.kernel_version);
  plan.setup = {kSetup, copy_of(linux.setup)};
  plan.kernel = {kLinuxProtectedModeLoad, copy_of(linux.kernel)};
  plan.command_line = {layout::kCommandLine,
                       {request.command_line.begin(), request.command_line.end()}};
  plan.command_line.bytes.push_back(0);
  if (!request.initrd.empty())
    plan.initrd = {KITE_TRY(place_initrd(request, linux, ram_end)), copy_of(request.initrd)};
  fill_header(plan);
  return plan;
}

}  // namespace kite
