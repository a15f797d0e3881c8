// The sandbox on threads of a machine: what is forbidden kills the process with a line that names
// it, what a machine needs works. Each test is a process of its own, for a sandbox is for good.
#include "machine/sandbox.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/fixed_name.h"
#include "tests/machine/run_fake.h"

namespace kite {
namespace {

constexpr int kForbidden = 70;
constexpr const char* kOnVcpu = "kite: sandbox: a vCPU's thread asked for system call ";
constexpr const char* kOnIo = "kite: sandbox: the I/O thread asked for system call ";

class SandboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = sandbox::why_not(); !reason.empty())
      GTEST_SKIP() << "no sandbox: " << reason;
  }
};
using SandboxDeathTest = SandboxTest;

MachineConfig sandboxed() {
  MachineConfig config = test::fake_config();
  config.sandbox = SandboxWish::kOn;
  return config;
}

Exit power_off(test::FakeVcpu& vcpu) {
  vcpu.out(0x604, 0x3400, 2);
  return vcpu.spin();
}

// Runs a machine whose vCPU does `act` and then powers off, and ends the process with the status.
[[noreturn]] void run_on_vcpu(const std::function<void()>& act,
                              const MachineConfig& config = sandboxed()) {
  const Outcome outcome = test::run_fake(config, [&](test::FakeVcpu& vcpu) -> Exit {
    act();
    return power_off(vcpu);
  });
  if (!outcome.normal()) std::fprintf(stderr, "%s\n", outcome.reason.c_str());
  std::exit(outcome.status);
}

// The same on the I/O loop's thread.
[[noreturn]] void run_on_io(const std::function<void()>& act,
                            const MachineConfig& config = sandboxed()) {
  test::FakeAccelerator accelerator([&](test::FakeVcpu& vcpu) -> Exit { return vcpu.spin(); });
  auto machine = test::create_fake(config, accelerator);
  if (!machine) {
    std::fprintf(stderr, "%s\n", machine.error().message.c_str());
    std::exit(1);
  }
  (*machine)->loop().post([&] {
    act();
    (*machine)->request_stop(0);
  });
  std::exit((*machine)->run().status);
}

void open_a_file() {
  static_cast<void>(::open("/dev/null", O_WRONLY));
}
// glibc's malloc() tries to read files in /proc, and must not be killed for it.
void read_a_file() {
  std::exit(::open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES ? 9 : 10);
}
void make_a_socket() {
  static_cast<void>(::socket(AF_INET, SOCK_STREAM, 0));
}
void run_a_program() {
  char name[] = "/bin/true";
  char* words[] = {name, nullptr};
  ::execve(name, words, nullptr);
}
void start_a_process() {
  if (::fork() == 0) ::_exit(0);
}
void map_code() {
  ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
void make_code_of_data() {
  void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ::mprotect(page, 4096, PROT_READ | PROT_EXEC);
}
void signal_another_process() {
  ::kill(::getppid(), 0);
}
void type_for_the_user() {
  ::ioctl(STDIN_FILENO, 0x5412 /* TIOCSTI */, "x");
}

TEST_F(SandboxDeathTest, AForbiddenCallOfAVcpuKillsTheProcessWithALineThatNamesIt) {
  EXPECT_EXIT(run_on_vcpu(make_a_socket), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnVcpu) + "socket \\([0-9]+\\)");
  EXPECT_EXIT(run_on_vcpu(run_a_program), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnVcpu) + "execve \\([0-9]+\\)");
  EXPECT_EXIT(run_on_vcpu(open_a_file), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnVcpu) + "open");
  EXPECT_EXIT(run_on_vcpu(start_a_process), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnVcpu) + "clone");
  // The C library blocks all signals while it starts a thread, and with them the line.
  EXPECT_EXIT(run_on_vcpu([] { std::thread([] {}).join(); }), ::testing::KilledBySignal(SIGSYS),
              "");
  EXPECT_EXIT(run_on_vcpu(map_code), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnVcpu) + "mmap");
  EXPECT_EXIT(run_on_vcpu(make_code_of_data), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnVcpu) + "mprotect");
  EXPECT_EXIT(run_on_vcpu(signal_another_process), ::testing::ExitedWithCode(kForbidden), kOnVcpu);
  EXPECT_EXIT(run_on_vcpu(type_for_the_user), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnVcpu) + "ioctl");
}

