// Runs of small guests through the real program: how they end, and what it says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include "guest_code.h"
#include "program.h"

namespace kite {
namespace {

using testing::HasSubstr;

class Run : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_run_guests()) GTEST_SKIP() << "no accelerator is usable on this host";
  }
  std::string guest(const std::string& code) { return scratch.file("guest.bin", code); }
  Finished run(const std::string& code, std::vector<std::string> options = {},
               Program::Options program = {}) {
    options.insert(options.begin(), {"run", "--timeout", "30"});
    options.push_back(guest(code));
    return run_kite(std::move(options), std::move(program));
  }
  void expect_end(const Finished& result, int status, const std::string& why) {
    EXPECT_FALSE(result.timed_out);
    EXPECT_EQ(result.status, status) << result.err;
    ASSERT_EQ(result.complaints().size(), 1u) << result.err;
    EXPECT_THAT(result.complaints()[0], HasSubstr(why));
  }

  ScratchDirectory scratch;
};

TEST_F(Run, APowerOffIs0AndNeedsNoExplanation) {
  const Finished result = run(guest::print("hello\n") + guest::power_off());
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "hello\n");
  EXPECT_TRUE(result.complaints().empty()) << result.err;
}

TEST_F(Run, TheExitPortGivesTwiceTheValueAndOne) {
  EXPECT_EQ(run(guest::exit_port(0)).status, 1);
  EXPECT_EQ(run(guest::exit_port(5)).status, 11);
}

// On TCG: a KVM that interprets guest code may give up on the instruction instead of shutting down.
TEST_F(Run, ATripleFaultIs101) {
  if (run_kite({"list", "accels"}).out.find("tcg") == std::string::npos)
    GTEST_SKIP() << "this build has no tcg";
  expect_end(run(guest::print("so far\n") + guest::triple_fault(), {"--accel", "tcg"}), 101,
             "triple fault");
}

TEST_F(Run, ATimeoutIs102) {
  expect_end(run_kite({"run", "--timeout", "0.5", guest(guest::print("x\n") + guest::spin())}), 102,
             "timeout");
}

TEST_F(Run, AHaltForGoodIs103AtOnceWithRipAndTheLastConsoleLine) {
  const Finished result = run(guest::print("last words\n") + guest::halt_for_good());
  expect_end(result, 103, "rip 0x7c");
  EXPECT_THAT(result.complaints()[0], HasSubstr("last words"));
}

TEST_F(Run, AResetIs104WithNoReboot) {
  expect_end(run(guest::reset(), {"--no-reboot"}), 104, "--no-reboot");
}

