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

}  // namespace

Result<FirmwareKernel> plan_firmware_kernel(const BootRequest& request, Gpa ram_end) {
  const std::string name = fmt::format("kernel '{}'", request.kernel_name);
  if (!is_linux_image(request.kernel))
    return fail(ErrorKind::kData, "{}: with --firmware a Linux bzImage is expected", name);
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
