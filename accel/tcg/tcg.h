// TCG: Kite's own engine, as an accelerator. It runs on every host.
#pragma once

#include "accel/accelerator.h"

namespace kite {

const AcceleratorKind& tcg_kind();

}  // namespace kite
