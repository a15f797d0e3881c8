// FreeBSD, NetBSD, OpenBSD and macOS.
#ifdef __APPLE__
#define _XOPEN_SOURCE 700  // <ucontext.h> is deprecated without
#define _DARWIN_C_SOURCE
#include <sys/ucontext.h>
#elif !defined(__OpenBSD__)
#include <ucontext.h>
#endif

#include <cstdint>
#include <type_traits>

#include "accel/tcg/translator/fault_context.h"

namespace kite::tcg::fault_context {

// The saved RIP.
#if defined(__APPLE__)
#define KITE_RIP(context) (static_cast<ucontext_t*>(context)->uc_mcontext->__ss.__rip)
#elif defined(__OpenBSD__)
#define KITE_RIP(context) (static_cast<struct sigcontext*>(context)->sc_rip)
#elif defined(__NetBSD__)
#define KITE_RIP(context) (static_cast<ucontext_t*>(context)->uc_mcontext.__gregs[_REG_RIP])
#else  // FreeBSD and DragonFly
#define KITE_RIP(context) (static_cast<ucontext_t*>(context)->uc_mcontext.mc_rip)
#endif

// kill() and its kin have codes that are not positive (NetBSD, OpenBSD), or from 10001h on (FreeBSD
// and macOS, whose faults may also come with 0).
bool is_fault(const siginfo_t& info) {
#ifdef __APPLE__
  return info.si_code >= 0 && info.si_code < SI_USER;
#else
  return info.si_code > 0 && info.si_code < 0x10000;
#endif
}

const u8* pc(const void* context) {
  return reinterpret_cast<const u8*>(
      static_cast<std::uintptr_t>(KITE_RIP(const_cast<void*>(context))));
}

void go_on_at(void* context, const u8* pc) {
  using Register = std::remove_reference_t<decltype(KITE_RIP(context))>;
  KITE_RIP(context) = static_cast<Register>(reinterpret_cast<std::uintptr_t>(pc));
}

}  // namespace kite::tcg::fault_context
