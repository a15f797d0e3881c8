#include "tests/isa/oracle/generate.h"

#include <algorithm>

#include "accel/x86/registers.h"
#include "tests/isa/oracle/rules.h"
#include "tests/isa/support/boundaries.h"

namespace kite::oracle {
namespace {

using tcg::Insn;
using tcg::Place;
using tcg::Row;

u64 value_of(u64 r) {
  const u64 choice = r % 8;
  const u64 more = r >> 3;
  if (choice < 4) return isa::kBoundaries[more % std::size(isa::kBoundaries)];
  if (choice < 6) return mix(r);
  if (choice == 6) return more % 64;
  return u64{1} << (more % 64);
}

u64 tail_of(u64 slot, Random& random) {
  return kCodeBase + slot * kSlotSize + kTail + random.below(kSlotSize - kTail);
}

u64 segment_base(const Insn& insn) {
  return insn.segment == kFs ? kFsBase : insn.segment == kGs ? kGsBase : 0;
}

bool has_relative(const Row& row) {
  return std::any_of(row.operands.begin(), row.operands.begin() + row.operand_count,
                     [](const tcg::OperandSpec& o) { return o.place == Place::kRelative; });
}

bool has_offset(const Row& row) {
  return std::any_of(row.operands.begin(), row.operands.begin() + row.operand_count,
                     [](const tcg::OperandSpec& o) { return o.place == Place::kOffset; });
}

bool is_gather(const Row& row) {
  return std::string_view(row.name).find("gather") != std::string_view::npos;
}

class CaseMaker {
 public:
  CaseMaker(const tcg::Decoder& decoder, u64 slot, Random& random, Origin& origin,
            const Wanted& wanted)
      : decoder_(decoder), slot_(slot), random_(random), origin_(origin), wanted_(wanted) {}

  std::optional<Case> run(const Row& row) {
    encoded_ = encode(row, random_);
    // A REX prefix is an instruction of 32-bit code, and some VEX prefixes are.
    constexpr unsigned kTries = 16;
    for (unsigned i = 0; i < kTries && !code64() && !(decode() && origin_.row == &row); ++i)
      encoded_ = encode(row, random_);
    if (random_.one_in(12)) {  // a mutation
      encoded_.bytes[random_.below(std::min<u64>(encoded_.size, 8))] ^=
          static_cast<u8>(1u << random_.below(8));
      encoded_.displacement_at = 0;
    }
    if (!decode()) return {};
    test_.rip = kCodeBase + slot_ * kSlotSize;
    test_.register_seed = static_cast<u32>(random_());
    fill_registers(test_.gpr, test_.register_seed);
    test_.image = static_cast<u8>(random_.below(64));
    test_.rflags = rflags::kFixed | (random_() & rflags::kArithmetic);
    if (random_.one_in(4)) test_.rflags |= rflags::kDf;
    test_.gpr[kRsp] = any_target(random_) & ~u64{7};
    if (insn().is_memory) aim_memory();
    aim_implied();
    patch_code();
    if (!code64())
      for (unsigned i = 0; i < 8; ++i) test_.gpr[i] &= 0xffffffff;
    if (!decode()) return {};
    test_.length = insn().length;
    std::copy_n(encoded_.bytes.begin(), test_.length, test_.code.begin());
    test_.vectors = uses_vectors(*origin_.row) || random_.one_in(256);
    test_.segments = uses_selectors(*origin_.row);
    if (!undefined(origin_, test_).empty() || may_lock_the_bus() || goes_astray()) return {};
    return test_;
  }

 private:
  const Insn& insn() const { return origin_.insn; }

  bool decode() {
    const std::span<const u8> bytes(encoded_.bytes.data(), tcg::kMaxInsnLength + 1);
    if (decoder_.decode(bytes, wanted_.mode, origin_.insn) != tcg::DecodeStatus::kOk) return false;
    origin_.row = tcg::Decoder::row_of(origin_.insn);
    return origin_.row && origin_.insn.length <= tcg::kMaxInsnLength &&
           (wanted_.takes ? wanted_.takes(*origin_.row) : excluded(*origin_.row).empty());
  }
  bool code64() const { return wanted_.mode.code_width == 3; }

  // Where the operand of a saved state or of a selector is to stand.
  std::optional<u64> special_target() {
    constexpr u64 kPages[] = {kDataBase, kDataBase + kPageSize, kLastBase, kReadOnlyBase};
    const u64 page = kPages[random_.below(4)];
    if (is_saved_state(*origin_.row) && random_.below(4))
      return page + kStateArea + (random_.one_in(8) ? random_.below(80) : 0);
    if (uses_selectors(*origin_.row) && random_.below(4)) return page + 64 * random_.below(64) + 32;
    return {};
  }

