#include "tests/isa/support/aliases.h"

#include <algorithm>

namespace kite::isa {
namespace {

constexpr std::string_view kSize = "one row for every operand size; Capstone names each size";
constexpr std::string_view kSame = "another name of the same instruction";
constexpr std::string_view kPredicate = "Capstone makes the predicate part of the name";

constexpr std::string_view kLength = "Capstone adds the length of what is converted to the name";

constexpr std::string_view kIgnoredW =
    "VEX.W is ignored outside 64-bit mode; Capstone heeds it and names a register of 64 bits";

constexpr Alias kAliases[] = {
    {"cbw", "cwde", kSize},
    {"cbw", "cdqe", kSize},
    {"cwd", "cdq", kSize},
    {"cwd", "cqo", kSize},
    {"pusha", "pusha*", kSize},
    {"popa", "popa*", kSize},
    {"pushf", "pushf*", kSize},
    {"popf", "popf*", kSize},
    {"iret", "iret*", kSize},
    {"retf", "retfq", kSize},
    {"ins", "ins*", kSize},
    {"outs", "outs*", kSize},
    {"movs", "movs*", kSize},
    {"cmps", "cmps*", kSize},
    {"stos", "stos*", kSize},
    {"lods", "lods*", kSize},
    {"scas", "scas*", kSize},
    {"jcxz", "j*cxz", kSize},
    {"movd", "movq", kSize},
    {"mov", "movabs", "Capstone's name for 64-bit immediates and offsets"},
    {"xchg", "nop", "90h exchanges rAX with itself"},
    {"clwb", "xsaveopt*", "Capstone forgets 66h before REX.W"},
    {"wbnoinvd", "wbinvd", "the older instruction with F3h"},
    {"pause", "xchg", "Capstone forgets F3h before REX.W"},
    {"pause", "nop", "Capstone forgets F3h before REX.W"},
    {"movq", "movd", "Capstone forgets F3h before REX.W"},
    {"shl", "sal", kSame},
    {"xlat", "xlatb", kSame},
    {"fcompi", "fcomip", kSame},
    {"fucompi", "fucomip", kSame},
    {"call far", "lcall", kSame},
    {"jmp far", "ljmp", kSame},
    {"vpextrd", "vpextrq", kIgnoredW},
    {"vpinsrd", "vpinsrq", kIgnoredW},
    {"cmpps", "cmp*ps", kPredicate},
    {"cmppd", "cmp*pd", kPredicate},
    {"cmpss", "cmp*ss", kPredicate},
    {"cmpsd", "cmp*sd", kPredicate},
    {"vcmpps", "vcmp*ps", kPredicate},
    {"vcmppd", "vcmp*pd", kPredicate},
    {"vcmpss", "vcmp*ss", kPredicate},
    {"vcmpsd", "vcmp*sd", kPredicate},
    {"vcvtpd2ps", "vcvtpd2psx", kLength},
    {"vcvtpd2dq", "vcvtpd2dqx", kLength},
    {"vcvttpd2dq", "vcvttpd2dqx", kLength},
};

constexpr std::string_view kHint = "Capstone has the hints for memory only, and not all of them";
constexpr std::string_view kReserved = "Capstone knows the one encoding that compilers write";
constexpr std::string_view kNumber = "Capstone looks at the register's number, Kite when it runs";
constexpr std::string_view kWidth =
    "only part of the register counts; Capstone prints another part";
constexpr std::string_view kNotModified = "Capstone counts flags that stay as they are as modified";
constexpr std::string_view kNotTested = "Capstone does not count flags that are read as a whole";
constexpr std::string_view kByOne = "Capstone does not tell a count of one, which defines OF";

constexpr std::string_view kNewer = "younger than Capstone 4";

constexpr Exception kExceptions[] = {
    {Aspect::kEverything, "gf2p8*", kNewer},
    {Aspect::kEverything, "vgf2p8*", kNewer},
    {Aspect::kEverything, "VEX.256.66.0F38.WIG DC /r", kNewer},
    {Aspect::kEverything, "VEX.256.66.0F38.WIG DD /r", kNewer},
    {Aspect::kEverything, "VEX.256.66.0F38.WIG DE /r", kNewer},
    {Aspect::kEverything, "VEX.256.66.0F38.WIG DF /r", kNewer},
    {Aspect::kEverything, "VEX.256.66.0F3A.WIG 44 /r ib", kNewer},
    {Aspect::kEverything, "serialize", kNewer},
    {Aspect::kEverything, "rdpkru", kNewer},
    {Aspect::kEverything, "wrpkru", kNewer},
    {Aspect::kEverything, "rdpid", kNewer},
    {Aspect::kLength, "vbroadcasti128", "Capstone 4 does not know it"},
    {Aspect::kLength, "prefetch*", kHint},
    {Aspect::kLength, "nop", kHint},
    {Aspect::kLength, "lfence", kReserved},
    {Aspect::kLength, "mfence", kReserved},
    {Aspect::kLength, "sfence", kReserved},
    {Aspect::kLength, "8C /r", kNumber},
    {Aspect::kLength, "8E /r", kNumber},
    {Aspect::kOperands, "8C /r", kWidth},
    {Aspect::kOperands, "8E /r", kWidth},
    {Aspect::kOperands, "vpextrd", kIgnoredW},
    {Aspect::kOperands, "vpinsrd", kIgnoredW},
    {Aspect::kOperands, "lar", kWidth},
    {Aspect::kOperands, "lsl", kWidth},
    {Aspect::kOperands, "movsxd", kWidth},
    {Aspect::kOperands, "0F 20 /r", kWidth},
    {Aspect::kOperands, "0F 21 /r", kWidth},
    {Aspect::kOperands, "0F 22 /r", kWidth},
    {Aspect::kOperands, "0F 23 /r", kWidth},
    {Aspect::kFlags, "syscall", "RFLAGS is masked as a whole"},
    {Aspect::kFlags, "sysenter", kNotModified},
    {Aspect::kFlags, "sysexit", kNotModified},
    {Aspect::kFlags, "prefetchw", kNotModified},
    {Aspect::kFlags, "cmpps", kNotModified},
    {Aspect::kFlags, "cmppd", kNotModified},
    {Aspect::kFlags, "cmpss", kNotModified},
    {Aspect::kFlags, "F2 0F C2 /r ib", kNotModified},
    {Aspect::kFlags, "lzcnt", "Capstone forgets CF"},
    {Aspect::kFlags, "blsr", "Capstone has the flags of BLSMSK, whose result is never zero"},
    {Aspect::kFlags, "ptest", "Capstone forgets OF"},
    {Aspect::kFlags, "vptest", "Capstone forgets the flags"},
    {Aspect::kFlags, "vcomis*", "Capstone forgets the flags"},
    {Aspect::kFlags, "vucomis*", "Capstone forgets the flags"},
    {Aspect::kFlags, "vtestp*", "Capstone forgets OF"},
    {Aspect::kFlags, "vpcmpestr*", "Capstone forgets the flags"},
    {Aspect::kFlags, "vpcmpistr*", "Capstone forgets the flags"},
    {Aspect::kFlags, "pcmpestr*", "Capstone forgets the flags"},
    {Aspect::kFlags, "pcmpistr*", "Capstone forgets the flags"},
    {Aspect::kFlags, "pushf", kNotTested},
    {Aspect::kFlags, "lahf", kNotTested},
    {Aspect::kFlags, "into", kNotTested},
    {Aspect::kFlags, "salc", kNotTested},
    {Aspect::kFlags, "D0 /0", kByOne},
    {Aspect::kFlags, "D0 /1", kByOne},
    {Aspect::kFlags, "D0 /2", kByOne},
    {Aspect::kFlags, "D0 /3", kByOne},
    {Aspect::kFlags, "D1 /0", kByOne},
    {Aspect::kFlags, "D1 /1", kByOne},
    {Aspect::kFlags, "D1 /2", kByOne},
    {Aspect::kFlags, "D1 /3", kByOne},
};

// One * in a pattern stands for any text.
bool matches(std::string_view pattern, std::string_view name) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  return name.size() + 1 >= pattern.size() && name.starts_with(pattern.substr(0, star)) &&
         name.ends_with(pattern.substr(star + 1));
}

}  // namespace

std::span<const Alias> aliases() {
  return kAliases;
}

std::span<const Exception> exceptions() {
  return kExceptions;
}

bool is_excepted(const tcg::Row& row, Aspect aspect) {
  return std::ranges::any_of(kExceptions, [&](const Exception& exception) {
    return (exception.aspect == aspect || exception.aspect == Aspect::kEverything) &&
           (matches(exception.kite, row.name) || exception.kite == row.text);
  });
}

bool is_alias(std::string_view kite, std::string_view capstone) {
  return std::ranges::any_of(kAliases, [&](const Alias& alias) {
    return matches(alias.kite, kite) && matches(alias.capstone, capstone);
  });
}

}  // namespace kite::isa
