// TCG: Kite's own engine, as an accelerator. It runs on every host.
#pragma once

#include "accel/accelerator.h"

namespace kite {

const AcceleratorKind& tcg_kind();

// Loads what `--trace cpu` needs, if that is on. Before a sandbox closes.
void prepare_tcg_trace();

}  // namespace kite
