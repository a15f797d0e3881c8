// `--monitor unix:PATH` of a running machine whose guest is a function.
#include <gmock/gmock.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/unique_fd.h"
#include "machine/monitor.h"
#include "tests/machine/run_fake.h"

namespace kite {
namespace {

using test::FakeVcpu;
using testing::HasSubstr;

// Who types the commands: on a thread of its own, while the machine runs.
class Client {
 public:
  explicit Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(until_prompt(), "");
  }
  void type(std::string_view text) {
    EXPECT_EQ(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL), ssize_t(text.size()));
  }
  std::string ask(std::string_view line) {
    type(std::string(line) + "\n");
    return until_prompt();
  }

 private:
  std::string until_prompt() {
    std::string text;
    while (!text.ends_with(Monitor::kPrompt)) {
      pollfd descriptor{fd_.get(), POLLIN, 0};
      char letter;
      if (::poll(&descriptor, 1, 20'000) <= 0 || ::read(fd_.get(), &letter, 1) != 1) {
        ADD_FAILURE() << "no prompt after: " << text;
        return text;
      }
      text += letter;
    }
    return text.substr(0, text.size() - Monitor::kPrompt.size());
  }
  UniqueFd fd_;
};

class MonitorOfAMachine : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(directory_), nullptr);
    path_ = std::string(directory_) + "/monitor";
    config_ = test::fake_config();
    config_.monitor.kind = CharConfig::Kind::kUnix;
    config_.monitor.user = "monitor";
    config_.monitor.path = path_;
    config_.monitor.server = true;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // Runs the machine while `user` types. A user who forgets to quit meets the timeout.
  Outcome run(test::FakeProgram program, std::function<void()> user) {
    test::FakeAccelerator accelerator(std::move(program));
    auto machine = test::create_fake(config_, accelerator);
    if (!machine) {
      ADD_FAILURE() << machine.error().message;
      return {};
    }
    std::thread thread(user);
    Outcome outcome = (*machine)->run();
    thread.join();
    return outcome;
  }

  char directory_[32] = "/tmp/kite-monitor-XXXXXX";
  std::string path_;
  MachineConfig config_;
};

