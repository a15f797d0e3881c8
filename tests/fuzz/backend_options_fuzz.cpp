// parse_backend on any text: an error or a config that allocate() would accept or refuse in words.
#include <cstdlib>
#include <string>

#include "memory/backend.h"

namespace {

// Random bytes rarely spell an option, so half the inputs are built from words.
constexpr const char* kWords[] = {"memfd",     "shm",
                                  "ram",       "file",
                                  "size",      "share",
                                  "prealloc",  "prealloc-threads",
                                  "merge",     "dump",
                                  "reserve",   "host-nodes",
                                  "policy",    "seal",
                                  "hugetlb",   "hugetlbsize",
                                  "mem-path",  "offset",
                                  "align",     "readonly",
                                  "rom",       "discard-data",
                                  "on",        "off",
                                  "auto",      "=",
                                  "=",         "=",
                                  ",",         ",",
                                  ",",         ",,",
                                  "0",         "1",
                                  "4096",      "18446744073709551615",
                                  "2M",        "1T",
                                  "16777216T", "-",
                                  "0-3",       "bind"};

std::string text_of(const kite::u8* data, std::size_t size) {
  if (size == 0 || data[0] % 2 == 0) return {reinterpret_cast<const char*>(data), size};
  std::string text;
  for (std::size_t i = 1; i < size; ++i) text += kWords[data[i] % std::size(kWords)];
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  const std::string text = text_of(data, size);
  auto config = kite::parse_backend(text);
  if (!config &&
      (config.error().message.empty() || config.error().kind == kite::ErrorKind::kInternal))
    std::abort();
  // A parsed text names a back end of this host and bounds what allocate() is asked to do.
  if (config && (config->host_nodes.size() > 4096 || config->prealloc_threads > 256)) std::abort();
  return 0;
}
