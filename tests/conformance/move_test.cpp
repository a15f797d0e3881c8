// A machine that goes to and fro between KVM and the interpreter while it runs.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "machine/machine.h"
#include "machine/monitor_target.h"
#include "tests/conformance/set_ups.h"
#include "tests/paths.h"

namespace kite {
namespace {

namespace fs = std::filesystem;

MachineConfig config_for(const std::string& guest, const std::string& accel) {
  MachineConfig config;
  config.kernel = std::string(paths::kGuests) + "/" + guest + ".elf";
  config.accel = accel;
  config.cpu = "max";
  config.memory_size = 64 * MiB;
  config.serial = {};
  config.timeout = 60 * kSecond;
  return config;
}

// Moves the machine every few milliseconds from a thread of its own, `most` times or until it is
// destroyed. Moves that take longer do not queue up: the guest would get no time between them.
class Mover {
 public:
  explicit Mover(Machine& machine, std::string first = "tcg", int most = 1'000'000)
      : machine_(machine), next_(std::move(first)), most_(most), thread_([this] {
          while (!ended_.load()) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            if (!under_way_.exchange(true)) machine_.loop().post([this] { move(); });
          }
        }) {}
  ~Mover() { stop(); }
  void stop() {
    ended_.store(true);
    if (thread_.joinable()) thread_.join();
  }
  int moves = 0;
  std::string failure;

 private:
  void move() {
    if (moves == most_) return;
    Result<> moved = machine_.monitor_target().move_to(next_);
    if (!moved) failure = moved.error().message;
    next_ = next_ == "tcg" ? "kvm" : "tcg";
    moves += moved ? 1 : 0;
    under_way_.store(false);
  }
  Machine& machine_;
  std::string next_;
  const int most_;
  std::atomic<bool> ended_{false}, under_way_{false};
  std::thread thread_;
};

// Runs the guest to its end, moved to `first` and back and so on.
Outcome run_moved(const MachineConfig& begin, const std::string& first, int most = 1'000'000) {
  MachineConfig config = begin;
  config.debug_console = {.kind = CharConfig::Kind::kStdio, .path = {}, .host = {}};
  auto machine = Machine::create(config);
  if (!machine) {
    ADD_FAILURE() << machine.error().message;
    return {};
  }
  Mover mover(**machine, first, most);
  const Outcome outcome = (*machine)->run();
  mover.stop();
  EXPECT_EQ(outcome.status, 1) << describe(outcome);
  EXPECT_EQ(mover.failure, "");
  EXPECT_GT(mover.moves, 1);
  return outcome;
}

class Moving : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string why = why_not("kvm"); !why.empty()) GTEST_SKIP() << why;
    if (!fs::exists(config_for("moved", "kvm").kernel))
      GTEST_SKIP() << "built without a compiler for x86-64 guests";
  }
};

TEST_F(Moving, AGuestDoesNotNoticeThatItIsMovedToAndFro) {
  run_moved(config_for("moved", "kvm,kernel-irqchip=off"), "tcg");
}

// With KVM's own, where the host has them.
TEST_F(Moving, AGuestDoesNotNoticeThatItsInterruptControllersMove) {
  run_moved(config_for("moved", "kvm"), "tcg");
}

// The processor is one that a KVM which interprets can give, too.
TEST_F(Moving, AGuestBegunInTheInterpreterGetsKvmsInterruptControllers) {
  MachineConfig config = config_for("moved", "tcg");
  config.cpu = "qemu64,-sse3";
  const Outcome outcome = run_moved(config, "kvm", 3);
  EXPECT_EQ(outcome.accelerator, "kvm");
  EXPECT_EQ(outcome.kernel_irqchip, true);
}

MachineConfig two_processors(const std::string& accel) {
  MachineConfig config = config_for("smp_moved", accel);
  config.cpus = 2;
  return config;
}

TEST_F(Moving, ProcessorsThatInterruptEachOtherDoNotNoticeIt) {
  run_moved(two_processors("kvm,kernel-irqchip=off"), "tcg");
}

