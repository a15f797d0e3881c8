// TranslatorFigures: what a translator has done, summed over a machine's processors.
#pragma once

#include <string>
#include <vector>

#include "base/types.h"

namespace kite {

struct TranslatorFigures {
  u64 blocks = 0;       // translated, also those that are gone
  u64 guest_bytes = 0;  // of code in them
  u64 host_bytes = 0;   // of code made of it
  Nanos time = 0;       // spent on that
  u64 discarded = 0;    // blocks, because the guest wrote to their code
  u64 flushes = 0;      // of everything, because the code cache was full

  // Instructions that were left to the interpreter, by mnemonic.
  struct Declined {
    std::string name;
    u64 count = 0;
  };
  std::vector<Declined> declined;  // in any order
};

}  // namespace kite
