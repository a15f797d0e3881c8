// The ram back end: anonymous memory, which no other process can be handed.
#include "memory/backend_kinds.h"
#include "memory/mapping.h"

namespace kite {

Result<HostMemory> allocate_ram(const BackendConfig& config) {
  KITE_CHECK(check_alignment(config, -1));
  KITE_CHECK(check_total_memory(config));
  MapRequest request;
  request.shared = config.share.value_or(false);
  return map_memory(config, std::move(request));
}

}  // namespace kite
