// Faults of generated code: to the claimant what is its own, to the handler before everything else.
// Handlers stay for good, so each test has a process of its own.
#include "accel/tcg/translator/signals.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <thread>

#include "accel/tcg/code_memory.h"
#include "base/bits.h"
#include "tests/sanitizer.h"

namespace kite::tcg {
namespace {

using Code = std::initializer_list<u8>;

constexpr Code kLoad = {0x48, 0x8b, 0x07, 0xc3};                         // mov rax, [rdi]; ret
constexpr Code kReturn7 = {0xb8, 7, 0, 0, 0, 0xc3};                      // mov eax, 7; ret
constexpr Code kDivide = {0x31, 0xc9, 0x31, 0xd2, 0xf7, 0xf1, 0xc3};     // by ecx, which is 0; ret
constexpr Code kLoadWithoutStack = {0x55, 0x48, 0x89, 0xe5, 0x31, 0xe4,  // push rbp; mov rbp, rsp
                                    0x48, 0x8b, 0x07};                   // esp = 0; mov rax, [rdi]
constexpr Code kFindStack = {0x48, 0x89, 0xec, 0x5d, 0xb8, 7, 0, 0, 0, 0xc3};  // … return 7

// Code that faults, and where it goes on: a claimant's context.
class Faulting {
 public:
  Faulting(Code code, unsigned fault_at, Code go_on) : memory_(*CodeMemory::create(64 * KiB)) {
    std::memcpy(memory_.writable(), code.begin(), code.size());
    std::memcpy(memory_.writable() + kGoOn, go_on.begin(), go_on.size());
    fault_ = memory_.executable() + fault_at;
  }
  u64 run(u64 address = 0) const {
    using Function = u64 (*)(u64);
    return reinterpret_cast<Function>(reinterpret_cast<u64>(memory_.executable()))(address);
  }
  static const u8* claim(void* context, const u8* pc, int signal) {
    auto& self = *static_cast<Faulting*>(context);
    ++self.asked;
    self.last_signal = signal;
    errno = ERANGE;
    return pc == self.fault_ ? self.memory_.executable() + kGoOn : nullptr;
  }

  int asked = 0, last_signal = 0;

