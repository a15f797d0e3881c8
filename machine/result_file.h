// ResultFile: the file of --result, which gets the Outcome as JSON at the end of a run.
#pragma once

#include <string>

#include "base/fixed_name.h"
#include "machine/config.h"
#include "machine/outcome.h"

namespace kite {

// Looks at the path once, so that a sandboxed machine needs nothing but its fixed names at the end.
class ResultFile {
 public:
  explicit ResultFile(const std::string& path);

  // An error if write() could not succeed; asked at start, not at the end.
  Result<> check() const;
  // Atomically, unless it is a device or a pipe.
  Result<> write(const MachineConfig& config, const Outcome& outcome) const;

 private:
  const std::string path_;
  const bool in_place_;
  const FixedName name_, temporary_;
};

}  // namespace kite
