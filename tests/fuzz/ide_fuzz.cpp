#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "devices/storage/ata_disk.h"
#include "devices/storage/atapi_cdrom.h"
#include "devices/storage/ide_channel.h"
#include "register_script.h"

namespace kite {
namespace {

// A disk of 40 KiB that lives as long as the process, without a name.
std::unique_ptr<DiskImage> image(bool readonly) {
  static const int fd = [] {
    char name[] = "/tmp/kite-ide-fuzz-XXXXXX";
    const int made = ::mkstemp(name);
    if (made < 0 || ::ftruncate(made, 40 * 1024) != 0) std::abort();
    ::unlink(name);
    return made;
  }();
  return std::move(*DiskImage::open("/dev/fd/" + std::to_string(fd), readonly));
}

struct Channel : IdeChannel {
  Channel()
      : IdeChannel(Line([](bool) {}), std::make_unique<AtaDisk>(image(false)),
                   std::make_unique<AtapiCdrom>(image(true))) {}
};

}  // namespace
}  // namespace kite

// Steps beside single accesses: a whole sector of data, a packet made of the value, control.
extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  using kite::IdeChannel;
  kite::ManualClock clock;
  kite::Channel chip, other;
  auto& ports = chip.command_ports();
  const auto step = [&](kite::u8 what, kite::u16 value) {
    if (what % 4 == 0) {
      for (int i = 0; i < 256; ++i) ports.read(0, 2);
    } else if (what % 4 == 1) {
      for (int i = 0; i < 256; ++i) ports.write(0, value, 2);
    } else if (what % 4 == 2) {
      constexpr kite::u8 kPackets[] = {0x28, 0xa8, 0xbe, 0x43, 0x03, 0x12, 0x5a, 0x4a};
      ports.write(6, 0xb0, 1);
      ports.write(7, 0xa0, 1);
      ports.write(0, kPackets[value & 7] | value >> 8 << 8, 2);
      for (int i = 0; i < 5; ++i) ports.write(0, value >> (3 * i), 2);
    } else {
      chip.control_ports().write(0, value, 1);
      if (value == 0) chip.reset();
    }
  };
  kite::fuzz::run_script(data, size, ports, IdeChannel::kCommandSize, clock, step);
  kite::fuzz::move_state(chip, other, data, size);
  kite::fuzz::run_script(data, size, other.command_ports(), IdeChannel::kCommandSize, clock);
  return 0;
}
