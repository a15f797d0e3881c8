// Which back end knows which option: read by the parser and by the check before allocating.
#pragma once

#include <string_view>

#include "memory/backend.h"

namespace kite {

// The back end called `kind`, or an error that says what there is.
Result<const Backend*> find_backend(std::string_view kind);

// Does back end `kind` have that option? Options are named as on the command line.
bool option_applies(std::string_view kind, std::string_view option);

}  // namespace kite