  u64 target() {
    if (const auto special = special_target()) return *special;
    const u64 target = any_target(random_);
    const bool locked = insn().lock || origin_.row->attributes.has(tcg::always_locked);
    return locked ? target & ~u64{15} : target;
  }

  // A branch into another case's instruction would run that.
  bool goes_astray() const {
    const std::string_view name = origin_.row->name;
    if (has_relative(*origin_.row)) return is_inside_a_case(branch_target());
    if (!name.starts_with("jmp") && !name.starts_with("call")) return false;
    return !insn().is_memory && is_inside_a_case(test_.gpr[insn().rm / 8 % 16]);
  }

  // Of a relative branch, by the bytes as they were patched.
  u64 branch_target() const {
    const u8* end = test_.code.data() + test_.length;
    const u64 displacement =
        has_narrow_branch() ? sign_extend(end[-1], 8) : sign_extend(load<u32>(end - 4), 32);
    return test_.rip + test_.length + displacement;
  }

  bool has_narrow_branch() const {
    return std::any_of(origin_.row->operands.begin(),
                       origin_.row->operands.begin() + origin_.row->operand_count,
                       [](const tcg::OperandSpec& o) { return std::string_view(o.name) == "Jb"; });
  }

  // A locked access that crosses a cache line stops every processor of the host, and costs
  // milliseconds where its kernel looks for them.
  bool may_lock_the_bus() const {
    const Insn& i = insn();
    const bool locked = i.lock || origin_.row->attributes.has(tcg::always_locked);
    if (!locked || !i.is_memory) return false;
    const auto value = [&](u8 number) {
      return number < 16 ? test_.gpr[number] : number == tcg::kBlockRip ? test_.rip : 0;
    };
    const u64 offset = value(i.base) + (value(i.index) << i.scale) + static_cast<u64>(i64{i.disp});
    return ((offset & i.address_mask()) + segment_base(i)) % 8 != 0;
  }

  void aim_memory() {
    auto& gpr = test_.gpr;
    const Insn& i = insn();
    if (is_gather(*origin_.row)) return aim_gather();
    if (i.index < 16) gpr[i.index] = random_.below(32) - 16;
    const u64 index = i.index < 16 ? gpr[i.index] << i.scale : 0;
    if (i.base >= 16) {  // absolute or RIP-relative: patch_code() aims the displacement
      memory_ = target() - segment_base(i) - index;
      return;
    }
    u64 base = target() - segment_base(i) - index - static_cast<u64>(i64{i.disp});
    if (i.index == i.base) base = kDataBase / (1 + (u64{1} << i.scale)) + random_.below(256);
    if (i.address_width == 2) base = (base & 0xffffffff) | (random_() << 32);
    gpr[i.base] = base;
  }

  // The index is a vector: small values there are rare, so many elements fault.
  void aim_gather() {
    if (insn().base < 16)
      test_.gpr[insn().base] = target() - segment_base(insn()) - static_cast<u64>(i64{insn().disp});
  }

  // Registers that instructions use without naming them.
  void aim_implied() {
    auto& gpr = test_.gpr;
    const Row& row = *origin_.row;
    const std::string_view name = row.name;
    if (row.attributes.has(tcg::string)) {
      const u64 bases = segment_base(insn());
      gpr[kRsi] = any_target(random_) - bases;
      gpr[kRdi] = any_target(random_);
      if (insn().rep) gpr[kRcx] = random_.below(8) ? random_.below(40) : value_of(random_());
    }
    if (uses_selectors(row)) aim_selector();
    const bool call = name.starts_with("call");
    if (call || name.starts_with("push") || name.starts_with("pop") || name.starts_with("ret") ||
        is_named(row, {"enter", "leave"})) {
      gpr[kRsp] = random_.below(4) ? any_target(random_) & ~u64{7} : any_target(random_);
      gpr[kRbp] = any_target(random_);
      if (name.starts_with("ret")) gpr[kRsp] = kDataBase + 64 * random_.below(120) + 24;
    }
    if ((call || name.starts_with("jmp")) && !insn().is_memory && random_.below(4))
      gpr[insn().rm / 8 % 16] = tail_of(random_.below(kSlots), random_);
    if ((call || name.starts_with("jmp")) && insn().is_memory && insn().base < 16 &&
        random_.one_in(2) && insn().index >= 16)
      gpr[insn().base] = kDataBase + 64 * random_.below(120) + 24 - segment_base(insn()) -
                         static_cast<u64>(i64{insn().disp});
    if (name.starts_with("xlat")) gpr[kRbx] = any_target(random_) - segment_base(insn());
    if (name.find("maskmov") != std::string_view::npos && row.encoding.opcode == 0xf7)
      gpr[kRdi] = any_target(random_) - segment_base(insn());
    if (is_named(row, {"div", "idiv"}) && random_.one_in(2))
      gpr[kRdx] = random_.one_in(2) ? 0 : sign_extend(gpr[kRax] >> 63, 1);
    if (name.starts_with("bt") && insn().is_memory && random_.below(4))
      gpr[insn().reg / 8 & 15] = random_.below(1024) - 512;
    if (name.starts_with("cmpxchg") && random_.one_in(2)) gpr[kRax] = 0, gpr[kRdx] = ~u64{0};
    aim_state();
  }

