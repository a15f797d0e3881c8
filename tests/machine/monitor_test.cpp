// The monitor: its commands, on a made-up machine, and what it does with input of every kind.
#include "machine/monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accel/x86/registers.h"

namespace kite {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A machine of two vCPUs that notes what it is told.
class FakeTarget : public MonitorTarget {
 public:
  FakeTarget() {
    machine.board = "microvm";
    machine.accelerator = "tcg";
    machine.accelerator_reason = "--accel tcg";
    machine.vcpus = 2;
    machine.uptime = 1500 * kMillisecond;
    processors.resize(2);
    processors[0].state.rip = 0x1234;
    processors[1].state.mp_state = MpState::kWaitForSipi;
  }
  Status status() override { return machine; }
  std::vector<VcpuStatus> vcpus() override { return processors; }
  void stop_vcpus() override {
    told.push_back("stop");
    machine.stopped = true;
  }
  void continue_vcpus() override {
    told.push_back("cont");
    machine.stopped = false;
  }
  void reset_machine() override { told.push_back("reset"); }
  bool wake_machine() override {
    told.push_back("wake");
    return std::exchange(machine.asleep, false);
  }
  void quit() override { told.push_back("quit"); }
  Result<> move_to(std::string_view accelerator) override {
    told.push_back(fmt::format("move to {}", accelerator));
    if (accelerator == "kvm") return fail(ErrorKind::kUnavailable, "kvm is not usable: no");
    return {};
  }

