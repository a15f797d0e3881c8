// Board: a machine type, as `kite list machines` shows it and `--machine` names it.
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"

namespace kite {

class MachineBuild;

struct Board {
  std::string_view name;
  std::string_view description;
  // Adds chips, wires them and maps them.
  Result<> (*build)(MachineBuild& machine);
  unsigned max_cpus = 1;
  bool has_interrupts = true;  // interrupt controllers and timers
};

// The board that has a ROM socket and a disk controller.
inline constexpr std::string_view kPcBoard = "pc";

// The default one first.
std::span<const Board> boards();
// Errors name the closest existing board.
Result<const Board*> find_board(std::string_view name);

}  // namespace kite
