#include "machine/boards/board.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "machine/boards/builders.h"

namespace kite {
namespace {

constexpr Board kBoards[] = {
    {"microvm", "no PCI, no firmware: timers, interrupt controllers, serial port, ACPI",
     build_microvm, 255},
    {kPcBoard, "i440FX and PIIX3: PCI, IDE disks, and a socket for a firmware image", build_pc,
     255},
    // Without local APICs no processor can start another.
    {"bare", "RAM, serial port, exit port and debug console: for tests", build_bare, 1, false},
};

// Levenshtein's distance, for "did you mean".
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); i++) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); j++) {
      std::size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::span<const Board> boards() {
  return kBoards;
}

Result<const Board*> find_board(std::string_view name) {
  const Board* closest = &kBoards[0];
  std::string names;
  for (const Board& board : kBoards) {
    if (board.name == name) return &board;
    if (distance(name, board.name) < distance(name, closest->name)) closest = &board;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", board.name);
  }
  return fail(ErrorKind::kUsage, "--machine {}: no such machine; did you mean {}? There are {}",
              name, closest->name, names);
}

}  // namespace kite