  Status machine;
  std::vector<VcpuStatus> processors;
  std::vector<std::string> told;
};

class MonitorTest : public testing::Test {
 protected:
  std::string answer(std::string_view line) { return execute_monitor_command(target, line); }
  std::string type(std::string_view text, Monitor::Echo echo = Monitor::Echo::kOff) {
    std::string output;
    Monitor monitor(
        target, [&](std::string_view part) { output += part; }, echo);
    monitor.type({reinterpret_cast<const u8*>(text.data()), text.size()});
    return output;
  }
  FakeTarget target;
};

TEST_F(MonitorTest, StatusSaysWhatTheMachineIsAndDoes) {
  EXPECT_THAT(answer("status"), AllOf(StartsWith("running, up 1.500 s, 0 resets\n"),
                                      HasSubstr("microvm, 2 vCPUs, 0 halted, tcg (--accel tcg)\n"),
                                      Not(HasSubstr("executed"))));
  target.machine.instructions = 12;
  target.machine.fall_backs = 3;
  EXPECT_THAT(answer("status"), AllOf(HasSubstr("12 instructions executed\n"),
                                      HasSubstr("3 instructions executed by the interpreter")));
  target.machine.halted_vcpus = 2;
  EXPECT_THAT(answer("status"), StartsWith("halted, "));
  target.machine.stopped = true;
  EXPECT_THAT(answer("status"), StartsWith("stopped, "));
}

TEST_F(MonitorTest, AccelShowsAndMoves) {
  EXPECT_EQ(answer("accel"), "tcg (--accel tcg)\n");
  EXPECT_EQ(answer("accel tcg"), "the machine runs on tcg\n");
  EXPECT_EQ(answer("accel kvm"), "kvm is not usable: no\n");
  EXPECT_EQ(answer("accel kmv"), "there is no accelerator 'kmv'; did you mean 'kvm'?\n");
  EXPECT_THAT(target.told, ElementsAre("move to tcg", "move to kvm"));
}

TEST_F(MonitorTest, CpusSaysWhereEachStands) {
  EXPECT_EQ(answer("cpus"),
            "vCPU 0: runs, rip 0x1234, real mode, privilege level 0\n"
            "vCPU 1: waits for a start-up interrupt, rip 0xfff0, real mode, privilege level 0\n");
  MonitorTarget::VcpuStatus& first = target.processors[0];
  first.halted = true;
  first.state.cr0 |= cr0::kPe | cr0::kPg;
  EXPECT_THAT(answer("cpus"), HasSubstr("vCPU 0: halted, rip 0x1234, 16-bit protected mode"));
  first.dead = true;
  first.state.segments[kCs].db = true;
  EXPECT_THAT(answer("cpus"), HasSubstr("halted for good, rip 0x1234, 32-bit"));
  first.state.efer = efer::kLma;
  EXPECT_THAT(answer("cpus"), HasSubstr("compatibility mode"));
  first.state.segments[kCs].l = true;
  first.state.segments[kSs].dpl = 3;
  EXPECT_THAT(answer("cpus"), HasSubstr("64-bit, privilege level 3"));
}

TEST_F(MonitorTest, RegistersShowsOneProcessor) {
  target.processors[1].state.gpr[kR15] = 0xfeed;
  EXPECT_THAT(answer("registers"), HasSubstr("rip 0000000000001234"));
  EXPECT_THAT(answer("registers 1"), HasSubstr("r15 000000000000feed"));
  for (std::string_view none : {"2", "-1", "x", "1x", "99999999999999999999"})
    EXPECT_EQ(answer(fmt::format("registers {}", none)),
              fmt::format("there is no vCPU '{}'; this machine has 2, numbered from 0\n", none));
}

TEST_F(MonitorTest, WhatSteersReachesTheMachine) {
  for (std::string_view line : {"stop", "cont", "reset", "quit"}) answer(line);
  EXPECT_THAT(target.told, ElementsAre("stop", "cont", "reset", "quit"));
}

TEST_F(MonitorTest, WakeEndsASleepThatThereIs) {
  EXPECT_EQ(answer("wake"), "the guest is not suspended to RAM\n");
  target.machine.asleep = true;
  target.machine.halted_vcpus = 2;
  target.processors[0].asleep = true;
  EXPECT_THAT(answer("status"), StartsWith("suspended to RAM, up"));
  EXPECT_THAT(answer("cpus"), HasSubstr("vCPU 0: sleeps, rip"));
  EXPECT_EQ(answer("wake"), "the guest wakes up\n");
  EXPECT_THAT(answer("status"), StartsWith("halted, up"));
}

TEST_F(MonitorTest, UnknownCommandsAndSurplusWordsAreNamed) {
  EXPECT_EQ(answer("statu"), "there is no command 'statu'; did you mean 'status'?\n");
  EXPECT_EQ(answer("frobnicate"), "there is no command 'frobnicate'; `help` lists them\n");
  EXPECT_EQ(answer("stop now"), "stop: 'now' is one word too many\n");
  EXPECT_EQ(answer("accel tcg kvm"), "accel: 'kvm' is one word too many\n");
  EXPECT_EQ(answer("  \t "), "");
  EXPECT_THAT(target.told, ElementsAre());
}

TEST_F(MonitorTest, HelpListsEveryCommand) {
  const std::string help = answer("help");
  for (std::string_view name :
       {"help", "status", "accel [NAME]", "cpus", "registers [N]", "stop", "cont", "reset", "quit"})
    EXPECT_THAT(fmt::format("\n{}", help), HasSubstr(fmt::format("\n{} ", name)));
}

TEST_F(MonitorTest, LinesEndInAnyWayAndMayComeInPieces) {
  EXPECT_EQ(type("stop\ncont\rreset\r\nquit"),
            "stopped; `cont` goes on\n(kite) running\n(kite) "
            "the machine starts anew\n(kite) ");
  EXPECT_THAT(target.told, ElementsAre("stop", "cont", "reset"));  // the last has no end yet
  EXPECT_EQ(type("\n\r\n\n"), "(kite) (kite) (kite) ");
}

TEST_F(MonitorTest, AnOverlongLineIsIgnoredAndTheNextIsNot) {
  const std::string output = type("stop" + std::string(100'000, ' ') + "\ncont\n");
  EXPECT_THAT(output, HasSubstr("a line has at most 256 characters; this one was ignored\n"));
  EXPECT_THAT(target.told, ElementsAre("cont"));
  EXPECT_THAT(type("cont" + std::string(Monitor::kLongestLine - 4, ' ') + "\n"),
              HasSubstr("running"));
}

TEST_F(MonitorTest, OnlyPrintableCharactersAreAnswered) {
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
  for (std::string text : {every + "\n", std::string("\xc3\n\xe2\x82\n\xff\xfd\x18\n")}) {
    for (Monitor::Echo echo : {Monitor::Echo::kOff, Monitor::Echo::kOn}) {
      for (char letter : type(text, echo)) {
        if (letter == '\n' || (echo == Monitor::Echo::kOn && letter == '\b')) continue;
        EXPECT_TRUE(letter >= 0x20 && letter < 0x7f) << int{letter};
      }
    }
  }
  EXPECT_THAT(target.told, ElementsAre());
}

TEST_F(MonitorTest, OnATerminalWhatIsTypedIsShownAndCanBeTakenBack) {
  EXPECT_EQ(type("stoq\x7fp\r", Monitor::Echo::kOn),
            "stoq\b \bp\nstopped; `cont` goes on\n(kite) ");
  EXPECT_EQ(type("ab\x15"
                 "cont\x03\xc3\r",
                 Monitor::Echo::kOn),
            "ab\b \b\b \bcont\nrunning\n(kite) ");
  EXPECT_EQ(type("\b\x7f", Monitor::Echo::kOn), "");
}

TEST_F(MonitorTest, BeginForgetsALineThatSomebodyElseBegan) {
  Monitor monitor(target, [](std::string_view) {});
  const auto feed = [&](std::string_view text) {
    monitor.type({reinterpret_cast<const u8*>(text.data()), text.size()});
  };
  feed("qu");
  monitor.begin();
  feed("it\n");
  feed("stop\n");
  EXPECT_THAT(target.told, ElementsAre("stop"));
}

}  // namespace
}  // namespace kite
