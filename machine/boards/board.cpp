#include "machine/boards/board.h"

#include <string>

#include "base/edit_distance.h"
#include "machine/boards/builders.h"

namespace kite {
namespace {

constexpr Board kBoards[] = {
    {"microvm", "no PCI, no firmware: timers, interrupt controllers, serial port, ACPI",
     build_microvm, 255},
    {kPcBoard, "i440FX and PIIX3: PCI, IDE disks, and a socket for a firmware image", build_pc,
     255},
    // Without local APICs no processor can start another.
    {"bare", "RAM, serial port, exit port and debug console: for tests", build_bare},
};

}  // namespace

std::span<const Board> boards() {
  return kBoards;
}

Result<const Board*> find_board(std::string_view name) {
  const Board* closest = &kBoards[0];
  std::string names;
  for (const Board& board : kBoards) {
    if (board.name == name) return &board;
    if (edit_distance(name, board.name) < edit_distance(name, closest->name)) closest = &board;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", board.name);
  }
  return fail(ErrorKind::kUsage, "--machine {}: no such machine; did you mean {}? There are {}",
              name, closest->name, names);
}

}  // namespace kite
