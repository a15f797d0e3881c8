// BlockWriter: one block of guest code, written for the host.
//
// What becomes of an instruction that computes is the same instruction with the host's register
// numbers. What it reaches in memory is found first: its linear address into kAddress, then what is
// to be added for the host's (FastTables) into kScratch, and if that is not known it goes the slow
// way, where the instruction's handler does all of it. So a fault, a device, a page not seen yet, a
// page with code, a misaligned access across pages: none of them is this file's business.
//
// The guest's arithmetic flags are the host's all the time. So nothing here may touch them but the
// guest's own instructions, and everything is done with LEA, MOV, RORX, SHRX and JRCXZ. They are
// exact wherever somebody looks.
//
// JRCXZ reaches 127 bytes. The jump to the slow way that it takes is an *island*: every jump to the
// slow way is one for those around it, and where there is none just ahead of a block one is put
// there.
#pragma once

#include <optional>
#include <vector>

#include "accel/tcg/code_cache.h"
#include "accel/tcg/translator/emitter.h"
#include "accel/tcg/translator/frame.h"
#include "accel/tcg/translator/guest_code.h"
#include "accel/tcg/translator/memory_use.h"
#include "accel/tcg/translator/site.h"
#include "accel/tcg/translator/treatment.h"

namespace kite::tcg {

// Where common code is, in the writable view.
struct CommonCode {
  const u8* slow = nullptr;          // with the number of the site in kValue
  const u8* exit = nullptr;          // with the number of the site behind a CALL
  const u8* load_vectors = nullptr;  // a subroutine
  const u8* retry = nullptr;         // a subroutine, of find_indirect()
  const u8* faulted = nullptr;       // with the number of the site in Translator::faulted_
  const u8* stop = nullptr;          // in the JumpTable: ends the run there
  TableKind tables = TableKind::kFlat;
};

// Also of common code. kScratch becomes 0 when Frame::polls, at `polls`, does.
void count_down(Emitter& code, const HostOperand& polls);
// From the context in kScratch and the linear address in kAddress: kValue becomes where the
// JumpTable, whose address is at `jumps`, would have its entry; kScratch 0 if it is that.
void look_up_jump(Emitter& code, const HostOperand& jumps);

class BlockWriter {
 public:
  // Room that one instruction and the end of a block need at most.
  static constexpr std::size_t kMostBytesOfInsn = 384;

  // Appends to `code` (whose writable view starts at `start`), to `sites`, `faults` and `shared`.
  // `one_context`: the block's is the same in every address space.
  BlockWriter(Block& block, const Treatments& treatments, const CommonCode& common,
              bool one_context, u8* start, Emitter& code, std::vector<Site>& sites,
              std::vector<FaultPlace>& faults, std::vector<SharedCheck>& shared)
      : block_(block),
        treatments_(treatments),
        common_(common),
        one_context_(one_context),
        start_(start),
        code_(code),
        sites_(sites),
        faults_(faults),
        shared_(shared),
        code64_(block.mode.code_width == 3),
        offset_(static_cast<i32>(block.gpa % kPageSize)) {}

  // The block's entry, in the writable view, for who knows that Frame::page is right;
  // kPrologueBytes ahead of it is the one for who has the linear address in kAddress. `island`: the
  // last one in the code ahead, or null.
  u8* write(u8* island);
  u8* island() const { return island_; }
  static constexpr std::size_t kPrologueBytes = 7 + 5;
  // Where jumps from the same page go, from the start of the code memory. After write().
  u32 way_in() const { return way_in_; }
  // There the block asks whether the vector registers are there, which who knows it can jump over.
  bool asks_vectors() const { return vectors_present_ && !block_.second_page; }
  static constexpr u32 kVectorBytes = 4 + 2 + 5;

 private:
  void prologue();
  void instruction(const Insn& insn);
  bool treated(const Insn& insn, const Recipe& recipe);
  void interpret(const Insn& insn);

  // native.cpp
  // How an instruction is written: its registers and its memory operand.
  struct Plan {
    struct Spilled {
      unsigned guest;
      Host in;
      bool written;
      bool high;  // CH: RCX, turned until that is its low byte
    };
    unsigned reg = 0, rm = 0, vvvv = 0;  // as the encoding has them
    bool is_memory = false;
    HostOperand memory = {};
    std::array<Spilled, 3> spilled = {};
    unsigned spilled_count = 0;
    bool needs_rex = false;    // for SIL and kin
    bool forbids_rex = false;  // for AH and kin
    bool reads_rcx = false;    // as no operand
    bool writes_rcx = false;   // other than as CH
  };
  bool native(const Insn& insn, const Recipe& recipe);
  void load(const Plan::Spilled& spilled);
  void store(const Plan::Spilled& spilled);
  bool lea(const Insn& insn);
  bool choose_registers(const Insn& insn, const Recipe& recipe, const GuestCode& guest,
                        Plan& plan) const;
  bool rename(const GeneralOperand& operand, unsigned guest, bool has_rex, Plan& plan,
              unsigned& number) const;
  void reach_memory(const Insn& insn, const Recipe& recipe, Plan& plan, u32 site);
  void write_opcode(const Recipe& recipe, const GuestCode& guest, const Plan& plan);
  void write_vex(const Recipe& recipe, const GuestCode& guest, const Plan& plan);
  void write_modrm(const Plan& plan);
  void need_vectors();

  // x87.cpp
  void need_x87(const Insn& insn);
  bool x87_instruction(const Insn& insn, const Recipe& recipe);
  bool is_followed_by_x87(const Insn& insn) const;
  void x87_memory(const Insn& insn, const Recipe& recipe);
  void load_control_word(const HostOperand& from, u32 site);