TEST_F(Run, AResetStartsTheGuestAnewWithoutNoReboot) {
  const Finished result = run(guest::print("again\n") + guest::reset(), {"--expect", "again"});
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST_F(Run, PvpanicIs100) {
  expect_end(run(guest::pvpanic()), 100, "panic");
}

TEST_F(Run, APanicOnTheConsoleIs100) {
  const Finished result =
      run(guest::print("Kernel panic - not syncing: Attempted to kill init!\n") + guest::spin());
  expect_end(result, 100, "Attempted to kill init");
}

TEST_F(Run, EverythingExpectedIs0EvenIfTheGuestGoesOn) {
  const Finished result =
      run(guest::print("one\ntwo\n") + guest::spin(), {"--expect", "t[w]o", "--expect", "one"});
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST_F(Run, TextThatMustNotAppearIs106) {
  expect_end(run(guest::print("BUG: oh no\n") + guest::spin(), {"--fail-on", "BUG:"}), 106, "BUG:");
}

TEST_F(Run, PoweringOffBeforeWhatWasExpectedIsNoSuccess) {
  expect_end(run(guest::print("nothing\n") + guest::power_off(), {"--expect", "something"}), 107,
             "something");
}

TEST_F(Run, TheResultFileSaysTheSame) {
  const std::string result = scratch.path("result.json");
  run(guest::print("bye\n") + guest::halt_for_good(), {"--result", result});
  const std::string json = ScratchDirectory::contents(result);
  EXPECT_THAT(json, HasSubstr("\"outcome\": \"dead-halt\""));
  EXPECT_THAT(json, HasSubstr("\"status\": 103"));
  EXPECT_THAT(json, HasSubstr("\"last_console_line\": \"bye\""));
  EXPECT_THAT(json, HasSubstr("\"accelerator_reason\""));
}

TEST_F(Run, TheAcceleratorAndTheReasonAreOnStderr) {
  EXPECT_THAT(run(guest::power_off()).err, HasSubstr("kite: microvm, 512 MiB"));
}

TEST_F(Run, TheMonitorOnStdioTakesCommandsFromAPipe) {
  const Finished result = run(guest::spin(), {"--serial", "null", "--monitor", "stdio"},
                              {.input = "status\nfly\nquit\n"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("(kite) running, up "));
  EXPECT_THAT(result.out, HasSubstr("(kite) there is no command 'fly'"));
}

TEST_F(Run, TheListOfAcceleratorsTellsTheirSpeedAndWhatAutoTakes) {
  const Finished result = run_kite({"list", "accels"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("; usable, "));
  EXPECT_THAT(result.out, HasSubstr(" million instructions per second\n"));
  EXPECT_THAT(result.out, HasSubstr("\nauto "));
  EXPECT_THAT(result.out, HasSubstr("  takes "));
  EXPECT_THAT(result.out, HasSubstr("(default)\n"));
}

TEST_F(Run, TheConsoleGoesToAFile) {
  const std::string console = scratch.path("console");
  const Finished result =
      run(guest::print("to the file\n") + guest::power_off(), {"--serial", "file:" + console});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(ScratchDirectory::contents(console), "to the file\n");
}

TEST_F(Run, TheConsoleGoesNowhereButIsReadAlong) {
  const Finished result =
      run(guest::print("seen\n") + guest::spin(), {"--serial", "null", "--expect", "seen"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "");
}

TEST_F(Run, PipedInputReachesTheGuest) {
  const Finished result = run(guest::echo(), {"--expect", "input"}, {.input = "typed input\n"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("typed input"));
}

TEST_F(Run, AConsoleNobodyReadsStallsNeitherGuestNorEnd) {
  Program program({"run", "--timeout", "1", guest(guest::print_for_ever())});
  ::usleep(3'000'000);
  const Finished result = program.finish();
  EXPECT_EQ(result.status, 102) << result.err;
}

TEST_F(Run, AReaderThatGoesAwayIsOneWarning) {
  const Finished result =
      run(guest::print("x\n") + guest::power_off(), {}, {.closed = {}, .out_path = "/dev/full"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_LE(result.complaints().size(), 1u) << result.err;
}

TEST_F(Run, ClosedDescriptorsAreTolerated) {
  for (int fd : {0, 1, 2}) {
    const Finished result = run(guest::print("x\n") + guest::power_off(), {}, {.closed = {fd}});
    EXPECT_EQ(result.status, 0) << fd << result.err;
    EXPECT_EQ(result.out, fd == 1 ? "" : "x\n") << fd;
  }
  EXPECT_EQ(run(guest::power_off(), {}, {.closed = {0, 1, 2}}).status, 0);
}

TEST_F(Run, TheTraceAndTheLogGoToTheirFiles) {
  const std::string trace = scratch.path("trace"), log = scratch.path("log");
  const Finished result = run(guest::print("x\n") + guest::power_off(),
                              {"--trace", "pio=" + trace, "--log", log, "--verbose"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(std::filesystem::exists(trace));
  EXPECT_TRUE(std::filesystem::exists(log));
}

TEST_F(Run, SignalsEndTheRunWithOneLineAnd128PlusTheirNumber) {
  const std::pair<int, const char*> signals[] = {
      {SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}};
  for (const auto& [signal, name] : signals) {
    Program program({"run", "--timeout", "30", guest(guest::print("ready\n") + guest::spin())});
    ASSERT_TRUE(program.wait_for_output("ready"));
    ::kill(program.pid(), signal);
    expect_end(program.finish(), 128 + signal, name);
  }
}

TEST_F(Run, ASignalWhileAClientIsAwaitedEndsTheWait) {
  const std::string socket = scratch.path("socket");
  Program program({"run", "--serial", "unix:" + socket + ",server,wait", guest(guest::spin())});
  for (int i = 0; i < 500 && !std::filesystem::exists(socket); ++i) ::usleep(10'000);
  ::usleep(200'000);
  ::kill(program.pid(), SIGTERM);
  const Finished result = program.finish();
  EXPECT_EQ(result.status, 128 + SIGTERM) << result.err;
  EXPECT_FALSE(std::filesystem::exists(socket));
}

TEST_F(Run, ASignalThatWasIgnoredAtTheStartStaysIgnored) {
  Program program({"run", "--timeout", "2", guest(guest::print("ready\n") + guest::spin())},
                  {.ignored_signal = SIGHUP});
  ASSERT_TRUE(program.wait_for_output("ready"));
  ::kill(program.pid(), SIGHUP);
  EXPECT_EQ(program.finish().status, 102);
}

TEST_F(Run, TheFileSizeLimitIsAnErrorAndNotADeath) {
  const Finished result =
      run(guest::print("hello\n") + guest::power_off(),
          {"--memory", "64M", "--memory-backend", "file,mem-path=" + scratch.path("ram")},
          {.in_child = [] {
            const rlimit limit{1 << 20, 1 << 20};
            ::setrlimit(RLIMIT_FSIZE, &limit);
          }});
  EXPECT_EQ(result.signal, 0);
  EXPECT_GE(result.status, 64) << result.err;
  EXPECT_LE(result.status, 74) << result.err;
  ASSERT_EQ(result.complaints().size(), 1u) << result.err;
  EXPECT_THAT(result.complaints()[0], HasSubstr("file"));
}

}  // namespace
}  // namespace kite