 private:
  static constexpr unsigned kGoOn = 1024;
  CodeMemory memory_;
  const u8* fault_;
};

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::_Exit(1);
}

void no_core_dump() {
  const struct rlimit none {};
  ::setrlimit(RLIMIT_CORE, &none);
}

void handle(int signal, void (*handler)(int), int flags = 0) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

void handle(int signal, void (*handler)(int, siginfo_t*, void*), int masked) {
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO;
  ::sigemptyset(&action.sa_mask);
  ::sigaddset(&action.sa_mask, masked);
  ::sigaction(signal, &action, nullptr);
}

bool is_blocked(int signal) {
  sigset_t now;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
  return ::sigismember(&now, signal) == 1;
}

// Runs `body`, which ends the process by itself where something is not so.
#define EXPECT_WELL(body) EXPECT_EXIT((body(), std::_Exit(0)), testing::ExitedWithCode(0), "")

class FaultSignalsTest : public testing::Test {
 protected:
  // The processes begin anew, without what other tests have installed.
  FaultSignalsTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

void faults_of_each_kind() {
  {
    Faulting load(kLoad, 0, kReturn7);
    const FaultSignals::Claimant claimant(&load, Faulting::claim);
    errno = 0;
    expect(load.run() == 7, "a load from address 0 goes on");
    expect(load.last_signal == SIGSEGV || load.last_signal == SIGBUS, "the signal is told");
    expect(errno == 0, "errno is as it was");
    expect(load.run(u64{1} << 62) == 7, "a load from an address that is not canonical goes on");
    const u64 value = 4711;
    expect(load.run(reinterpret_cast<u64>(&value)) == 4711, "a load that does not fault is none");
    expect(load.asked == 2, "two faults");
  }
  Faulting divide(kDivide, 4, kReturn7);
  const FaultSignals::Claimant claimant(&divide, Faulting::claim);
  expect(divide.run() == 7, "a division by 0 goes on");
  expect(divide.last_signal == SIGFPE, "the signal is told");
}

TEST_F(FaultSignalsTest, AClaimedFaultGoesOnWhereTheClaimantSays) {
  EXPECT_WELL(faults_of_each_kind);
}

void fault_behind_the_end_of_a_file() {
  std::FILE* file = std::tmpfile();
  void* page = ::mmap(nullptr, kPageSize, PROT_READ, MAP_SHARED, ::fileno(file), 0);
  expect(page != MAP_FAILED, "an empty file can be mapped");
  Faulting load(kLoad, 0, kReturn7);
  const FaultSignals::Claimant claimant(&load, Faulting::claim);
  expect(load.run(reinterpret_cast<u64>(page)) == 7, "a load from there goes on");
  expect(load.last_signal == SIGBUS, "the signal is told");
}

TEST_F(FaultSignalsTest, SoDoesOneThatIsABusError) {
  EXPECT_WELL(fault_behind_the_end_of_a_file);
}

void fault_without_a_stack() {
  Faulting load(kLoadWithoutStack, 6, kFindStack);
  std::thread([&load] {
    const FaultSignals::Claimant claimant(&load, Faulting::claim);
    for (int i = 0; i < 3; ++i) expect(load.run() == 7, "it goes on");
  }).join();
  const FaultSignals::Claimant claimant(&load, Faulting::claim);
  expect(load.run() == 7, "it goes on in the first thread");
}

TEST_F(FaultSignalsTest, TheCodeMayUseTheStackPointerForWhatItLikes) {
  EXPECT_WELL(fault_without_a_stack);
}

void claimants_nest_and_end() {
  Faulting load(kLoad, 0, kReturn7), other(kLoad, 0, kReturn7);
  const FaultSignals::Claimant outer(&load, Faulting::claim);
  {
    const FaultSignals::Claimant inner(&other, Faulting::claim);
    expect(other.run() == 7, "the inner one is asked");
    expect(load.asked == 0, "alone");
  }
  expect(load.run() == 7, "the outer one is asked again");
  expect(other.asked == 1, "and the inner one no longer");
}

TEST_F(FaultSignalsTest, TheInnermostClaimantIsAskedAsLongAsItLives) {
  EXPECT_WELL(claimants_nest_and_end);
}

// The claim of another thread, and one's own that has ended, do not count.
void die_beside_a_claimant() {
  no_core_dump();
  handle(SIGSEGV, SIG_DFL);
  handle(SIGBUS, SIG_DFL);
  Faulting load(kLoad, 0, kReturn7);
  const FaultSignals::Claimant claimant(&load, Faulting::claim);
  std::thread([&load] {
    { const FaultSignals::Claimant ended(&load, Faulting::claim); }
    load.run();
  }).join();
}

TEST_F(FaultSignalsTest, AClaimantIsThatOfItsThread) {
  EXPECT_EXIT(die_beside_a_claimant(), testing::KilledBySignal(SIGSEGV), "");
}

void* fault_address = nullptr;

void with_information(int signal, siginfo_t* info, void* context) {
  expect(signal == SIGSEGV, "the signal");
  expect(info->si_addr == fault_address, "the address");
  expect(context != nullptr, "the context");
  expect(is_blocked(SIGSEGV) && is_blocked(SIGUSR1), "the handler's mask");
  // ThreadSanitizer blocks every signal around a handler.
  expect(test::kSanitizer || !is_blocked(SIGUSR2), "nothing else is blocked");
  std::_Exit(42);
}

void fault_for_the_handler_before() {
  handle(SIGSEGV, with_information, SIGUSR1);
  Faulting load(kLoad, 1, kReturn7);  // the claimant is asked, and looks for another instruction
  const FaultSignals::Claimant claimant(&load, Faulting::claim);
  fault_address = ::mmap(nullptr, kPageSize, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
  load.run(reinterpret_cast<u64>(fault_address));
}

TEST_F(FaultSignalsTest, WhatNobodyClaimsReachesTheHandlerBefore) {
  EXPECT_EXIT(fault_for_the_handler_before(), testing::ExitedWithCode(42), "");
}

void exit_with_43(int signal) {
  std::_Exit(signal == SIGFPE ? 43 : 1);
}

void fault_for_a_handler_without_information() {
  handle(SIGFPE, exit_with_43);
  FaultSignals::install();
  Faulting(kDivide, 4, kReturn7).run();
}

TEST_F(FaultSignalsTest, AlsoOneThatIsOnlyToldTheSignal) {
  EXPECT_EXIT(fault_for_a_handler_without_information(), testing::ExitedWithCode(43), "");
}

volatile std::sig_atomic_t called = 0;

void count(int) {
  called = called + 1;
}

// As the command line does, to restore the terminal.
void write_and_die(int signal) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, "x", 1);
  ::raise(signal);
}

void fault_for_a_handler_that_resets() {
  no_core_dump();
  handle(SIGSEGV, write_and_die, SA_RESETHAND | SA_NODEFER);
  FaultSignals::install();
  Faulting(kLoad, 0, kReturn7).run();
}

TEST_F(FaultSignalsTest, OneThatIsToBeCalledOnceIsCalledOnce) {
  EXPECT_EXIT(fault_for_a_handler_that_resets(), testing::KilledBySignal(SIGSEGV), "^x$");
}

void signals_that_are_sent() {
  handle(SIGSEGV, count);
  handle(SIGFPE, SIG_IGN);
  Faulting load(kLoad, 0, kReturn7);
  const FaultSignals::Claimant claimant(&load, Faulting::claim);
  FaultSignals::install();
  ::raise(SIGSEGV);
  ::kill(::getpid(), SIGSEGV);
  expect(called == 2, "the handler before is called");
  ::raise(SIGFPE);  // and ignored, as before
  expect(load.asked == 0, "the claimant is not asked about what is no fault");
  expect(load.run() == 7, "but about a fault");
}

TEST_F(FaultSignalsTest, WhatIsSentIsNoFault) {
  EXPECT_WELL(signals_that_are_sent);
}

void fault_with(void (*disposition)(int), Code code) {
  no_core_dump();
  for (const int signal : {SIGSEGV, SIGFPE}) handle(signal, disposition);
  FaultSignals::install();
  Faulting(code, 0, kReturn7).run();
}

TEST_F(FaultSignalsTest, WithoutAHandlerBeforeTheProcessDiesOfTheSignal) {
  EXPECT_EXIT(fault_with(SIG_DFL, kLoad), testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EXIT(fault_with(SIG_DFL, kDivide), testing::KilledBySignal(SIGFPE), "");
}

TEST_F(FaultSignalsTest, AFaultIsNotIgnored) {
  EXPECT_EXIT(fault_with(SIG_IGN, kLoad), testing::KilledBySignal(SIGSEGV), "");
}

void send_without_a_handler() {
  no_core_dump();
  handle(SIGBUS, SIG_DFL);
  FaultSignals::install();
  ::raise(SIGBUS);
}

TEST_F(FaultSignalsTest, ASignalThatIsSentKillsAsBefore) {
  EXPECT_EXIT(send_without_a_handler(), testing::KilledBySignal(SIGBUS), "");
}

// A claim that faults is a bug, and must end as one.
void fault_in_a_claim() {
  no_core_dump();
  handle(SIGSEGV, SIG_DFL);
  Faulting load(kLoad, 0, kReturn7);
  const FaultSignals::Claimant claimant(&load, [](void* context, const u8*, int) {
    static_cast<Faulting*>(context)->run();
    return static_cast<const u8*>(nullptr);
  });
  load.run();
}

TEST_F(FaultSignalsTest, AFaultOfTheClaimItselfIsNotClaimed) {
  EXPECT_EXIT(fault_in_a_claim(), testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace kite::tcg