TEST_F(SandboxDeathTest, AForbiddenCallOfTheIoThreadKillsTheProcessToo) {
  EXPECT_EXIT(run_on_io(make_a_socket), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnIo) + "socket \\([0-9]+\\)");
  EXPECT_EXIT(run_on_io(run_a_program), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnIo) + "execve \\([0-9]+\\)");
  EXPECT_EXIT(run_on_io(open_a_file), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnIo) + "open");
  EXPECT_EXIT(run_on_io(start_a_process), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnIo) + "clone");
  EXPECT_EXIT(run_on_io(map_code), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnIo) + "mmap");
}

TEST_F(SandboxDeathTest, NoFileCanBeRead) {
  EXPECT_EXIT(run_on_vcpu(read_a_file), ::testing::ExitedWithCode(9), "");
  EXPECT_EXIT(run_on_io(read_a_file), ::testing::ExitedWithCode(9), "");
}

TEST_F(SandboxDeathTest, AThreadStartedLaterIsBoundAsWell) {
  EXPECT_EXIT(run_on_io([] { std::thread(make_a_socket).join(); }),
              ::testing::ExitedWithCode(kForbidden), std::string(kOnIo) + "socket");
  EXPECT_EXIT(
      run_on_io([] {
        std::atomic<int> sum{0};
        std::thread helper([&] { sum = static_cast<int>(std::string(100000, 'x').size()); });
        helper.join();
        std::exit(sum == 100000 ? 5 : 6);
      }),
      ::testing::ExitedWithCode(5), "");
}

TEST_F(SandboxDeathTest, OneFileMayBeReplacedAndNoOther) {
  MachineConfig config = sandboxed();
  const std::string folder = ::testing::TempDir();
  config.result_file = folder + "sandbox-result-" + std::to_string(::getpid());
  EXPECT_EXIT(run_on_io([&] { ::rename("/tmp/a", config.result_file.c_str()); }, config),
              ::testing::ExitedWithCode(kForbidden), std::string(kOnIo) + "rename");
  EXPECT_EXIT(run_on_io([&] { ::unlink("/tmp/a"); }, config), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnIo) + "unlink");
  EXPECT_EXIT(run_on_vcpu([&] { ::rename("/tmp/a", "/tmp/b"); }, config),
              ::testing::ExitedWithCode(kForbidden), std::string(kOnVcpu) + "rename");
}

