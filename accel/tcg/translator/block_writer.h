// BlockWriter: one block of guest code, written for the host.
//
// What becomes of an instruction that computes is the same instruction with the host's register
// numbers. What it reaches in memory is found first: its linear address into kAddress, then what is
// to be added for the host's (FlatTable) into kScratch, and if that is 0 it goes the slow way,
// where the instruction's handler does all of it. So a fault, a device, a page not seen yet, a page
// with code, a misaligned access across pages: none of them is this file's business.
//
// The guest's arithmetic flags are the host's all the time. So nothing here may touch them but the
// guest's own instructions, and everything is done with LEA, MOV, RORX and JRCXZ. They are exact
// wherever somebody looks.
//
// JRCXZ reaches 127 bytes. The jump to the slow way that it takes is an *island*: one stands ahead
// of each block, and every jump to the slow way is one for those around it.
#pragma once

#include <optional>
#include <vector>

#include "accel/tcg/code_cache.h"
#include "accel/tcg/translator/emitter.h"
#include "accel/tcg/translator/frame.h"
#include "accel/tcg/translator/guest_code.h"
#include "accel/tcg/translator/site.h"
#include "accel/tcg/translator/treatment.h"

namespace kite::tcg {

// Where common code is, in the writable view.
struct CommonCode {
  const u8* slow = nullptr;          // with the number of the site in kValue
  const u8* load_vectors = nullptr;  // a subroutine
  const u8* faulted = nullptr;       // with the number of the site in Translator::faulted_
  const u8* stop = nullptr;          // in the JumpTable: ends the run at Frame::target
};

class BlockWriter {
 public:
  // Room that one instruction and the end of a block need at most.
  static constexpr std::size_t kMostBytesOfInsn = 256;

  // Appends to `code` (whose writable view starts at `start`), to `sites` and to `faults`.
  BlockWriter(Block& block, const Treatments& treatments, const CommonCode& common, u8* start,
              Emitter& code, std::vector<Site>& sites, std::vector<FaultPlace>& faults)
      : block_(block),
        treatments_(treatments),
        common_(common),
        start_(start),
        code_(code),
        sites_(sites),
        faults_(faults),
        code64_(block.mode.code_width == 3),
        offset_(static_cast<i32>(block.gpa % kPageSize)) {}

  // The block's entry, in the writable view, for who knows that Frame::page is right;
  // kPrologueBytes ahead of it is the one for who has the linear address in Frame::target.
  u8* write();
  static constexpr std::size_t kPrologueBytes = 5 + 7 + 5;

 private:
  void prologue();
  void instruction(const Insn& insn);
  static bool has_rows_handler(const Insn& insn, const Row& row);
  bool treated(const Insn& insn, const Row& row);
  void interpret(const Insn& insn);

  // native.cpp
  // How an instruction is written: its registers and its memory operand.
  struct Plan {
    struct Spilled {
      unsigned guest;
      Host in;
      bool written;
    };
    unsigned reg = 0, rm = 0, vvvv = 0;  // as the encoding has them
    bool is_memory = false;
    HostOperand memory = {};
    std::array<Spilled, 3> spilled = {};
    unsigned spilled_count = 0;
    bool needs_rex = false;    // for SIL and kin
    bool forbids_rex = false;  // for AH and kin
    bool counts = false;       // by CL
  };
  bool native(const Insn& insn, const Row& row);
  bool lea(const Insn& insn);
  bool choose_registers(const Insn& insn, const Row& row, const GuestCode& guest, Plan& plan) const;
  bool rename(const OperandSpec& operand, unsigned guest, bool has_rex, Plan& plan,
              unsigned& number) const;
  void reach_memory(const Insn& insn, const Row& row, const GuestCode& guest, Plan& plan, u32 site);
  void write_prefixes(const GuestCode& guest, const Plan& plan);
  void write_opcode(const Row& row, const GuestCode& guest, const Plan& plan);
  void write_vex(const Row& row, const GuestCode& guest, const Plan& plan);
  void write_modrm(const Plan& plan);
  void need_vectors();

  // address.cpp
  bool can_address(const Insn& insn) const;
  // `based`: FS and GS count, as they do but for LEA.
  Host address(const Insn& insn, bool based = true);
  void load_guest(Host to, unsigned guest);
  void store_guest(unsigned guest, Host from);
  // kScratch becomes what leads from `linear` to the host's memory.
  void check(Host linear, unsigned bytes, bool write, u32 site);
  void to_island(u8* displacement);
  void island_if_needed();
  void to_slow();
  void poll(u32 site);

  // stack.cpp
  // Several PUSH or POP of registers in a row, which are checked together, and a RET behind POPs.
  // Answers how many instructions it has written: 0 or more than one.
  unsigned stack_group(const Insn& first);
  unsigned group_length(const Insn& first, Treatment treatment) const;
  void push_group(const Insn& first, unsigned count);
  void pop_group(const Insn& first, unsigned count, bool returns);
  bool push(const Insn& insn, const Row& row);
  bool pop(const Insn& insn);
  bool leave(const Insn& insn);
  void reach_top(u32 site);
  void push_value(Host value, u32 site);
  void push_value_at(const HostOperand& from, u32 site);
  void push_immediate(const Insn& insn, u32 site);

  // branches.cpp
  bool jump(const Insn& insn);
  bool branch(const Insn& insn);
  bool call(const Insn& insn);
  bool jump_indirect(const Insn& insn);
  bool call_indirect(const Insn& insn);
  bool return_(const Insn& insn);
  void branch_target(const Insn& insn, u32 site);
  std::optional<u32> find_target(const Insn& insn);
  void return_to(const Insn& insn, u32 site);
  void store_return_address(const Insn& insn, u32 site);
  void exit_to(i32 target, const Insn& insn);
  void find_indirect(u32 site);
  void jump_to_found();
  bool has_usual_width(const Insn& insn) const { return insn.width == (code64_ ? 3 : 2); }

  u32 site(const Insn& insn, Site::Kind kind, i32 target = 0);
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
  u8* const start_;
  Emitter& code_;
  std::vector<Site>& sites_;
  std::vector<FaultPlace>& faults_;
  const bool code64_;
  const i32 offset_;  // of the block in its page
  u8* entry_ = nullptr;
  u8* island_ = nullptr;          // the last one
  std::vector<u8*> to_be_bound_;  // JRCXZ that wait for the next
  const u8* guest_bytes_ = nullptr;
  bool vectors_present_ = false;  // for sure, here
  bool ended_ = false;            // nothing falls through
};

}  // namespace kite::tcg
