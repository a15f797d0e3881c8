// Accesses of a block that lie close to each other share a check: the first of them checks for all,
// and leaves in the frame the word that it found. Those behind it need not ask whether it is 0:
// each slow way looks it up again, and does not come back if it is.
#include <algorithm>

#include "accel/tcg/translator/block_writer.h"

namespace kite::tcg {

namespace {

// Bytes that one check is good for. Longer stretches lie across two pages more often.
constexpr i64 kMostBytes = 64;

}  // namespace

void BlockWriter::find_uses() {
  const u8* bytes = block_.guest_bytes();
  for (unsigned i = 0; i < block_.count; ++i) {
    const Insn& insn = block_.insns[i];
    const Recipe& recipe = treatments_.recipe(insn);
    find_memory_use(insn, recipe, bytes, code64_, uses_[i]);
    uses_vectors_ |= recipe.needs_vectors && recipe.treatment == Treatment::kNative;
    bytes += insn.length;
  }
}

// Where `disp` from `key` is in its page. An address that no register is part of is known to be on
// one page or on two.
i64 BlockWriter::offset_in_page(const AddressKey& key, i64 disp) const {
  return (disp + (key.base == kBlockRip ? offset_ : 0)) & static_cast<i64>(kPageSize - 1);
}

bool BlockWriter::is_on_one_page(const MemoryUse& use) const {
  return use.aligned || (use.shares && use.key.is_constant() &&
                         offset_in_page(use.key, use.disp) + use.bytes <= i64{kPageSize});
}

// What the access of `first` and those behind it reach together, as far as the key is known.
BlockWriter::Stretch BlockWriter::stretch_from(unsigned first) const {
  const MemoryUse& use = uses_[first];
  Stretch all{use.disp, i64{use.disp} + use.bytes, use.write, 1};
  const bool all_of_page = use.key.is_constant();
  if (all_of_page) {
    if (!is_on_one_page(use)) return all;
    all.low = use.disp - offset_in_page(use.key, use.disp);
    all.high = all.low + i64{kPageSize};
  }
  i64 moved = 0;
  for (unsigned i = first; !uses_[i].changes(use.key);) {
    if (uses_[i].moves(use.key)) moved += uses_[i].move;
    if (++i == block_.count) break;
    const MemoryUse& other = uses_[i];
    if (!other.shares || other.key != use.key) continue;
    const i64 low = std::min<i64>(all.low, other.disp + moved);
    const i64 high = std::max<i64>(all.high, other.disp + moved + other.bytes);
    if (high - low > (all_of_page ? i64{kPageSize} : kMostBytes)) continue;
    all = {low, high, all.write || other.write, all.count + 1};
  }
  return all;
}

SharedCheck* BlockWriter::shared_with(const MemoryUse& use) {
  if (live_count_ == 0) return nullptr;
  for (u32 number : live_) {
    if (number == kNoShared) continue;
    SharedCheck& shared = shared_[number];
    if (shared.key == use.key && shared.low <= use.disp &&
        i64{use.disp} + use.bytes <= shared.high && (shared.write || !use.write))
      return &shared;
  }
  return nullptr;
}

// kScratch becomes what an earlier access of the block has left, if there is such a one.
bool BlockWriter::load_shared(const MemoryUse& use, u32 site) {
  SharedCheck* shared = use.shares ? shared_with(use) : nullptr;
  if (!shared) return false;
  shared->end = site;
  if (held_ != shared->slot) code_.mov(kScratch, reused_word(shared->slot));
  held_ = shared->slot;
  return true;
}

// Leaves kScratch for the others of `all`.
void BlockWriter::store_shared(const MemoryUse& use, const Stretch& all, u32 site) {
  auto free = std::find(live_.begin(), live_.end(), kNoShared);
  if (free == live_.end())
    free = live_.begin() + site % kReusedWords;
  else
    ++live_count_;
  *free = static_cast<u32>(shared_.size());
  held_ = static_cast<u8>(free - live_.begin());
  shared_.push_back({&block_, site, site, use.key, static_cast<i32>(all.low),
                     static_cast<i32>(all.high), held_, all.write});
  sites_[site].shares = true;
  code_.mov(reused_word(held_), kScratch);
}

void BlockWriter::end_shared(u32& live) {
  if (live != kNoShared && held_ == shared_[live].slot) held_ = kNothingHeld;
  live = kNoShared;
  --live_count_;
}

// Behind an instruction whose sites are those from `first` on: of some nothing is known any more,
// and others lie at another distance from their register.
void BlockWriter::update_shared(const MemoryUse& behind, u32 first) {
  for (u32& live : live_) {
    if (live == kNoShared) continue;
    if (behind.changes(shared_[live].key)) {
      end_shared(live);
    } else if (behind.moves(shared_[live].key)) {
      SharedCheck moved = shared_[live];
      shared_[live].end = first;
      moved.low -= behind.move;
      moved.high -= behind.move;
      moved.first = moved.end = first;
      live = static_cast<u32>(shared_.size());
      shared_.push_back(moved);
      if (!is_moderate(moved.low)) end_shared(live);
    }
  }
}

// The base itself rather than a sum, if a displacement is all there is to it.
BlockWriter::Linear BlockWriter::place_of(const Insn& insn) {
  const bool direct = code64_ && insn.address_kind == AddressKind::kSimple && insn.base < 16 &&
                      !is_spilled(insn.base) && insn.index == kNoRegister && insn.segment != kFs &&
                      insn.segment != kGs && is_moderate(insn.disp);
  if (direct) return {kHostOf[insn.base], insn.disp};
  return {address(insn), 0};
}

// `disp` from a register of the stack's.
BlockWriter::Linear BlockWriter::stack_place(unsigned guest, i32 disp) {
  if (code64_ || disp == 0) return {kHostOf[guest], disp};
  code_.lea32(kAddress, {kHostOf[guest], Host::kRsp, 0, disp});
  return {kAddress, 0};
}

// Where `place` is in the host's memory, for `use` of instruction `ordinal`; its check leaves at
// `site`. kScratch is part of the answer.
HostOperand BlockWriter::reach(const MemoryUse& use, unsigned ordinal, const Linear& place,
                               u32 site) {
  const HostOperand operand{place.base, kScratch, 0, place.disp};
  if (load_shared(use, site)) return operand;
  const Stretch all = use.shares && block_.shares ? stretch_from(ordinal) : Stretch{};
  if (all.count > 1 && !use.key.is_constant()) {
    const i64 from_disp = i64{place.disp} - use.disp;
    look_up(place.base, static_cast<i32>(all.low + from_disp),
            static_cast<i32>(all.high + from_disp), all.write);
  } else {
    look_up(place.base, place.disp,
            place.disp + static_cast<i32>(is_on_one_page(use) ? 1 : use.bytes),
            use.write || all.write);
  }
  if (all.count > 1) store_shared(use, all, site);
  leave_without_word(site);
  return operand;
}

// The same for what RIP addresses, of which not the word is shared but the page in the host's
// memory.
HostOperand BlockWriter::reach_by_rip(const MemoryUse& use, unsigned ordinal, u32 site) {
  const i32 disp = offset_ + use.disp;
  const HostOperand operand{kScratch, Host::kRsp, 0, disp};
  if (load_shared(use, site)) return operand;
  const Stretch all = block_.shares ? stretch_from(ordinal) : Stretch{};
  code_.mov(kAddress, KITE_FRAME(page));
  look_up(kAddress, disp, disp + static_cast<i32>(is_on_one_page(use) ? 1 : use.bytes),
          use.write || all.write);
  leave_without_word(site);
  if (all.count < 2) return {kAddress, kScratch, 0, disp};
  code_.lea(kScratch, {kScratch, kAddress});
  store_shared(use, all, site);
  return operand;
}

HostOperand BlockWriter::reach(const Insn& insn, const MemoryUse& use, u32 site) {
  if (use.key.base == kBlockRip) return reach_by_rip(use, insn.ordinal, site);
  return reach(use, insn.ordinal, place_of(insn), site);
}

HostOperand BlockWriter::reach_operand(const Insn& insn, const Recipe& recipe, u32 site) {
  MemoryUse use = uses_[insn.ordinal];
  if (!use.shares)
    use = alone(memory_bytes(insn, recipe, guest_bytes_, code64_), recipe.writes_memory);
  return reach(insn, use, site);
}

// What PUSH and branches read.
HostOperand BlockWriter::reach_pointer(const Insn& insn, u32 site) {
  MemoryUse use = uses_[insn.ordinal];
  if (!use.shares) use = alone(stack_bytes(), false);
  return reach(insn, use, site);
}

}  // namespace kite::tcg
