// FixedName: a file's name that stays what it is and where it is, so that a sandbox can allow it.
//
// Purpose. A filter of system calls sees the address of a name and not its letters. Allowing a
// call with that one address means something only if nobody can change the letters or put other
// memory in their place. So these names lie in a few pages that are made read-only for good before
// the sandbox closes, at an address below everything else in the process: the filter then allows
// calls that change mappings only above fixed_names::end().
//
// Where the host has no such place, or it is full, a FixedName is an ordinary string, which a
// sandbox knows nothing of and does not allow.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace kite {

class FixedName {
 public:
  enum class Use {
    kRead,       // opened for reading
    kReadWrite,  // opened for both, as it is
    kReplace,    // written anew, renamed to another such name, or removed
    kRemove,     // removed
  };
  FixedName(std::string_view name, Use use);
  ~FixedName();
  FixedName(const FixedName&) = delete;
  FixedName& operator=(const FixedName&) = delete;

  const char* c_str() const { return place_; }
  bool empty() const { return *place_ == '\0'; }

 private:
  const std::string own_;  // where it is an ordinary string
  const char* place_;
};

namespace fixed_names {

struct Entry {
  const char* place;
  FixedName::Use use;
};

// Nothing changes from now on: those that are there stay to the end of the process, later ones are
// ordinary strings.
Result<> seal();
// Those in the fixed place.
std::vector<Entry> entries();
// Everything the process can map, unmap or protect afterwards lies here or above.
u64 end();

}  // namespace fixed_names

}  // namespace kite
