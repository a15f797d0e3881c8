// The words of `--disk`.
#pragma once

#include <string_view>

#include "base/result.h"
#include "machine/config.h"

namespace kite {

// FILE[,media=cdrom|disk][,readonly=on|off]. Without `media`, a name that ends in .iso is a CD-ROM,
// which is always read-only. Errors (kUsage) name the word and what was expected.
Result<DiskConfig> parse_disk(std::string_view text);

}  // namespace kite
