// CallMaker: random functions that call each other and do not always return where they were called
// from.
//
// Every word of the data pages is the address of a function, and so is whatever a stack that has
// run empty holds. A countdown in EBP ends the program. EAX gathers which way it went.
#pragma once

#include "tests/isa/translator/block_comparison.h"

namespace kite::oracle {

class CallMaker final : public ProgramMaker {
 public:
  explicit CallMaker(bool code64) : code64_(code64) {}

  // All programs of a batch are the same functions, from different starts.
  void begin(Pool& pool, Random& random) override;
  Program make(u64 slot, Random& random) override;
  bool is_fair(const Program&, const std::vector<CodeChange>&) const override { return true; }

 private:
  u64 below(u64 limit) { return random_->below(limit); }
  u64 any_function() { return functions_[below(functions_.size())]; }
  u64 word() const { return code64_ ? 8 : 4; }
  u64 here() const { return kCodeBase + code_.size(); }
  void put(std::initializer_list<u8> bytes) { code_.insert(code_.end(), bytes); }
  void put32(u64 value);
  // REX.W, where there is one.
  void put_wide() {
    if (code64_) put({0x48});
  }
  void jump(u8 opcode, u64 target);
  void load_target(bool spilled);
  void through_table(u8 modrm);

  void function();
  void action();
  void call();
  void on_the_stack();
  void repeat();
  void loop();
  void change_a_function();
  void end();

  const bool code64_;
  Random* random_ = nullptr;
  std::vector<u64> functions_;
  std::vector<u8> code_;
};

}  // namespace kite::oracle
