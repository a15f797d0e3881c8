// --sandbox: whole runs of the program with it.
#include "machine/sandbox.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "machine/accelerators.h"
#include "tests/cli/guest_code.h"
#include "tests/cli/program.h"

namespace kite {
namespace {

bool usable(const std::string& accelerator) {
  for (const AcceleratorKind* kind : accelerator_kinds())
    if (kind->name == accelerator) return static_cast<bool>(kind->probe());
  return false;
}

// The value of a field of /proc/PID/task/TID/status for each thread.
std::vector<std::string> of_threads(pid_t process, const std::string& field) {
  std::vector<std::string> values;
  for (const auto& thread :
       std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    std::ifstream status(thread.path() / "status");
    for (std::string line; std::getline(status, line);)
      if (line.rfind(field + ":\t", 0) == 0) values.push_back(line.substr(field.size() + 2));
  }
  return values;
}

class SandboxRun : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const std::string reason = sandbox::why_not(); !reason.empty())
      GTEST_SKIP() << "no sandbox: " << reason;
    if (!usable(GetParam())) GTEST_SKIP() << GetParam() << " is not usable here";
  }
  std::vector<std::string> words(std::vector<std::string> more, const std::string& code) {
    std::vector<std::string> words = {"run", "--accel",  GetParam(), "--sandbox",
                                      "on",  "--memory", "32M"};
    words.insert(words.end(), more.begin(), more.end());
    words.push_back(scratch.file("guest.bin", code));
    return words;
  }
  ScratchDirectory scratch;
};

TEST_P(SandboxRun, EveryThreadHasAFilter) {
  Program program(words({}, guest::print("ready") + guest::spin()), {.keep_input_open = true});
  ASSERT_TRUE(program.wait_for_output("ready"));
  const auto filters = of_threads(program.pid(), "Seccomp");
  EXPECT_GE(filters.size(), 2u);
  for (const std::string& mode : filters) EXPECT_EQ(mode, "2");
  for (const std::string& none : of_threads(program.pid(), "NoNewPrivs")) EXPECT_EQ(none, "1");
  ::kill(program.pid(), SIGINT);
  EXPECT_EQ(program.finish().status, 130);
}

TEST_P(SandboxRun, OffLeavesTheThreadsAlone) {
  auto all = words({}, guest::print("ready") + guest::spin());
  all[4] = "off";
  Program program(all, {.keep_input_open = true});
  ASSERT_TRUE(program.wait_for_output("ready"));
  for (const std::string& mode : of_threads(program.pid(), "Seccomp")) EXPECT_EQ(mode, "0");
  ::kill(program.pid(), SIGTERM);
  EXPECT_EQ(program.finish().status, 143);
}

TEST_P(SandboxRun, LogTraceResultAndAFileForTheConsoleAreWritten) {
  const Finished run =
      run_kite(words({"--verbose", "--log", scratch.path("log"), "--trace",
                      "pio=" + scratch.path("trace"), "--result", scratch.path("result"),
                      "--serial", "file:" + scratch.path("console"), "--debug-console", "stdio"},
                     guest::print("hello\n") + guest::out_byte(0xe9, 'd') + guest::power_off()));
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(ScratchDirectory::contents(scratch.path("console")), "hello\n");
  EXPECT_NE(ScratchDirectory::contents(scratch.path("trace")).find("pio: "), std::string::npos);
  EXPECT_NE(ScratchDirectory::contents(scratch.path("result")).find("\"poweroff\""),
            std::string::npos);
  EXPECT_EQ(scratch.entries(), 5u) << "guest, log, trace, result, console: nothing temporary";
}

// The first line asked for sysinfo(2), by way of qsort(), and ended the run.
TEST_P(SandboxRun, InstructionsAreTracedWithTheirDisassembly) {
  const Finished run = run_kite(words({"--trace", "cpu=" + scratch.path("trace")},
                                      guest::print("hello\n") + guest::power_off()));
  EXPECT_EQ(run.status, 0) << run.err;
  if (std::string_view(GetParam()) != "tcg") return;  // only the interpreter traces instructions
  EXPECT_NE(ScratchDirectory::contents(scratch.path("trace")).find(" out dx, "),
            std::string::npos);
}

TEST_P(SandboxRun, EndsOfEveryKindWork) {
  EXPECT_EQ(run_kite(words({"--timeout", "0.2"}, guest::spin())).status, 102);
  EXPECT_EQ(run_kite(words({}, guest::pvpanic())).status, 100);
  EXPECT_EQ(run_kite(words({}, guest::exit_port(3))).status, 7);
  EXPECT_EQ(run_kite(words({"--no-reboot"}, guest::reset())).status, 104);
  const Finished resets = run_kite(words({"--timeout", "1"}, guest::reset()));
  EXPECT_EQ(resets.status, 102) << resets.err;
  EXPECT_EQ(run_kite(words({"--expect", "ab"}, guest::print("ab") + guest::spin())).status, 0);
}

TEST_P(SandboxRun, ClientsComeAndGoAtASocket) {
  const std::string path = scratch.path("socket");
  Program program(
      words({"--serial", "unix:" + path + ",server", "--timeout", "60"}, guest::print_for_ever()));
  for (int client = 0; client < 2; ++client) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    for (int tries = 0; tries < 1000; ++tries) {
      if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) break;
      ::usleep(10'000);
    }
    char letter = 0;
    EXPECT_EQ(::read(fd.get(), &letter, 1), 1);
    EXPECT_EQ(letter, 'x');
  }
  ::kill(program.pid(), SIGINT);
  EXPECT_EQ(program.finish().status, 130);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_P(SandboxRun, InputIsRead) {
  Program program(words({"--expect", "echo", "--timeout", "30"}, guest::echo()), {.input = "echo"});
  EXPECT_EQ(program.finish().status, 0);
}

INSTANTIATE_TEST_SUITE_P(Accelerators, SandboxRun, ::testing::Values("tcg", "kvm"),
                         [](const auto& info) { return std::string(info.param); });

TEST(SandboxOption, TakesOnAndOff) {
  const Finished run = run_kite({"run", "--sandbox", "maybe", "kernel"});
  EXPECT_EQ(run.status, 64);
  EXPECT_NE(run.err.find("--sandbox maybe: expected on or off"), std::string::npos) << run.err;
}

TEST(SandboxOption, IsInTheHelpAndSaysWhyItIsMissing) {
  const Finished run = run_kite({"run", "--help"});
  EXPECT_NE(run.out.find("--sandbox on|off"), std::string::npos);
  std::string unfolded;
  std::istringstream words(run.out);
  for (std::string word; words >> word;) unfolded += word + " ";
  EXPECT_NE(unfolded.find(sandbox::why_not()), std::string::npos) << unfolded;
}

}  // namespace
}  // namespace kite
