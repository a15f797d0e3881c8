// Kernel images of any content, planned for a machine of 4 MiB. The first byte chooses what the
// rest is wrapped in, so that random bytes get past the magic numbers.
#include <algorithm>
#include <string_view>
#include <vector>

#include "machine/boot/firmware_kernel.h"
#include "machine/boot/kernel_image.h"

namespace {

void put(std::vector<kite::u8>& file, std::size_t at, std::string_view text) {
  if (file.size() < at + text.size()) file.resize(at + text.size());
  std::copy(text.begin(), text.end(), file.begin() + static_cast<std::ptrdiff_t>(at));
}

std::vector<kite::u8> wrap(kite::u8 kind, std::vector<kite::u8> file) {
  using namespace std::string_view_literals;
  switch (kind % 8) {
    case 1:  // bzImage of 1 setup sector
      put(file, 0x202, "HdrS\x0f\x02"sv);
      put(file, 0x1f1, "\x01"sv);
      break;
    case 2:
      put(file, 0,
          "\x7f"
          "ELF\x02\x01\x01"sv);
      put(file, 16, "\x02\0\x3e\0"sv);
      put(file, 54, "\x38\0"sv);
      break;
    case 3:
      put(file, 0,
          "\x7f"
          "ELF\x01\x01\x01"sv);
      put(file, 16, "\x02\0\x03\0"sv);
      put(file, 42, "\x20\0"sv);
      break;
    case 4:  // multiboot with its own addresses
      put(file, 0, "\x02\xb0\xad\x1b\0\0\x01\0\xfe\x4f\x51\xe4"sv);
      break;
    case 5:
      put(file, 0, "\x1f\x8b\x08"sv);
      break;
    case 6:
      put(file, 0, "\x02\x21\x4c\x18"sv);
      break;
    default:
      break;
  }
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  if (size == 0) return 0;
  const auto file = wrap(data[0], {data + 1, data + size});
  static const kite::RamWindow kRam[] = {{0, 4 * kite::MiB}};
  kite::BootRequest request;
  request.kernel_name = "fuzz";
  request.kernel = file;
  request.initrd_name = "initrd";
  request.initrd = {data, std::min<std::size_t>(size, 64)};
  request.command_line = "quiet";
  request.memory_map = kite::e820_map(kRam);
  if (const auto plan = kite::plan_boot(request)) {
    for (const auto& piece : plan->pieces)
      if (piece.bytes.size() > piece.size || piece.address + piece.size > 4 * kite::MiB)
        __builtin_trap();
  }
  if (const auto plan = kite::plan_firmware_kernel(request, 4 * kite::MiB)) {
    for (const auto* part : {&plan->setup, &plan->command_line, &plan->kernel, &plan->initrd})
      if (part->address + part->bytes.size() > 4 * kite::MiB) __builtin_trap();
  }
  return 0;
}
