// Firmware that puts RAM in the place of its ROM by the 82441FX's PAM registers, as BIOSes do, and
// runs in it: the same on every accelerator, with each set of interrupt controllers.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "machine/machine.h"
#include "tests/conformance/set_ups.h"

namespace kite {
namespace {

namespace fs = std::filesystem;

// The values of a PAM register's fields (82441FX 3.2.15).
enum Pam : u8 { kRom = 0, kReadRam = 1, kWriteRam = 2, kRam = 3 };

constexpr unsigned kSegments = 13;  // twelve of 16 KiB from C0000h, then the 64 KiB from F0000h
constexpr u16 kBios = 0xf000, kExtension = 0xe000, kOptionRom = 0xc000;

u16 selector_of(unsigned segment) {
  return static_cast<u16>(kOptionRom + segment * 0x400);
}

// A 128 KiB ROM. Its program is in real mode and has no loops: each line here is what it does at
// that place, and what it must then find.
class Firmware {
 public:
  static constexpr u16 kFunction = 0x100;  // in the first half: mov al, 55h; retf
  static constexpr u8 kFunctionSays = 0x55;

  Firmware() : rom_(128 * KiB) {
    for (std::size_t i = 0; i < rom_.size(); ++i) rom_[i] = rom_byte(i);
    put(kFunction, {0xb0, kFunctionSays, 0xcb});
    put(rom_.size() - 16, {0xe9, 0x0d, 0x00});               // FFF0h: jmp 0
    emit({0x31, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x70, 0xfc});  // ss = 0; sp = 7000h; cld
  }
  static u8 rom_byte(std::size_t offset) { return static_cast<u8>(0x40 + offset / 4096); }

  void set(unsigned segment, Pam access) {
    const unsigned nibble = segment + 1 == kSegments ? 1 : segment + 2;  // of 59h to 5Fh
    u8& value = pam_[nibble / 2];
    const int shift = nibble % 2 * 4;
    value = static_cast<u8>((value & ~(0xf << shift)) | access << shift);
    const unsigned offset = 0x59 + nibble / 2;
    emit({0x66, 0xb8, static_cast<u8>(offset & ~3u), 0, 0, 0x80});  // mov eax, the register
    emit({0xba, 0xf8, 0x0c, 0x66, 0xef});                           // mov dx, 0cf8h; out dx, eax
    emit({0xba, static_cast<u8>(0xfc + offset % 4), 0x0c});         // mov dx, 0cfch + its byte
    emit({0xb0, value, 0xee});                                      // mov al, value; out dx, al
  }
  void write(u16 selector, u16 offset, u8 value) {
    select(selector);
    emit({0xc6, 0x06, low(offset), high(offset), value});  // mov byte [offset], value
  }
  void expect(u16 selector, u16 offset, u8 wanted) {
    select(selector);
    emit({0xa0, low(offset), high(offset)});  // mov al, [offset]
    say(wanted);
  }
  // Calls kFunction of the selector's segment; it comes back to F000h, whatever CS was.
  void expect_of_call(u16 selector, u8 wanted) {
    emit({0x9a, low(kFunction), high(kFunction), low(selector), high(selector)});
    say(wanted);
  }
  // Copies the first `size` bytes of the segment onto themselves.
  void copy_onto_itself(u16 selector, u16 size) {
    select(selector);
    emit({0x8e, 0xc0, 0x31, 0xf6, 0x31, 0xff});       // mov es, ax; si = di = 0
    emit({0xb9, low(size), high(size), 0xf3, 0xa4});  // mov cx, size; rep movsb
  }
  // The place of the operand of a `mov al, wanted` that is said next.
  u16 say_operand(u8 in_rom, u8 wanted) {
    emit({0xb0, in_rom});
    const u16 place = static_cast<u16>(at_ - kCode - 1);
    say(wanted);
    return place;
  }
  // Where what is emitted next will be.
  u16 here() const { return static_cast<u16>(at_ - kCode); }
  void leave() { emit({0xb0, 0x00, 0xe6, 0xf4, 0xf4}); }  // 0 to the exit port; hlt

