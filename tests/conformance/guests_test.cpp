// The same guest programs on every accelerator: what they expect of a processor is the manual.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "firmware/selftest.h"
#include "machine/machine.h"
#include "machine/speed_probe.h"
#include "tests/conformance/set_ups.h"
#include "tests/conformance/signal_device.h"
#include "tests/paths.h"

namespace kite {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> guest_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(std::string(paths::kSource) + "/tests/guests")) {
    if (entry.path().extension() == ".cpp") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string accelerator_of(const std::string& set_up) {
  return set_up.substr(0, set_up.find(','));
}

const AcceleratorKind* find_accelerator(const std::string& name) {
  for (const AcceleratorKind* kind : accelerator_kinds()) {
    if (kind->name == name) return kind;
  }
  return nullptr;
}

// A KVM that interprets has an interpreter of its own, which knows less than a processor: what it
// fails says nothing about Kite. Measured, because such a host does not say so.
bool interprets(const std::string& set_up) {
  if (accelerator_of(set_up) != "kvm") return false;
  static const Result<u64> speed = measure_speed(*find_accelerator("kvm"));
  return speed && *speed < kWorthwhileSpeed;
}

MachineConfig config_for(const std::string& set_up, std::size_t turn) {
  MachineConfig config;
  config.accel = set_up;
  config.memory_size = 64 * MiB;
  config.memory_backend.kind = backends()[turn % backends().size()].name;
  if (config.memory_backend.kind == "file") config.memory_backend.mem_path = testing::TempDir();
  config.serial = {};
  config.timeout = 60 * kSecond;
  return config;
}

Outcome run(const MachineConfig& config, MachineOutside outside = {}) {
  outside.more_chips = SignalDevice::add;
  auto machine = Machine::create(config, std::move(outside));
  return machine ? (*machine)->run() : outcome_of(machine.error());
}

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Guests for several processors are named so. They take turns with two, three and four.
unsigned cpus_of(const std::string& guest, std::size_t turn) {
  return guest.starts_with("smp_") ? 2 + static_cast<unsigned>(turn % 3) : 1;
}

int status_wanted(const std::string& guest) {
  if (guest == "triple_fault" || guest == "smp_triple_fault")
    return status_of(OutcomeKind::kTripleFault);
  if (guest == "dead_halt" || guest == "smp_dead_halt") return status_of(OutcomeKind::kDeadHalt);
  return 1;  // 0 at the exit port
}

// Plain instructions only, and of KVM's own chips what every KVM has: a failure is never the
// host's.
bool needs_no_more_than_any_kvm_has(const std::string& guest, const std::string& set_up) {
  return guest == "event_interrupts" ||
         (guest == "event_levels" && set_up == "kvm,kernel-irqchip=off");
}

class Guest : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(Guest, FindsWhatTheManualSays) {
  const auto& [set_up, guest] = GetParam();
  if (std::string why = why_not(set_up); !why.empty()) GTEST_SKIP() << why;
  const std::string image = std::string(paths::kGuests) + "/" + guest + ".elf";
  if (!fs::exists(image)) GTEST_SKIP() << "built without a compiler for x86-64 guests: " << image;

  const std::vector<std::string> names = guest_names();
  const auto turn = std::find(names.begin(), names.end(), guest) - names.begin();
  MachineConfig config = config_for(set_up, static_cast<std::size_t>(turn));
  const std::string said = testing::TempDir() + "/kite-guest-" + std::to_string(getpid());
  config.kernel = image;
  config.cpu = "max";  // a guest asks CPUID for what it needs
  config.cpus = cpus_of(guest, static_cast<std::size_t>(turn));
  if (const unsigned most = find_accelerator(accelerator_of(set_up))->max_cpus();
      config.cpus > most)
    GTEST_SKIP() << set_up << " runs at most " << most << " processor";
  config.debug_console = {.kind = CharConfig::Kind::kFile, .path = said, .host = {}};
  const Outcome outcome = run(config);
  const std::string text = contents(said);
  fs::remove(said);
  if (outcome.status == static_cast<int>(ErrorKind::kUnavailable)) GTEST_SKIP() << outcome.reason;
  if (outcome.status != status_wanted(guest) && interprets(set_up) &&
      !needs_no_more_than_any_kvm_has(guest, set_up)) {
    GTEST_SKIP() << "this host's KVM interprets guest code, and fails: " << outcome.reason << "; "
                 << text;
  }
  EXPECT_EQ(outcome.status, status_wanted(guest)) << describe(outcome) << "\n" << text;
  EXPECT_EQ(text, "");
}

INSTANTIATE_TEST_SUITE_P(
    Every, Guest, testing::Combine(testing::ValuesIn(set_ups()), testing::ValuesIn(guest_names())),
    [](const auto& info) {
      return name_of_set_up(std::get<0>(info.param)) + "_" + std::get<1>(info.param);
    });

class SelfTest : public testing::TestWithParam<std::string> {};

TEST_P(SelfTest, PassesOnTheMicrovmBoard) {
  if (std::string why = why_not(GetParam()); !why.empty()) GTEST_SKIP() << why;
  if (selftest_image().empty()) GTEST_SKIP() << "built without a compiler for x86-64 guests";
  MachineConfig config = config_for(GetParam(), 0);
  config.kernel_image.assign(selftest_image().begin(), selftest_image().end());
  std::string text;
  MachineOutside outside;
  outside.console_observer = [&](std::span<const u8> bytes) {
    text.append(bytes.begin(), bytes.end());
  };
  const Outcome outcome = run(config, outside);
  if (outcome.status == static_cast<int>(ErrorKind::kUnavailable)) GTEST_SKIP() << outcome.reason;
  if (outcome.status != kSelftestPassedStatus && interprets(GetParam())) {
    GTEST_SKIP() << "this host's KVM interprets guest code, and fails: " << outcome.reason << "\n"
                 << text;
  }
  EXPECT_EQ(outcome.status, kSelftestPassedStatus) << describe(outcome) << "\n" << text;
  EXPECT_EQ(text.find("FAIL"), text.npos) << text;
}

INSTANTIATE_TEST_SUITE_P(Every, SelfTest, testing::ValuesIn(set_ups()),
                         [](const auto& info) { return name_of_set_up(info.param); });

}  // namespace
}  // namespace kite
