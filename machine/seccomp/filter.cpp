#include "machine/seccomp/filter.h"

#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstddef>

#include "base/unique_fd.h"

#ifndef SECCOMP_FILTER_FLAG_SPEC_ALLOW
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW (1UL << 2)
#endif

namespace kite::sandbox {

When When::equal(unsigned argument, u64 value) {
  return {{argument, SCMP_CMP_EQ, value, 0}};
}

When When::above(unsigned argument, u64 value) {
  return {{argument, SCMP_CMP_GT, value, 0}};
}

When When::masked(unsigned argument, u64 mask, u64 value) {
  return {{argument, SCMP_CMP_MASKED_EQ, mask, value}};
}

FilterBuilder::FilterBuilder() : context_(seccomp_init(SCMP_ACT_TRAP)) {
  if (context_ == nullptr) {
    problem_ = "libseccomp does not start";
    return;
  }
  note(seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP), "other architectures",
       -1);
}

FilterBuilder::~FilterBuilder() {
  if (context_ != nullptr) seccomp_release(context_);
}

void FilterBuilder::note(int result, const char* what, int call) {
  if (result == 0 || !problem_.empty()) return;
  problem_ = fmt::format("libseccomp: {} {}: error {}", what, call, -result);
}

void FilterBuilder::add(u32 action, int call, std::initializer_list<When> when) {
  if (context_ == nullptr || call < 0) return;  // this architecture does not have it
  std::vector<scmp_arg_cmp> compares;
  for (const When& each : when) compares.push_back(each.compare);
  note(seccomp_rule_add_array(context_, action, call, static_cast<unsigned>(compares.size()),
                              compares.data()),
       "rule for call", call);
}

void FilterBuilder::allow(int call, std::initializer_list<When> when) {
  add(SCMP_ACT_ALLOW, call, when);
}

void FilterBuilder::refuse(int call, int error, std::initializer_list<When> when) {
  add(SCMP_ACT_ERRNO(error), call, when);
}

// Jumps are relative, so this can stand in front of a program: each comparison that fails goes on
// behind it.
void FilterBuilder::allow_first(int call, std::initializer_list<When> when) {
  if (call < 0) return;
  constexpr std::size_t kLower = std::endian::native == std::endian::little ? 0 : sizeof(u32);
  Program rule;
  const auto require = [&](std::size_t offset, u32 mask, u64 value) {
    rule.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<u32>(offset)));
    if (mask != ~u32{0}) rule.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
    rule.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<u32>(value), 0, 0));
  };
  require(offsetof(seccomp_data, arch), ~u32{0}, seccomp_arch_native());
  require(offsetof(seccomp_data, nr), ~u32{0}, static_cast<u32>(call));
  for (const When& each : when) {
    const scmp_arg_cmp& compare = each.compare;
    const std::size_t at = offsetof(seccomp_data, args) + compare.arg * sizeof(u64);
    if (compare.op == SCMP_CMP_MASKED_EQ) {
      require(at + kLower, static_cast<u32>(compare.datum_a), compare.datum_b);
    } else {
      require(at + kLower, ~u32{0}, compare.datum_a);
      require(at + sizeof(u32) - kLower, ~u32{0}, compare.datum_a >> 32);
    }
  }
  rule.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  for (std::size_t i = 0; i < rule.size(); ++i)
    if (BPF_CLASS(rule[i].code) == BPF_JMP) rule[i].jf = static_cast<u8>(rule.size() - i - 1);
  first_.insert(first_.end(), rule.begin(), rule.end());
}

// Through a file in memory, since older versions of libseccomp write to nothing else. Loading the
// program ourselves saves making it once for each thread.
Result<Program> FilterBuilder::finish() {
  if (!problem_.empty()) return fail(ErrorKind::kInternal, "{}", problem_);
  const UniqueFd file(::memfd_create("kite-sandbox", MFD_CLOEXEC));
  if (!file.valid()) return fail_errno(ErrorKind::kUnavailable, errno, "no room for a filter");
  if (const int result = seccomp_export_bpf(context_, file.get()); result != 0)
    return fail(ErrorKind::kInternal, "libseccomp: no program: error {}", -result);
  struct stat status = {};
  ::fstat(file.get(), &status);
  Program program(static_cast<std::size_t>(status.st_size) / sizeof(sock_filter));
  const std::size_t bytes = program.size() * sizeof(sock_filter);
  if (::pread(file.get(), program.data(), bytes, 0) != static_cast<ssize_t>(bytes))
    return fail_errno(ErrorKind::kInternal, errno, "the filter cannot be read back");
  program.insert(program.begin(), first_.begin(), first_.end());
  return program;
}

// SPEC_ALLOW: some kernels stop the processor's speculation past stores in threads with a filter,
// which costs an interpreter a third of its speed. That protects secrets which such a thread could
// read in its own process, and a guest's process has none that are not its guest's.
Result<> load(const Program& program) {
  sock_fprog code = {};
  code.len = static_cast<unsigned short>(program.size());
  code.filter = const_cast<sock_filter*>(program.data());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return fail_errno(ErrorKind::kUnavailable, errno, "no sandbox: PR_SET_NO_NEW_PRIVS");
  for (const unsigned long flags : {SECCOMP_FILTER_FLAG_SPEC_ALLOW, 0UL}) {
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &code) == 0) return {};
    if (errno != EINVAL) break;  // kernels before 4.17 do not know the flag
  }
  return fail_errno(ErrorKind::kUnavailable, errno, "no sandbox: this kernel takes no filter");
}

}  // namespace kite::sandbox
