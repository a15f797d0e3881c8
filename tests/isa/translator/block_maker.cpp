#include "tests/isa/translator/block_maker.h"

#include <algorithm>

#include "accel/x86/registers.h"
#include "tests/isa/oracle/rules.h"
#include "tests/isa/translator/block_rules.h"

namespace kite::oracle {

using tcg::Insn;
using tcg::Row;

BlockMaker::BlockMaker(bool code64) : code64_(code64), guide_(code64, false) {
  for (const Row& row : tcg::rows()) {
    if (!fits_a_block(row, code64)) continue;
    rows_.push_back(&row);
    // What compilers write.
    if (row.encoding.map < 2 && !row.encoding.vex && !row.attributes.has(tcg::x87) &&
        !row.attributes.has(tcg::mmx) && !is_saved_state(row))
      hot_rows_.push_back(&row);
  }
}

void BlockMaker::begin(Pool& pool, Random& random) {
  for (unsigned i = 40; i < kPageSize; i += 64) store<u64>(&pool.page[i], any_target(random));
  guide_.begin(pool, {});
}

Program BlockMaker::make(u64 slot, Random& random) {
  random_ = &random;
  program_ = {};
  Case& start = program_.start;
  program_.first = kCodeBase + kProgramSize / 2 + slot * kProgramSize;
  program_.code_at = start.rip = program_.first + random.below(48);
  start.register_seed = static_cast<u32>(random());
  fill_registers(start.gpr, start.register_seed);
  constexpr unsigned kPointers = 6;
  base_ = any_register();
  for (unsigned i = 0; i < kPointers; ++i) start.gpr[i == 0 ? base_ : any_register()] = pointer();
  start.gpr[kRsp] = any_target(random) & (random.one_in(8) ? ~u64{0} : ~u64{7});
  if (!code64_)
    for (u64& value : start.gpr) value &= 0xffffffff;
  start.image = static_cast<u8>(random.below(64));
  start.vectors = true;
  start.rflags = rflags::kFixed | (random() & rflags::kArithmetic);
  if (random.one_in(8)) start.rflags |= rflags::kDf;
  if (random.one_in(64)) start.rflags |= rflags::kAc;
  faults_left_ = random.one_in(4) ? 1 : 0;
  if (random.one_in(2)) base_ = tcg::kNoRegister;
  in_a_row_ = 0;
  last_access_ = start.gpr[base_ % 16];
  undefined_ = 0;
  guide_.begin_steps(start);
  const u64 length = 2 + random.below(11);
  for (u64 i = 0; i < length && append();) ++i;
  append_end();
  guide_.end_steps(start);
  return std::move(program_);
}

bool BlockMaker::append() {
  constexpr unsigned kTries = 200;
  for (unsigned tries = 0; tries < kTries; ++tries) {
    const std::optional<Candidate> chosen = candidate();
    if (!chosen) continue;
    // As CodeCache does.
    Insn insn = chosen->insn();
    const auto at = static_cast<unsigned>(program_.code.size());
    if (insn.base == tcg::kBlockRip) insn.disp = static_cast<i32>(static_cast<u32>(insn.disp) + at);
    insn.next_offset = static_cast<u16>(at + insn.length);
    Case now = program_.start;
    for (unsigned i = 0; i < 16; ++i) now.gpr[i] = guide_.gpr(i);
    now.length = insn.length;
    std::copy_n(chosen->bytes.bytes.begin(), insn.length, now.code.begin());
    if (!undefined(chosen->origin, now).empty()) continue;
    const u64 defined = defined_flags(chosen->origin, now);
    if (guide_.step(insn) == tcg::Flow::kFault) {
      if (faults_left_ == 0 || !random_->one_in(4)) continue;
      --faults_left_;
    }
    program_.undefined.push_back({at, undefined_});
    undefined_ = undefined_behind(undefined_, chosen->origin, defined);
    program_.code.insert(program_.code.end(), now.code.begin(), now.code.begin() + insn.length);
    if (in_a_row_) --in_a_row_;
    return true;
  }
  return false;
}

std::optional<BlockMaker::Candidate> BlockMaker::candidate() {
  Candidate result;
  if (in_a_row_ == 0 && random_->one_in(8)) {
    in_a_row_ = static_cast<unsigned>(1 + random_->below(6));
    pushes_ = random_->one_in(2);
  }
  if (in_a_row_)
    result.bytes = push_or_pop();
  else
    result.bytes = random_->one_in(8) ? change_pointer() : any_row();
  if (!decode(result) || !flags_fit(result)) return {};
  if (result.insn().is_memory && !aim(result)) return {};
  if (!implied_operands_fit(result)) return {};
  return result;
}

bool BlockMaker::decode(Candidate& candidate) const {
  Origin& origin = candidate.origin;
  const std::span<const u8> bytes(candidate.bytes.bytes.data(), tcg::kMaxInsnLength + 1);
  if (guide_.decoder().decode(bytes, user_mode(code64_), origin.insn) != tcg::DecodeStatus::kOk)
    return false;
  origin.row = tcg::Decoder::row_of(origin.insn);
  return origin.row && origin.insn.length <= tcg::kMaxInsnLength &&
         fits_a_block(*origin.row, code64_) && !is_makers_choice(*origin.row, origin.insn);
}

// A register that points to memory, if the first few looked at do.
unsigned BlockMaker::any_base() {
  if (base_ < 16 && random_->below(8)) return base_;
  unsigned base = any_register();
  for (unsigned tries = 0; tries < 8 && !reaches_memory(guide_.gpr(base)); ++tries)
    base = any_register();
  return base;
}

u8 BlockMaker::any_register() {
  return static_cast<u8>(random_->below(code64_ ? 16 : 8));
}

Encoded BlockMaker::any_row() {
  const auto& rows = random_->below(4) ? hot_rows_ : rows_;
  const Row& row = *rows[random_->below(rows.size())];
  return encode(row, *random_, random_->one_in(8) ? kAnyBase : any_base());
}

Encoded BlockMaker::push_or_pop() {
  Encoded out;
  const unsigned guest = any_register();
  if (guest >= 8) out.bytes[out.size++] = 0x41;
  out.bytes[out.size++] = static_cast<u8>((pushes_ ? 0x50 : 0x58) + guest % 8);
  return out;
}

// MOV r, pointer; ADD r, imm8; MOV r, [r + d].
Encoded BlockMaker::change_pointer() {
  Encoded out;
  const unsigned guest = base_ < 16 && random_->one_in(2) ? base_ : any_register();
  const auto put = [&](u64 byte) { out.bytes[out.size++] = static_cast<u8>(byte); };
  if (code64_) put(guest >= 8 ? 0x49 : 0x48);
  const u64 kind = random_->below(4);
  if (kind < 2) {
    put(0xc7);
    put(0xc0 | guest % 8);
    const u64 value = pointer();
    for (unsigned i = 0; i < 4; ++i) put(value >> (8 * i));
  } else if (kind == 2) {
    put(0x83);
    put(0xc0 | guest % 8);
    put(random_->below(64) - 32);
  } else {
    if (code64_ && guest >= 8) out.bytes[0] = 0x4d;
    put(0x8b);
    put(0x40 | guest % 8 << 3 | guest % 8);
    if (guest % 8 == 4) put(0x24);
    put(random_->below(64) - 32);
  }
  return out;
}

bool BlockMaker::flags_fit(const Candidate& candidate) {
  return (read_flags(*candidate.origin.row) & undefined_) == 0;
}

void BlockMaker::append_bytes(std::initializer_list<u8> bytes) {
  program_.code.insert(program_.code.end(), bytes);
}

void BlockMaker::append_relative(std::initializer_list<u8> opcode) {
  append_bytes(opcode);
  const u64 next = program_.start.rip + program_.code.size() + 4;
  for (unsigned i = 0; i < 4; ++i)
    program_.code.push_back(static_cast<u8>((kWayBack - next) >> (8 * i)));
}

// JMP to the way back; a Jcc there, or a CALL; RET; JMP and CALL through a register.
void BlockMaker::append_end() {
  program_.undefined.push_back({static_cast<unsigned>(program_.code.size()), undefined_});
  const u8 guest = static_cast<u8>(random_->below(8));
  switch (random_->below(8)) {
    case 0:
      if (undefined_ == 0) append_relative({0x0f, static_cast<u8>(0x80 + random_->below(16))});
      break;
    case 1:
      append_relative({0xe8});
      break;
    case 2:
      append_if_it_leaves({0xc3});
      break;
    case 3:
      append_if_it_leaves({0xff, static_cast<u8>(0xe0 | guest)});
      break;
    case 4:
      append_if_it_leaves({0xff, static_cast<u8>(0xd0 | guest)});
      break;
    default:
      break;
  }
  append_relative({0xe9});
}

// Not back into the block, whose bytes may mean anything from there.
void BlockMaker::append_if_it_leaves(std::initializer_list<u8> bytes) {
  Candidate branch;
  std::copy(bytes.begin(), bytes.end(), branch.bytes.bytes.begin());
  Insn& insn = branch.origin.insn;
  if (guide_.decoder().decode(branch.bytes.bytes, user_mode(code64_), insn) !=
      tcg::DecodeStatus::kOk)
    return;
  insn.next_offset = static_cast<u16>(program_.code.size() + bytes.size());
  const bool faults = guide_.step(insn) == tcg::Flow::kFault;
  if (faults || guide_.rip() - program_.first >= program_.size) append_bytes(bytes);
}

// Each instruction may have run as it was or as it is now; it begins and ends where it did, and
// what it reads is defined either way.
bool BlockMaker::is_fair(const Program& program, const std::vector<CodeChange>& changes) const {
  const u64 first = program.start.rip - kCodeBase;
  const auto& instructions = program.undefined;
  Candidate now;
  std::vector<u8> bytes = program.code;
  bytes.resize(bytes.size() + now.bytes.bytes.size(), 0xcc);
  for (const CodeChange& change : changes) {
    const u64 at = change.offset - first;
    if (at >= instructions.back().first && at < program.code.size()) return false;
    if (at < program.code.size()) bytes[at] = change.byte;
  }
  u64 undefined = 0;
  for (std::size_t i = 0; i + 1 < instructions.size(); ++i) {
    const unsigned at = instructions[i].first;
    std::copy_n(bytes.begin() + at, now.bytes.bytes.size(), now.bytes.bytes.begin());
    if (!decode(now) || at + now.insn().length != instructions[i + 1].first) return false;
    if (read_flags(*now.origin.row) & undefined) return false;
    Case any = program.start;
    any.gpr[kRcx] = 0x1f;
    undefined = undefined_behind(undefined, now.origin, defined_flags(now.origin, any)) |
                instructions[i + 1].second;
  }
  return true;
}

}  // namespace kite::oracle
