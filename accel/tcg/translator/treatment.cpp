#include "accel/tcg/translator/treatment.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "accel/tcg/isa/families.h"
#include "accel/x86/host_features.h"

namespace kite::tcg {

namespace {

// Families whose instructions are native unless something about a row says no.
bool is_native_family(std::span<const Row> (*family)()) {
  constexpr decltype(family) kNative[] = {
      arith_rows,     logic_rows,       sse_move_rows,    sse_integer_rows, sse_float_rows,
      sse4_rows,      crypto_rows,      sse_convert_rows, avx_crypto_rows,  avx_move_rows,
      avx_float_rows, avx_integer_rows, avx_convert_rows, fma_rows,         move_rows,
      shift_rows,     multiply_rows,    bit_rows,         bmi_rows};
  return std::find(std::begin(kNative), std::end(kNative), family) != std::end(kNative);
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Memory that is more, or less, than the operand of a load or store; registers that are none.
bool can_be_renamed(const Row& row) {
  for (unsigned i = 0; i < row.operand_count; ++i) {
    const OperandSpec& operand = row.operands[i];
    if (operand.place == Place::kOffset || operand.place == Place::kFar ||
        operand.place == Place::kRelative)
      return false;
    if (is_one_of(operand.name, {"M", "Mp", "Sw", "Cd", "Dd", "Pq"})) return false;
  }
  return true;
}

// Estimates differ from one make of processor to the next, and a guest is to see one machine.
bool is_estimate(std::string_view name) {
  return name.find("rcp") != name.npos || name.find("rsqrt") != name.npos;
}

// PCMPESTRI and kin; ECX is elsewhere in translated code.
bool answers_in_ecx(std::string_view name) {
  return name.ends_with("stri");
}

bool is_native(const Row& row) {
  const std::string_view name = row.name;
  const Attributes a = row.attributes;
  for (Attributes no : {cpl0, not64, ends_block, x87, mmx, protected_only, string, undefined, wait,
                        vsib, register_form})
    if (a.has(no)) return false;
  if (!row.is_implemented || row.operand_count == 0 || is_estimate(name)) return false;
  if (is_one_of(name, {"maskmovdqu", "vmaskmovdqu", "xlat"}) || answers_in_ecx(name)) return false;
  return can_be_renamed(row) && host_has_features_of(row);
}

// MMX instructions compute the same everywhere; those that convert, with memory, differ in whether
// they are MMX instructions at all (SDM 2A CVTPI2PD).
bool is_native_mmx(const Row& row) {
  return std::string_view(row.name) != "maskmovq" && host_has_features_of(row);
}

// Approximations differ between makes, as does how far FPREM comes; FBLD's digits may be none. What
// is left reads and writes the whole state.
Treatment x87_treatment(const Row& row) {
  const std::string_view name = row.name;
  if (is_one_of(name, {"wait", "fnclex", "fldcw", "fnstcw", "fnstsw"}))
    return Treatment::kX87Control;
  const bool differs = is_one_of(
      name, {"f2xm1", "fyl2x", "fyl2xp1", "fptan", "fpatan", "fsin", "fcos", "fsincos", "fprem",
             "fprem1", "fbld", "fbstp", "fninit", "fldenv", "fnstenv", "frstor", "fnsave"});
  return differs ? Treatment::kInterpret : Treatment::kX87;
}

bool is_x87_family(std::span<const Row> (*family)()) {
  return family == x87_arithmetic_rows || family == x87_transfer_rows || family == x87_control_rows;
}

// Without operands, or of other families.
bool is_native_besides(std::string_view name) {
  return is_one_of(name, {"clc", "stc", "cmc", "lahf", "sahf", "cbw", "cwd", "vzeroupper",
                          "vzeroall", "ldmxcsr", "stmxcsr", "vldmxcsr", "vstmxcsr"});
}

bool is_nothing(std::string_view name) {
  return is_one_of(name, {"nop", "prefetch", "prefetchw", "prefetchwt1", "prefetchnta",
                          "prefetcht0", "prefetcht1", "prefetcht2"});
}

Treatment special(const Row& row) {
  const Encoding& e = row.encoding;
  const std::string_view name = row.name;
  if (name == "lea") return Treatment::kLea;
  if (name == "jmp") return e.opcode == 0xff ? Treatment::kJumpIndirect : Treatment::kJump;
  if (name == "call") return e.opcode == 0xff ? Treatment::kCallIndirect : Treatment::kCall;
  if (name == "ret") return Treatment::kReturn;
  if (name == "push") return Treatment::kPush;
  if (name == "leave") return Treatment::kLeave;
  if (name == "pushf") return Treatment::kPushFlags;
  if (name == "pop") return e.opcode == 0x8f ? Treatment::kInterpret : Treatment::kPop;
  if (name.starts_with("j") && name != "jcxz") return Treatment::kBranch;
  return Treatment::kInterpret;
}

// What Linux enters and leaves its system calls with.
Treatment of_system(std::string_view name) {
  if (name == "cli") return Treatment::kClearInterrupts;
  if (name == "sti") return Treatment::kSetInterrupts;
  if (name == "stac") return Treatment::kAllowAccess;
  if (name == "clac") return Treatment::kForbidAccess;
  if (name == "swapgs") return Treatment::kSwapGs;
  return Treatment::kInterpret;
}

// INC and DEC r of 32-bit code are written in their longer form.
bool is_short_increment(const Row& row) {
  return row.attributes.has(not64) && is_one_of(row.name, {"inc", "dec"});
}

Treatment treatment_of(const Row& row, std::span<const Row> (*family)()) {
  if (is_short_increment(row)) return Treatment::kNative;
  if (is_nothing(row.name)) return Treatment::kNothing;
  if (const Treatment found = of_system(row.name); found != Treatment::kInterpret) return found;
  if (is_native_besides(row.name) && host_has_features_of(row)) return Treatment::kNative;
  if (family == branch_rows || family == stack_rows || std::string_view(row.name) == "lea")
    return special(row);
  if (is_x87_family(family)) return x87_treatment(row);
  if (family == mmx_rows) return is_native_mmx(row) ? Treatment::kNative : Treatment::kInterpret;
  return is_native_family(family) && is_native(row) ? Treatment::kNative : Treatment::kInterpret;
}

}  // namespace

bool host_has_features_of(const Row& row) {
  for (unsigned i = 0; i < row.feature_count; ++i)
    if (!host_has(row.features[i])) return false;
  return !row.is_avx || host_has(Feature::kAvx2);
}

bool host_can_translate() {
  return host_has(Feature::kAvx2) && host_has(Feature::kBmi2);
}

Treatments::Treatments() {
  for (auto family : {
#define KITE_NAME(family) &family##_rows,
           KITE_FAMILIES(KITE_NAME)
#undef KITE_NAME
       })
    for (const Row& row : family()) {
      by_row_.push_back(recipe_of(row));
      by_row_.back().treatment = treatment_of(row, family);
    }
}

}  // namespace kite::tcg