TEST_F(Moving, NorDoTheyWithTheirInterruptControllersInTheKernel) {
  run_moved(two_processors("kvm"), "tcg");
}

TEST_F(Moving, NorDoTheyIfTheyBeganInTheInterpreter) {
  MachineConfig config = two_processors("tcg");
  config.cpu = "qemu64,-sse3";
  run_moved(config, "kvm");
}

// Also where KVM cannot scale the host's counter: the interpreter counts as fast as it then did.
TEST_F(Moving, TheTscKeepsItsRateInTheInterpreter) {
  auto machine = Machine::create(config_for("moved", "kvm"));
  ASSERT_TRUE(machine) << machine.error().message;
  MonitorTarget& target = (*machine)->monitor_target();
  using Seconds = std::chrono::duration<double>;
  struct Reading {
    Seconds time, took{1e9};
    u64 tsc;
  };
  // The quickest of some: a loaded host takes its time between looking at the clock and the TSC.
  const auto read = [&] {
    Reading best{};
    for (int i = 0; i < 20; ++i) {
      const Seconds before = std::chrono::steady_clock::now().time_since_epoch();
      const u64 tsc = target.vcpus()[0].state.tsc;
      const Seconds after = std::chrono::steady_clock::now().time_since_epoch();
      if (after - before < best.took) best = {before, after - before, tsc};
    }
    return best;
  };
  const auto rate = [&] {
    const Reading first = read();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const Reading last = read();
    return static_cast<double>(last.tsc - first.tsc) / (last.time - first.time).count();
  };
  double in_kvm = 0, in_tcg = 0;
  (*machine)->loop().post([&] {
    in_kvm = rate();
    EXPECT_TRUE(target.move_to("tcg"));
    in_tcg = rate();
  });
  const Outcome outcome = (*machine)->run();
  EXPECT_EQ(outcome.status, 1) << describe(outcome);
  EXPECT_NEAR(in_tcg / in_kvm, 1, 0.2);
}

TEST(MovingRefused, WhatTheOtherAcceleratorLacksIsSaidAndTheMachineGoesOn) {
  if (std::string why = why_not("kvm"); why.empty()) {
    GTEST_SKIP() << "this host's KVM can take the machine, if its processor has every feature";
  }
  const MachineConfig config = config_for("moved", "tcg");
  if (!fs::exists(config.kernel)) GTEST_SKIP() << "built without a compiler for x86-64 guests";
  auto machine = Machine::create(config);
  ASSERT_TRUE(machine) << machine.error().message;
  std::string failure;
  (*machine)->loop().post([&] {
    if (Result<> moved = (*machine)->monitor_target().move_to("kvm"); !moved)
      failure = moved.error().message;
  });
  const Outcome outcome = (*machine)->run();
  EXPECT_EQ(outcome.status, 1) << describe(outcome);
  EXPECT_NE(failure, "");
}

TEST(MovingRefused, AModelThatKvmCannotGiveIsRefused) {
  if (std::string why = why_not("kvm"); !why.empty()) GTEST_SKIP() << why;
  MachineConfig config = config_for("moved", "tcg");
  if (!fs::exists(config.kernel)) GTEST_SKIP() << "built without a compiler for x86-64 guests";
  auto machine = Machine::create(config);
  ASSERT_TRUE(machine) << machine.error().message;
  std::string failure;
  bool there = false;
  (*machine)->loop().post([&] {
    MonitorTarget& target = (*machine)->monitor_target();
    Result<> moved = target.move_to("kvm");
    there = moved && target.status().accelerator == "kvm";
    if (!moved) failure = moved.error().message;
  });
  const Outcome outcome = (*machine)->run();
  EXPECT_EQ(outcome.status, 1) << describe(outcome);
  // A host with every feature of the model takes it; others name what is missing.
  EXPECT_TRUE(there || failure.find("lacks what the guest was told") != failure.npos) << failure;
}

}  // namespace
}  // namespace kite
