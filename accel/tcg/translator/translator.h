// Translator: runs guest code on the host's own silicon, block by block.
//
// A block of the code cache is translated when it is reached for the second time (BlockWriter says
// how), into memory that is filled from the start; when that is full everything is forgotten and it
// begins again. Translated code is left, into C++,
//   * on the *slow way*: the handler of one instruction is called, and code goes on behind it;
//   * when a block's successor is not known yet, or something wants attention: run() returns.
// The guest's registers are in the host's between run()'s beginning and end, and in Cpu whenever
// C++ looks.
//
// Who knows translated code by address: the blocks themselves, jumps that were linked to them, and
// the JumpTable. All three are undone when the code cache says that a block's bytes have changed.
#pragma once

#include <vector>

#include "accel/tcg/block_runner.h"
#include "accel/tcg/code_cache.h"
#include "accel/tcg/code_memory.h"
#include "accel/tcg/translator/block_writer.h"
#include "accel/tcg/translator/jump_table.h"
#include "accel/tcg/translator/present_memory.h"

namespace kite::tcg {

class Translator final : public BlockRunner {
 public:
  // `memory`: for translated code. Behind prepare_block_runners().
  static Result<std::unique_ptr<Translator>> create(Cpu& cpu, CodeMemory memory, TableKind tables);

  // By handlers, before a block is translated: much of what boots a kernel runs once. Tests whose
  // code does set 0.
  static inline u8 runs_before = 1;

  std::optional<Ran> run(Block& block) override;
  std::optional<Ran> run_alone(Block& block, u64 expected) override;
  void retired(Block& block) override;
  void forget_page(u64 linear) override;
  void flush() override;
  void add_to(TranslatorFigures& figures) const override;

  // Of a fault at `pc` in translated code: where to go on. Null: it is not ours. Async-signal-safe.
  const u8* way_out(const u8* pc);

 private:
  Translator(Cpu& cpu, CodeMemory memory, TableKind tables);

  using Enter = void (*)(Translator* self, const u8* code);

  bool can_run(const Block& block) const;
  bool translate(Block& block);
  bool has_room(const Block& block);
  void add_jump(const Block& block);
  void link(Block& target);
  void link_guarded(u32 number, Block& target);
  const u8* way_in(const Site& site, const Block& target) const;
  u64 guard(const Site& site) const;
  void set_guard(const Site& site, u64 value);
  const u8* jump(const Site& site) const;
  void unlink(const Site& site);
  void set_jump(const Site& site, const u8* target);
  void fill_frame(Frame& frame);
  void take_system_state(const Frame& frame);
  bool renew_shared(Frame& frame, u32 number);
  void share_less(Block& block);
  void undo(Block& block);

  // Called by translated code (common_code.cpp).
  static const u8* begin(Translator* self, Frame* frame, const u8* code);
  static const u8* slow(Translator* self, Frame* frame, u32 site);
  const u8* slow_way(Frame& frame, u32 site);
  u32 polls();
  bool can_go_on(const Block& block) const;
  void count_declined(const Insn& insn);
  void refuse_target(const Insn& branch);
  void stop(const Frame& frame);
  void find_context();
  Ran enter(const Block& block);

  void write_common_code();
  void write_retry(Emitter& code);
  void write_save(Emitter& code);
  void write_load(Emitter& code);
  void write_save_vectors(Emitter& code);
  void write_load_vectors(Emitter& code);

  const u8* executable(const u8* writable) const {
    return memory_.executable() + (writable - memory_.writable());
  }

  Cpu& cpu_;
  CodeMemory memory_;
  Treatments treatments_;
  CommonCode common_;
  Enter enter_ = nullptr;
  std::size_t first_ = 0;  // byte that is not common code
  std::size_t used_ = 0;
  u8* island_ = nullptr;  // the last one (block_writer.h)
  // Allocated for most runs at once.
  std::vector<Site> sites_;
  PresentMemory code_present_, sites_present_;
  std::vector<FaultPlace> faults_;
  std::vector<SharedCheck> shared_;
  std::vector<u64> declined_;  // executed by their handlers, by row
  TranslatorFigures figures_;  // but for what declined_ has
  JumpTable jumps_;
  FastTable nothing_;
  const Block* alone_ = nullptr;  // the one block that runs
  u32 faulted_ = 0;  // the site of the instruction that faulted on the host, until that is seen to
  bool alone_from_here_ = false;  // the last run ended for want of a word that accesses share
  u32 exit_ = 0;                  // the site by which the last run ended, to be linked
  Ran ran_ = {};
  u64 context_space_ = 0;  // what context_ was computed for
  u64 context_ = 0;
  u16 context_mode_ = 0;
};

}  // namespace kite::tcg
