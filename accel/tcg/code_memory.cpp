#include "accel/tcg/code_memory.h"

#include <sys/mman.h>

#include <cerrno>

#include "memory/backend.h"

namespace kite::tcg {

namespace {

// What guest RAM is made of here, memfd or shm, is shared memory without a name.
BackendConfig backend_config(std::size_t bytes) {
  BackendConfig config;
  config.kind = backends().front().name;
  config.size = bytes;
  config.executable = true;
  return config;
}

Error in_words(std::size_t bytes, const Error& error) {
  return {error.kind, fmt::format("code cache of {} bytes: {}", bytes, error.message)};
}

}  // namespace

Result<CodeMemory> CodeMemory::create(std::size_t bytes) {
  const auto error = [bytes](const Error& why) { return in_words(bytes, why); };
  HostMemory memory = KITE_TRY(allocate(backend_config(bytes)).map_error(error));
  void* view = ::mmap(nullptr, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, memory.fd(), 0);
  if (view == MAP_FAILED)
    return Result<CodeMemory>(fail_errno(ErrorKind::kUnavailable, errno,
                                         "this host maps no memory that can be executed"))
        .map_error(error);
  return CodeMemory(std::move(memory), static_cast<const u8*>(view));
}

CodeMemory& CodeMemory::operator=(CodeMemory&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(executable_, other.executable_);
  return *this;
}

CodeMemory::~CodeMemory() {
  if (executable_ != nullptr) ::munmap(const_cast<u8*>(executable_), size());
}

}  // namespace kite::tcg
