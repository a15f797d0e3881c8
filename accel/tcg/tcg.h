// TCG: Kite's own engine, as an accelerator. It runs on every host.
#pragma once

#include "accel/accelerator.h"

namespace kite {

const AcceleratorKind& tcg_kind();

// Does `options` ask for a translator that this build or host has not?
Result<> check_tcg_options(const AcceleratorOptions& options);

// Loads what `--trace cpu` needs, if that is on. Before a sandbox closes.
void prepare_tcg_trace();

}  // namespace kite