  void aim_selector() {
    const std::string_view name = origin_.row->name;
    if (name.starts_with("pop")) test_.gpr[kRsp] = kDataBase + 64 * random_.below(120) + 32;
    if (name.starts_with("wr")) {
      u64& base = test_.gpr[insn().rm / 8 % 16];
      if (random_.below(4)) base = sign_extend(base, 47);
    } else if (!insn().is_memory && random_.below(8)) {
      const u64 upper = random_() & ~u64{0xffff};
      test_.gpr[insn().rm / 8 % 16] = any_selector(random_()) | upper;
    }
  }

  // EDX:EAX asks for components of extended state: those both sides have.
  void aim_state() {
    const std::string_view name = origin_.row->name;
    if (name.starts_with("xsave") || name.starts_with("xrstor")) {
      test_.gpr[kRax] &= 7;
      test_.gpr[kRdx] = 0;
    }
  }

  void put(unsigned at, u64 value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) encoded_.bytes[at + i] = static_cast<u8>(value >> (8 * i));
  }

  // Displacements and offsets inside the instruction.
  void patch_code() {
    const Insn& i = insn();
    const u64 next = test_.rip + i.length;
    if (i.is_memory && i.base >= 16 && encoded_.displacement_at != 0)
      put(encoded_.displacement_at, memory_ - (i.base == tcg::kBlockRip ? next : 0), 4);
    if (has_offset(*origin_.row)) {
      const unsigned size = 1u << i.address_width;
      put(i.length - size, any_target(random_) - segment_base(i), size);
    }
    if (has_relative(*origin_.row)) patch_branch();
  }

  // To where INT3 stands, or, far away, to nothing.
  void patch_branch() {
    const Insn& i = insn();
    const u64 next = test_.rip + i.length;
    if (!has_narrow_branch()) {
      const bool far = random_.one_in(8);
      return put(i.length - 4, far ? random_() : tail_of(random_.below(kSlots), random_) - next, 4);
    }
    u64 displacement = tail_of(slot_, random_) + (random_.below(7) - 3) * kSlotSize - next;
    if (static_cast<u64>(sign_extend(displacement, 8)) != displacement)
      displacement = tail_of(slot_, random_) - next;
    put(i.length - 1, displacement, 1);
  }

  const tcg::Decoder& decoder_;
  const u64 slot_;
  Random& random_;
  Origin& origin_;
  const Wanted& wanted_;
  Encoded encoded_;
  Case test_;
  u64 memory_ = 0;  // what an address without a base register is to be
};

}  // namespace

u64 any_target(Random& random) {
  switch (random.below(32)) {
    case 0:
      return kReadOnlyBase - random.below(40);
    case 1:
      return kReadOnlyBase + kPageSize - random.below(40);
    case 2:
      return kReadOnlyBase + random.below(64);
    case 3:
      return kLastBase + kPageSize - random.below(40);
    case 4:
      return kDataBase - random.below(40);
    case 5:
      return value_of(random());
    case 6:
    case 7:
    case 8:
      return kDataBase + kPageSize - random.below(40);
    case 9:
    case 10:
    case 11:
    case 12:
      return kDataBase + 256 + random.below(128);
    case 13:
    case 14:
      return kLastBase + 64 * random.below(60) + 24;
    default:
      return kDataBase + 256 + 16 * random.below(400);
  }
}

tcg::Mode user_mode(bool code64) {
  tcg::Mode mode;
  mode.code_width = code64 ? 3 : 2;
  mode.stack32 = !code64;
  mode.cpl = 3;
  mode.protected_mode = 1;
  return mode;
}

void fill_registers(std::array<u64, 16>& gpr, u64 seed) {
  Random random(seed);
  for (u64& value : gpr) value = value_of(random());
}

bool is_inside_a_case(u64 linear) {
  const u64 offset = linear - kCodeBase;
  return offset < kCodeSize && offset % kSlotSize < kTail;
}

std::optional<Case> make_case(const tcg::Decoder& decoder, const Row& row, u64 slot, Random& random,
                              Origin& origin, const Wanted& wanted) {
  return CaseMaker(decoder, slot, random, origin, wanted).run(row);
}

}  // namespace kite::oracle