  // address.cpp
  bool can_address(const Insn& insn) const;
  // `based`: FS and GS count, as they do but for LEA.
  Host address(const Insn& insn, bool based = true);
  void load_guest(Host to, unsigned guest);
  void store_guest(unsigned guest, Host from);
  void leave_without_word(u32 site);
  void to_island(u8* displacement);
  void island_if_needed();
  void to_slow();
  void load_calm();

  // lookup.cpp
  // kScratch becomes what leads from `linear` to the host's memory, for all that lies from `low` up
  // to `high` from there; or 0. Uses kValue.
  void look_up(Host linear, i32 low, i32 high, bool write);
  void look_up_flat(Host linear, i32 low, i32 high, bool write);
  void look_up_hashed(Host linear, i32 low, i32 high, bool write);

  // reuse.cpp
  struct Stretch {
    i64 low, high;
    bool write;
    unsigned count;  // of accesses
  };
  struct Linear {  // a linear address
    Host base;
    i32 disp;
  };
  static constexpr u32 kNoShared = ~0u;
  void find_uses();
  i64 offset_in_page(const AddressKey& key, i64 disp) const;
  bool is_on_one_page(const MemoryUse& use) const;
  Stretch stretch_from(unsigned first) const;
  SharedCheck* shared_with(const MemoryUse& use);
  bool load_shared(const MemoryUse& use, u32 site);
  void store_shared(const MemoryUse& use, const Stretch& all, u32 site);
  void end_shared(u32& live);
  void update_shared(const MemoryUse& behind, u32 first);
  Linear place_of(const Insn& insn);
  Linear stack_place(unsigned guest, i32 disp);
  HostOperand reach(const MemoryUse& use, unsigned ordinal, const Linear& place, u32 site);
  HostOperand reach(const Insn& insn, const MemoryUse& use, u32 site);
  HostOperand reach_by_rip(const MemoryUse& use, unsigned ordinal, u32 site);
  HostOperand reach_operand(const Insn& insn, const Recipe& recipe, u32 site);
  HostOperand reach_pointer(const Insn& insn, u32 site);

  // stack.cpp
  HostOperand reach_stack(const Insn& insn, i32 disp, u32 site);
  void move_stack(i32 by);
  bool push(const Insn& insn, const Recipe& recipe);
  bool pop(const Insn& insn);
  bool leave(const Insn& insn);

  // system.cpp
  bool system(const Insn& insn, Treatment treatment);
  bool push_flags(const Insn& insn);
  void write_system_flag(u64 flag, bool value);
  void set_interrupts(const Insn& insn);
  void access_user(bool allow);
  void swap_gs();

  // branches.cpp
  bool jump(const Insn& insn);
  bool branch(const Insn& insn);
  bool call(const Insn& insn);
  bool jump_indirect(const Insn& insn);
  bool call_indirect(const Insn& insn);
  bool return_(const Insn& insn);
  void branch_target(const Insn& insn, u32 site);
  std::optional<u32> find_target(const Insn& insn);
  void push_return_address(const Insn& insn, u32 site);
  void way_out(u32 site);
  void linkable(u32 site);
  void unlinked_here(u32 site);
  void exit_to(i32 target, const Insn& insn);
  void count_behind(u8* poll, const u8* again);
  void way_back(u32 site);
  void jump_if_guarded(i32 target, u32 site);
  void exit_by_table(i32 target, u32 site);
  void find_indirect(u32 site);
  void jump_to_found();
  bool has_usual_width(const Insn& insn) const { return insn.width == (code64_ ? 3 : 2); }

  u32 site(const Insn& insn, Site::Kind kind, i32 target = 0);
  // Behind its instruction, where code goes on after the slow way.
  void resume_at(u32 site) {
    sites_[site].resume = place();
    sites_[site].held = held_;
  }
  u32 place() const { return static_cast<u32>(code_.at() - start_); }
  void may_fault(u32 site) { faults_.push_back({place(), site}); }
  unsigned stack_bytes() const { return code64_ ? 8 : 4; }
  // Of an offset or address: as wide as the code segment makes it.
  void lea_sized(Host to, const HostOperand& from) {
    code64_ ? code_.lea(to, from) : code_.lea32(to, from);
  }
  void mov_sized(Host to, const HostOperand& from) {
    code64_ ? code_.mov(to, from) : code_.mov32(to, from);
  }
  void mov_sized(const HostOperand& to, Host from) {
    code64_ ? code_.mov(to, from) : code_.mov32(to, from);
  }

  Block& block_;
  const Treatments& treatments_;
  const CommonCode& common_;
  const bool one_context_;
  u8* const start_;
  Emitter& code_;
  std::vector<Site>& sites_;
  std::vector<FaultPlace>& faults_;
  std::vector<SharedCheck>& shared_;
  const bool code64_;
  const i32 offset_;  // of the block in its page
  std::array<MemoryUse, Block::kMaxInsns> uses_;
  std::array<u32, kReusedWords> live_;  // in shared_, by the word of Frame::reused; or kNoShared
  unsigned live_count_ = 0;             // of them
  u8 held_ = kNothingHeld;              // kScratch is this word of Frame::reused
  u32 way_in_ = 0;
  u8* island_ = nullptr;            // the last one
  std::array<u8*, 4> to_be_bound_;  // JRCXZ that wait for the next
  unsigned waiting_ = 0;            // of them
  const u8* guest_bytes_ = nullptr;
  bool uses_vectors_ = false;
  bool vectors_present_ = false;  // for sure, here
  bool x87_present_ = false;
  bool ended_ = false;  // nothing falls through
};

}  // namespace kite::tcg