TEST_F(MonitorOfAMachine, QuitEndsTheRunAsTheUsersWish) {
  const Outcome outcome = run([](FakeVcpu& vcpu) -> Exit { return vcpu.spin(); },
                              [&] { Client(path_).type("quit\n"); });
  EXPECT_EQ(outcome.kind, OutcomeKind::kInterrupted);
  EXPECT_EQ(outcome.status, 0) << outcome.reason;
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(MonitorOfAMachine, StopHoldsEveryVcpuAndContLetsThemGoOn) {
  config_.cpus = 2;
  std::atomic<int> runs{0};
  run(
      [&](FakeVcpu&) -> Exit {
        ++runs;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return {Exit::Kind::kKicked};
      },
      [&] {
        Client client(path_);
        EXPECT_EQ(client.ask("stop"), "stopped; `cont` goes on\n");
        const int before = runs;
        EXPECT_THAT(client.ask("status"), HasSubstr("stopped, up"));
        EXPECT_THAT(client.ask("cpus"), HasSubstr("vCPU 1: "));
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        EXPECT_EQ(runs, before) << "a stopped vCPU ran";
        EXPECT_EQ(client.ask("cont"), "running\n");
        while (runs == before) std::this_thread::yield();
        EXPECT_THAT(client.ask("status"), HasSubstr("running, up"));
        client.type("quit\n");
      });
}

TEST_F(MonitorOfAMachine, WakeEndsASleepThatNothingElseWould) {
  std::atomic<int> runs{0};
  const Outcome outcome = run(
      [&](FakeVcpu& vcpu) -> Exit {
        ++runs;
        if (vcpu.boots == 2) {
          EXPECT_EQ(vcpu.in(0x600, 2), 0x8000u) << "WAK_STS";
          vcpu.out(0xf4, 0);
        } else if (vcpu.runs == 1) {
          vcpu.out(0x604, 0x2400, 2);
        }
        return vcpu.spin();
      },
      [&] {
        Client client(path_);
        std::string status;
        do status = client.ask("status");
        while (status.find("suspended to RAM, up") == std::string::npos);
        EXPECT_THAT(client.ask("cpus"), HasSubstr("sleeps"));
        client.ask("stop");
        client.ask("cont");
        EXPECT_EQ(runs, 1) << "the monitor let it go on";
        EXPECT_EQ(client.ask("wake"), "the guest wakes up\n");
      });
  EXPECT_EQ(outcome.kind, OutcomeKind::kExitValue) << outcome.reason;
}

TEST_F(MonitorOfAMachine, LookingAtTheVcpusDoesNotWakeOneThatIsHalted) {
  std::atomic<int> runs{0};
  run(
      [&](FakeVcpu& vcpu) -> Exit {
        vcpu.state_.rip = 0x7c04;
        ++runs;
        return FakeVcpu::halt(true);
      },
      [&] {
        Client client(path_);
        std::string cpus;
        do cpus = client.ask("cpus");
        while (cpus.find("halted") == std::string::npos);
        EXPECT_THAT(cpus, HasSubstr("rip 0x7c04"));
        const int before = runs;
        client.ask("cpus");
        client.ask("registers 0");
        client.ask("stop");
        client.ask("cont");
        EXPECT_THAT(client.ask("status"), HasSubstr("1 halted"));
        EXPECT_EQ(runs, before);
        client.type("quit\n");
      });
}

TEST_F(MonitorOfAMachine, ResetStartsAnewAlsoWithNoRebootAndWaitsForCont) {
  config_.no_reboot = true;
  std::atomic<int> boots{0};
  const Outcome outcome = run(
      [&](FakeVcpu& vcpu) -> Exit {
        boots = vcpu.boots;
        return vcpu.spin();
      },
      [&] {
        Client client(path_);
        while (boots != 1) std::this_thread::yield();
        client.ask("reset");
        while (boots != 2) std::this_thread::yield();
        client.ask("stop");
        client.ask("reset");
        EXPECT_THAT(client.ask("status"), HasSubstr("stopped, up"));
        EXPECT_EQ(boots, 2);
        client.ask("cont");
        while (boots != 3) std::this_thread::yield();
        client.type("quit\n");
      });
  EXPECT_EQ(outcome.resets, 2u);
  EXPECT_EQ(outcome.status, 0) << outcome.reason;
}

// Else a signal to end the run waits for all that somebody has typed ahead.
TEST_F(MonitorOfAMachine, AfterQuitNothingThatWasTypedAheadIsDone) {
  const Outcome outcome = run([](FakeVcpu& vcpu) -> Exit { return vcpu.spin(); },
                              [&] { Client(path_).type("quit\nreset\nreset\n"); });
  EXPECT_EQ(outcome.kind, OutcomeKind::kInterrupted);
  EXPECT_EQ(outcome.resets, 0u);
}

TEST_F(MonitorOfAMachine, AClientThatVanishesInTheMiddleOfALineLeavesNothingBehind) {
  run([](FakeVcpu& vcpu) -> Exit { return vcpu.spin(); },
      [&] {
        Client(path_).type("registers\nregisters\nqu");
        Client(path_).type(std::string(5000, '\xff'));
        Client client(path_);
        EXPECT_THAT(client.ask("it"), HasSubstr("there is no command 'it'"));
        client.type("quit\n");
      });
}

TEST_F(MonitorOfAMachine, StdioIsOneConsolesOnly) {
  MachineConfig config = test::fake_config();
  config.monitor.kind = CharConfig::Kind::kStdio;
  const Result<> both = validate(config);
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(both.error().message, HasSubstr("Ctrl-a c"));
  config.serial.kind = CharConfig::Kind::kNull;
  EXPECT_TRUE(validate(config));
  config.monitor.kind = CharConfig::Kind::kFile;
  EXPECT_FALSE(validate(config));
}

}  // namespace
}  // namespace kite
