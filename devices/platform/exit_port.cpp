#include "devices/platform/exit_port.h"

namespace kite {

void ExitPort::write(u64, u64 value, unsigned) {
  if (on_exit_) on_exit_((static_cast<u32>(value) << 1) | 1);
}

}  // namespace kite
