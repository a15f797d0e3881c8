// Campaign: case after case on KVM and in the interpreter.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>

#include "tests/isa/ring0/interpreter.h"
#include "tests/isa/ring0/kvm_guest.h"
#include "tests/isa/ring0/reviewed.h"

namespace kite::ring0 {

class Campaign {
 public:
  // Errors tell why this host's KVM cannot be asked.
  static Result<std::unique_ptr<Campaign>> create(u64 seed);

  void run(u64 number);

  u64 cases() const { return cases_; }
  u64 unjudged() const { return unjudged_; }
  u64 forgiven() const { return forgiven_; }  // differ as the reviewed list says
  u64 unexplained() const { return unexplained_; }
  // Was the reviewed list made beside a KVM like this one?
  bool is_kvm_of_the_list() const;
  // How often each review applied, what was not judged, by instruction and reason.
  std::string summary() const;
  // One paragraph for each kind of difference that nobody has reviewed, with a first example.
  std::string report() const;

 private:
  Campaign(u64 seed, std::unique_ptr<KvmRunner> kvm);
  void probe();
  // Why this KVM's answer to a case says nothing; empty if it does.
  std::string_view mute() const;
  void judge(u64 number);

  struct Finding {
    u64 count = 0;
    std::string first;
  };
  const u64 seed_;
  std::unique_ptr<KvmRunner> kvm_;
  InterpreterRunner interpreter_;
  // What the first probing has found out about this KVM.
  std::array<std::array<bool, 2>, kModes> runs_ = {};  // the mode, at level 0 and 3
  bool ud_for_unknown_ = false;  // at level 3, in place of what its emulator lacks
  Case test_;
  Outcome theirs_, ours_, again_;
  u64 cases_ = 0, unjudged_ = 0, forgiven_ = 0, unexplained_ = 0;
  std::map<std::string, u64> not_judged_;
  std::map<std::string_view, u64> applied_;  // by Review::what
  std::map<std::string, Finding> findings_;
};

}  // namespace kite::ring0
