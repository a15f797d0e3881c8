// A seccomp filter in the making, and its program for the kernel.
#pragma once

#include <linux/filter.h>
#include <seccomp.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace kite::sandbox {

using Program = std::vector<sock_filter>;

// A comparison of one argument of a call; all of a rule's must hold, one for each argument.
struct When {
  scmp_arg_cmp compare;

  static When equal(unsigned argument, u64 value);
  static When above(unsigned argument, u64 value);
  // (argument & mask) == value
  static When masked(unsigned argument, u64 mask, u64 value);
};

// Whatever is not allowed raises SIGSYS.
class FilterBuilder {
 public:
  FilterBuilder();
  ~FilterBuilder();
  FilterBuilder(const FilterBuilder&) = delete;
  FilterBuilder& operator=(const FilterBuilder&) = delete;

  // Several rules of one call are alternatives.
  void allow(int call, std::initializer_list<When> when = {});
  // Fails with `error`, for what the C library tries and can do without.
  void refuse(int call, int error, std::initializer_list<When> when = {});
  // Allowed before anything else is looked at: for the call that a vCPU makes at every exit, and
  // where libseccomp, which has an order of its own, would take another rule first. Masks cover no
  // more than an argument's lower half.
  void allow_first(int call, std::initializer_list<When> when);

  // An error of any step above, or the program.
  Result<Program> finish();

 private:
  void add(u32 action, int call, std::initializer_list<When> when);
  void note(int result, const char* what, int call);

  scmp_filter_ctx context_;
  Program first_;
  std::string problem_;  // the first
};

// The program for the calling thread; it cannot be taken back.
Result<> load(const Program& program);

}  // namespace kite::sandbox
