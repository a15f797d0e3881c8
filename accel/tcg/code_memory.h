// CodeMemory: memory for generated code, mapped twice: once to be written, once to be executed.
//
// No page of the process can be both written and executed: a stray store by Kite cannot change
// what runs, and hosts that forbid such pages (OpenBSD, hardened Linux) are served like the others.
// The price is that code has two addresses: it is written at one and runs at the other, always as
// far apart. An x86 needs nothing else between the two; a thread that runs what another one wrote
// must have been told of it (SDM 3A 8.1.3).
#pragma once

#include <cstddef>
#include <utility>

#include "base/result.h"
#include "base/types.h"
#include "memory/host_memory.h"

namespace kite::tcg {

class CodeMemory {
 public:
  // `bytes`: a multiple of the host's page size. The host provides pages as they are written to;
  // where shared memory is a file system of limited size, they are reserved here. An error names
  // the size. Before a sandbox closes, which allows no executable mapping.
  static Result<CodeMemory> create(std::size_t bytes);

  CodeMemory(CodeMemory&& other) noexcept
      : memory_(std::move(other.memory_)), executable_(std::exchange(other.executable_, nullptr)) {}
  CodeMemory& operator=(CodeMemory&& other) noexcept;
  ~CodeMemory();

  // Both views begin at a page; nothing guards their ends.
  u8* writable() const { return memory_.data(); }
  const u8* executable() const { return executable_; }
  std::size_t size() const { return memory_.size(); }

 private:
  CodeMemory(HostMemory memory, const u8* executable)
      : memory_(std::move(memory)), executable_(executable) {}

  HostMemory memory_;  // the writable view
  const u8* executable_;
};

}  // namespace kite::tcg