// Otherwise the names that the filter allows could be made to say something else.
TEST_F(SandboxDeathTest, TheNamesItAllowsCannotBeChanged) {
  MachineConfig config = sandboxed();
  config.result_file = ::testing::TempDir() + "sandbox-result-" + std::to_string(::getpid());
  const auto place = [] {
    const auto entries = fixed_names::entries();
    if (entries.empty()) std::exit(1);
    return const_cast<char*>(entries.front().place);
  };
  const auto page = [&] {
    return reinterpret_cast<void*>(reinterpret_cast<u64>(place()) & ~u64{4095});
  };
  EXPECT_EXIT(run_on_io([&] { ::mprotect(page(), 4096, PROT_READ | PROT_WRITE); }, config),
              ::testing::ExitedWithCode(kForbidden), std::string(kOnIo) + "mprotect");
  EXPECT_EXIT(run_on_io([&] { ::munmap(page(), 4096); }, config),
              ::testing::ExitedWithCode(kForbidden), std::string(kOnIo) + "munmap");
  EXPECT_EXIT(run_on_io([&] { ::madvise(page(), 4096, MADV_DONTNEED); }, config),
              ::testing::ExitedWithCode(kForbidden), std::string(kOnIo) + "madvise");
  const auto map_over = [&](void* at) {
    ::mmap(at, 64 * KiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  };
  EXPECT_EXIT(run_on_io([&] { map_over(page()); }, config), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnIo) + "mmap");
  EXPECT_EXIT(run_on_io([&] { map_over(nullptr); }, config), ::testing::ExitedWithCode(kForbidden),
              std::string(kOnIo) + "mmap");
  EXPECT_EXIT(run_on_io([&] { *place() = 'x'; }, config), ::testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(SandboxDeathTest, WhatIsDoneBeforeTheLineIsDone) {
  EXPECT_EXIT(run_on_vcpu([] {
                sandbox::before_the_end([] {
                  [[maybe_unused]] const auto count = ::write(STDERR_FILENO, "terminal, ", 10);
                });
                make_a_socket();
              }),
              ::testing::ExitedWithCode(kForbidden), "terminal, kite: sandbox: ");
}

// Allocation in several threads, files that are open, and the result at the end.
TEST_F(SandboxDeathTest, AMachineGetsAllItNeeds) {
  const std::string folder = ::testing::TempDir();
  const std::string id = std::to_string(::getpid());
  MachineConfig config = sandboxed();
  config.result_file = folder + "sandbox-result-" + id;
  config.serial = {
      .kind = CharConfig::Kind::kUnix, .path = folder + "sandbox-socket-" + id, .host = {}};
  config.serial.server = true;
  config.cpus = 1;
  EXPECT_EXIT(run_on_vcpu(
                  [] {
                    for (std::size_t size = 1; size < 64 * MiB; size *= 2)
                      std::vector<u8>(size).back() = 1;
                  },
                  config),
              ::testing::ExitedWithCode(0), "");
  std::ifstream result(config.result_file);
  const std::string text((std::istreambuf_iterator<char>(result)), {});
  EXPECT_NE(text.find("\"outcome\": \"poweroff\""), std::string::npos) << text;
  std::filesystem::remove(config.result_file);
  EXPECT_FALSE(std::filesystem::exists(config.serial.path)) << "the socket's file is removed";
}

TEST_F(SandboxDeathTest, AResetReadsTheKernelAnew) {
  const std::string kernel =
      ::testing::TempDir() + "sandbox-kernel-" + std::to_string(::getpid()) + ".bin";
  const std::vector<u8> sector = test::boot_sector();
  std::ofstream(kernel, std::ios::binary)
      .write(reinterpret_cast<const char*>(sector.data()),
             static_cast<std::streamsize>(sector.size()));
  MachineConfig config = sandboxed();
  config.kernel_image.clear();
  config.kernel = kernel;
  const auto run = [&] {
    const Outcome outcome = test::run_fake(config, [](test::FakeVcpu& vcpu) -> Exit {
      if (vcpu.boots < 4) {
        vcpu.out(0xcf9, 6);
        return vcpu.spin();
      }
      return power_off(vcpu);
    });
    std::fprintf(stderr, "%u resets, %s", outcome.resets, outcome.reason.c_str());
    std::exit(outcome.status);
  };
  EXPECT_EXIT(run(), ::testing::ExitedWithCode(0), "[1-9] resets, the guest powered off");
  std::filesystem::remove(kernel);
}

TEST(SandboxNames, AreOrdinaryWhereThePlaceIsFull) {
  std::vector<std::unique_ptr<FixedName>> names;
  for (int i = 0; i < 40; ++i) {
    names.push_back(
        std::make_unique<FixedName>("/tmp/" + std::to_string(i), FixedName::Use::kRead));
    EXPECT_EQ(names.back()->c_str(), "/tmp/" + std::to_string(i));
  }
  names.erase(names.begin());
  const FixedName again("/tmp/again", FixedName::Use::kRead);
  EXPECT_STREQ(again.c_str(), "/tmp/again");
  EXPECT_TRUE(FixedName("", FixedName::Use::kRead).empty());
  const std::string longest(5000, 'x');
  EXPECT_EQ(FixedName(longest, FixedName::Use::kRead).c_str(), longest);
}

TEST(SandboxWishes, WhatIsNotThereIsAnErrorOnlyWhenItWasAskedFor) {
  if (sandbox::why_not().empty()) GTEST_SKIP() << "this build and host have a sandbox";
  test::FakeAccelerator accelerator([](test::FakeVcpu& vcpu) -> Exit { return power_off(vcpu); });
  MachineConfig config = sandboxed();
  auto refused = test::create_fake(config, accelerator);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(refused.error().message.find("--sandbox on: "), std::string::npos);
  config.sandbox = SandboxWish::kIfPossible;
  EXPECT_TRUE(test::create_fake(config, accelerator));
}

}  // namespace
}  // namespace kite