  const std::vector<u8>& rom() const { return rom_; }
  const std::string& wanted() const { return wanted_; }

 private:
  static constexpr std::size_t kCode = 64 * KiB;
  static u8 low(u16 value) { return static_cast<u8>(value); }
  static u8 high(u16 value) { return static_cast<u8>(value >> 8); }
  void put(std::size_t offset, std::initializer_list<u8> bytes) {
    std::ranges::copy(bytes, rom_.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  void emit(std::initializer_list<u8> bytes) {
    put(at_, bytes);
    at_ += bytes.size();
  }
  void select(u16 selector) {
    emit({0xb8, low(selector), high(selector), 0x8e, 0xd8});  // mov ax, selector; mov ds, ax
  }
  void say(u8 wanted) {
    emit({0xe6, 0xe9});  // out 0e9h, al
    wanted_ += static_cast<char>(wanted);
  }

  std::vector<u8> rom_;
  std::size_t at_ = kCode;
  std::array<u8, 7> pam_{};
  std::string wanted_;
};

class ShadowMemory : public testing::TestWithParam<std::string> {
 protected:
  void expect_run(Firmware& firmware) {
    firmware.leave();
    ASSERT_LT(firmware.here(), kCopied);
    const std::string name = testing::TempDir() + "kite-shadow-" + std::to_string(::getpid());
    std::ofstream(name + ".rom", std::ios::binary)
        .write(reinterpret_cast<const char*>(firmware.rom().data()),
               static_cast<std::streamsize>(firmware.rom().size()));
    MachineConfig config;
    config.machine = "pc";
    config.accel = GetParam();
    config.memory_size = 16 * MiB;
    config.firmware = name + ".rom";
    config.serial = {};
    config.debug_console = {.kind = CharConfig::Kind::kFile, .path = name, .host = {}};
    config.timeout = 60 * kSecond;
    auto machine = Machine::create(config);
    const Outcome outcome = machine ? (*machine)->run() : outcome_of(machine.error());
    std::ifstream file(name, std::ios::binary);
    const std::string said{std::istreambuf_iterator<char>(file), {}};
    fs::remove(name);
    fs::remove(name + ".rom");
    if (outcome.status == static_cast<int>(ErrorKind::kUnavailable)) GTEST_SKIP() << outcome.reason;
    EXPECT_EQ(outcome.kind, OutcomeKind::kExitValue) << describe(outcome);
    ASSERT_EQ(said.size(), firmware.wanted().size());
    for (std::size_t i = 0; i < said.size(); ++i)
      EXPECT_EQ(unsigned{static_cast<u8>(said[i])}, unsigned{static_cast<u8>(firmware.wanted()[i])})
          << "value " << i;
  }
  static constexpr u16 kCopied = 0x1000;
};

// Each has its own value in RAM, and none shows through another.
TEST_P(ShadowMemory, EverySegmentIsSwitchedByItself) {
  constexpr u16 kPlace = 0x2345;
  const auto in_rom = [](unsigned segment) {
    const std::size_t address = segment * 16 * KiB + kPlace;  // from C0000h on
    return address < 128 * KiB ? u8{0xff} : Firmware::rom_byte(address - 128 * KiB);
  };
  Firmware firmware;
  for (unsigned i = 0; i < kSegments; ++i) {
    const u16 selector = selector_of(i);
    const u8 value = static_cast<u8>(0x80 + i);
    firmware.expect(selector, kPlace, in_rom(i));
    firmware.set(i, kWriteRam);
    firmware.write(selector, kPlace, value);
    firmware.expect(selector, kPlace, in_rom(i));
    firmware.set(i, kReadRam);
    firmware.expect(selector, kPlace, value);
    firmware.write(selector, kPlace, 0x11);
    firmware.expect(selector, kPlace, value);
  }
  for (unsigned i = 0; i < kSegments; ++i) firmware.expect(selector_of(i), kPlace, u8(0x80 + i));
  for (unsigned i = 0; i < kSegments; i += 2) {
    firmware.set(i, kRam);
    firmware.write(selector_of(i), kPlace, static_cast<u8>(0xa0 + i));
    firmware.expect(selector_of(i), kPlace, static_cast<u8>(0xa0 + i));
    firmware.set(i, kRom);
    firmware.write(selector_of(i), kPlace, 0x22);
  }
  for (unsigned i = 0; i < kSegments; ++i)
    firmware.expect(selector_of(i), kPlace, i % 2 ? static_cast<u8>(0x80 + i) : in_rom(i));
  for (unsigned i = 0; i < kSegments; i += 2) {
    firmware.set(i, kReadRam);
    firmware.expect(selector_of(i), kPlace, static_cast<u8>(0xa0 + i));
  }
  expect_run(firmware);
}

// A function at one address: in ROM, in RAM that cannot be written, in RAM that can, in ROM again.
TEST_P(ShadowMemory, CodeIsThatOfWhatIsThere) {
  constexpr unsigned kSegment = 8;
  static_assert(kExtension == kOptionRom + kSegment * 0x400);
  const auto rewrite = [](Firmware& firmware, u8 says) {
    const u8 code[] = {0xb0, says, 0xcb};
    for (u16 i = 0; i < 3; ++i)
      firmware.write(kExtension, static_cast<u16>(Firmware::kFunction + i), code[i]);
  };
  Firmware firmware;
  for (u8 round = 0; round < 3; ++round) {
    const u8 says = static_cast<u8>(0x60 + 4 * round);
    firmware.expect_of_call(kExtension, Firmware::kFunctionSays);
    firmware.set(kSegment, kWriteRam);
    rewrite(firmware, says);
    firmware.expect_of_call(kExtension, Firmware::kFunctionSays);
    firmware.set(kSegment, kReadRam);
    firmware.expect_of_call(kExtension, says);
    rewrite(firmware, static_cast<u8>(says + 1));
    firmware.expect_of_call(kExtension, says);
    firmware.set(kSegment, kRam);
    rewrite(firmware, static_cast<u8>(says + 2));
    firmware.expect_of_call(kExtension, static_cast<u8>(says + 2));
    firmware.set(kSegment, kRom);
    rewrite(firmware, static_cast<u8>(says + 3));
  }
  firmware.expect_of_call(kExtension, Firmware::kFunctionSays);
  expect_run(firmware);
}

// It reads the ROM and writes the RAM of the same addresses, and goes on in the copy, which it then
// changes before its own feet.
TEST_P(ShadowMemory, FirmwareCopiesItselfAndGoesOnInTheCopy) {
  constexpr unsigned kSegment = kSegments - 1;
  Firmware firmware;
  firmware.expect_of_call(kExtension, Firmware::kFunctionSays);  // from now on below 1 MiB
  firmware.set(kSegment, kWriteRam);
  firmware.copy_onto_itself(kBios, kCopied);
  firmware.set(kSegment, kRam);
  firmware.expect(kBios, kCopied, 0);  // behind the copy
  constexpr u16 kWriteSize = 10;
  const u16 operand = static_cast<u16>(firmware.here() + kWriteSize + 1);
  firmware.write(kBios, operand, 0x5b);
  EXPECT_EQ(firmware.say_operand(0x5a, 0x5b), operand);
  firmware.set(kSegment, kReadRam);
  firmware.write(kBios, static_cast<u16>(firmware.here() + kWriteSize + 1), 0x5b);
  firmware.say_operand(0x5c, 0x5c);
  firmware.set(kSegment, kRom);
  firmware.say_operand(0x5d, 0x5d);
  firmware.expect(kBios, kCopied, Firmware::rom_byte(64 * KiB + kCopied));
  expect_run(firmware);
}

INSTANTIATE_TEST_SUITE_P(Every, ShadowMemory, testing::ValuesIn(set_ups()),
                         [](const auto& info) { return name_of_set_up(info.param); });

}  // namespace
}  // namespace kite
