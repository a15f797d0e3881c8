#include "devices/host/char_backend.h"

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  static constexpr const char* kStarts[] = {"", "unix:", "tcp:", "tcp:[", "file:"};
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  static_cast<void>(kite::parse_char_backend(kStarts[data[0] % 5] + text));
  return 0;
}
