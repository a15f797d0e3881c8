// Every bad input ends with one clear line on stderr and the exit status that belongs to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "guest_code.h"
#include "program.h"

namespace kite {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class BadInput : public testing::Test {
 protected:
  // One line, the status, and `part` in it.
  void expect_error(std::vector<std::string> arguments, int status, const std::string& part) {
    const std::string words = testing::PrintToString(arguments);
    const Finished result = run_kite(std::move(arguments));
    EXPECT_FALSE(result.timed_out) << words;
    EXPECT_EQ(result.signal, 0) << words;
    EXPECT_EQ(result.status, status) << words << result.err;
    EXPECT_EQ(result.out, "") << words;
    ASSERT_EQ(result.complaints().size(), 1u) << words << result.err;
    EXPECT_THAT(result.complaints()[0], StartsWith("kite: ")) << words;
    EXPECT_THAT(result.complaints()[0], HasSubstr(part)) << words;
  }
  void expect_run_error(std::vector<std::string> options, int status, const std::string& part) {
    options.insert(options.begin(), "run");
    options.push_back(kernel);
    expect_error(std::move(options), status, part);
  }

  ScratchDirectory scratch;
  std::string kernel = scratch.file("guest.bin", guest::exit_port(0));
};

TEST_F(BadInput, AMissingKernelIs66) {
  expect_error({"run", "/nonexistent/kernel"}, 66, "/nonexistent/kernel");
}

TEST_F(BadInput, ADirectoryForAKernelIs66) {
  expect_error({"run", "/"}, 66, "directory");
}

TEST_F(BadInput, AnEmptyKernelIs65) {
  expect_error({"run", scratch.file("empty", "")}, 65, "empty");
}

TEST_F(BadInput, AFileThatIsNoKernelIs65AndSaysWhatWasExpected) {
  expect_error({"run", scratch.file("text", "hello, this is no kernel\n")}, 65,
               "expected a bzImage");
}

TEST_F(BadInput, ATruncatedBzImageIs65) {
  std::string image(1024, '\0');
  image[0x1f1] = 4;  // setup sectors: more than there are
  image.replace(0x1fe, 2, "\x55\xaa");
  image.replace(0x202, 4, "HdrS");
  image.replace(0x206, 2, "\x0f\x02");
  image[0x211] = 1;  // LOADED_HIGH
  expect_error({"run", scratch.file("bzImage", image)}, 65, "truncated bzImage");
}

TEST_F(BadInput, ATruncatedElfIs65) {
  expect_error({"run", scratch.file("vmlinux",
                                    "\x7f"
                                    "ELF\x02\x01\x01")},
               65, "truncated ELF");
}

TEST_F(BadInput, AMissingInitrdIs66) {
  expect_run_error({"--initrd", "/nonexistent/initrd"}, 66, "/nonexistent/initrd");
}

TEST_F(BadInput, AnInitrdLargerThanRamIs65) {
  const std::string initrd = scratch.file("initrd", "");
  std::filesystem::resize_file(initrd, 64u << 20);
  expect_run_error({"--memory", "16M", "--initrd", initrd}, 65, "16 MiB");
}

TEST_F(BadInput, NoMemoryIs64) {
  expect_run_error({"--memory", "0"}, 64, "--memory 0");
}

TEST_F(BadInput, MemoryThatIsNoSizeIs64) {
  for (const char* size : {"much", "-1", "1.5G", "99999999999999999999G", ""})
    expect_run_error({"--memory", size}, 64, "--memory");
}

TEST_F(BadInput, MoreMemoryThanTheHostHasIs69) {
  expect_run_error({"--memory", "1000T"}, 69, "this host has");
}

TEST_F(BadInput, ACodeCacheOutOfItsBoundsIs64AndTheyAreNamed) {
  for (const char* size : {"0", "1023K", "1025M", "16T"})
    expect_run_error({"--code-cache", size}, 64, "expected 1M to 1G");
  expect_run_error({"--code-cache", "1048577"}, 64, "--code-cache 1048577: not a multiple");
  expect_run_error({"--code-cache", "large"}, 64, "--code-cache: 'large' is not a size");
}

TEST_F(BadInput, ATranslatorThatIsNeitherOnNorOffIs64) {
  expect_run_error({"--accel", "tcg,translator=fast"}, 64, "expected on or off");
}

TEST_F(BadInput, TwoDifferentMemorySizesContradictEachOther) {
  expect_run_error({"--memory", "256M", "--memory-backend", "shm,size=512M"}, 64, "contradicts");
}

TEST_F(BadInput, ShmThatIsNotSharedContradictsItself) {
  expect_run_error({"--memory-backend", "shm,share=off"}, 64, "share=off");
}

TEST_F(BadInput, WaitingForAClientWithoutBeingAServerContradictsItself) {
  expect_run_error({"--serial", "unix:/tmp/x,wait"}, 64, "'wait' needs 'server'");
}

TEST_F(BadInput, AnOptionGivenTwiceIs64) {
  expect_run_error({"--memory", "1G", "--memory", "2G"}, 64, "--memory: given more than once");
}

TEST_F(BadInput, AnOptionWithoutItsValueIs64) {
  expect_error({"run", "--memory"}, 64, "--memory: its value is missing");
}

TEST_F(BadInput, AnUnknownBackendIs64AndTheOthersAreNamed) {
  expect_run_error({"--memory-backend", "fiel"}, 64, "'file'");
}

TEST_F(BadInput, AnUnwritableLogIs74) {
  expect_run_error({"--log", "/nonexistent/log"}, 74, "/nonexistent/log");
  expect_run_error({"--log", "/"}, 74, "--log /");
}

TEST_F(BadInput, AnUnwritableResultIs74) {
  expect_run_error({"--result", "/nonexistent/result"}, 74, "/nonexistent/result");
}

TEST_F(BadInput, AnUnwritableTraceIs74) {
  expect_run_error({"--trace", "cpu=/nonexistent/trace"}, 74, "/nonexistent/trace");
}

TEST_F(BadInput, ATraceToNoFileIs64) {
  expect_run_error({"--trace", "cpu="}, 64, "--trace: the name of the file is empty");
}

TEST_F(BadInput, ATraceOnAFullDiskIs74) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "this host has no /dev/full";
  if (!can_run_guests()) GTEST_SKIP() << "no accelerator is usable here";
  const std::string guest = scratch.file("off.bin", guest::print("x") + guest::power_off());
  const Finished result = run_kite({"run", "--trace", "pio=/dev/full", guest});
  EXPECT_EQ(result.status, 74) << result.err;
  EXPECT_THAT(result.err, HasSubstr("/dev/full"));
}

TEST_F(BadInput, ALogOnAFullDiskIsOneLineAndNotTheEnd) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "this host has no /dev/full";
  if (!can_run_guests()) GTEST_SKIP() << "no accelerator is usable here";
  const std::string guest = scratch.file("off.bin", guest::power_off());
  const Finished result = run_kite({"run", "--log", "/dev/full", "--verbose", guest});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, Not(HasSubstr("LOG ERROR")));
}

TEST_F(BadInput, RamThatCannotBeWrittenIs64) {
  const std::string ram = scratch.file("ram", "");
  std::filesystem::resize_file(ram, 16u << 20);
  expect_run_error({"--memory", "16M", "--memory-backend", "file,readonly=on,mem-path=" + ram}, 64,
                   "readonly=on");
}

TEST_F(BadInput, AnUnwritableDebugConsoleIsNamed) {
  expect_run_error({"--debug-console", "file:/nonexistent/x"}, 74, "--debug-console");
}

TEST_F(BadInput, AnUnwritableSerialFileIs74) {
  expect_run_error({"--serial", "file:/nonexistent/console"}, 74, "/nonexistent/console");
}

TEST_F(BadInput, ASerialSocketNobodyListensOnIs74) {
  expect_run_error({"--serial", "unix:" + scratch.path("socket")}, 74, "cannot connect");
}

TEST_F(BadInput, AMonitorThatHasNoPlaceIsNamed) {
  expect_run_error({"--monitor", "stdio"}, 64, "Ctrl-a c switches to the monitor");
  expect_run_error({"--monitor", "file:x"}, 64, "nobody types commands into a file");
  expect_run_error({"--monitor", "unix:" + scratch.path("none")}, 74, "monitor unix:");
  expect_run_error({"--monitor", "screen"}, 64, "--monitor: 'screen' is no place for a console");
}

TEST_F(BadInput, HostProcessorsThatDoNotExistOrAreTooFewAreNamed) {
  expect_run_error({"--cpu-affinity", "first"}, 64, "'first' is no number of a host processor");
  expect_run_error({"--cpu-affinity", "0:0"}, 64, "2 sets of host processors for --cpus 1");
  expect_run_error({"--cpu-affinity", "8191"}, 69, "--cpu-affinity: ");
}

TEST_F(BadInput, AMisspeltOptionIs64AndTheNearestIsNamed) {
  expect_run_error({"--memroy", "1G"}, 64, "did you mean '--memory'?");
  expect_run_error({"-append", "x"}, 64, "did you mean '--append'?");
  expect_run_error({"--no-rebot"}, 64, "did you mean '--no-reboot'?");
}

TEST_F(BadInput, AnOptionThatIsNotThereYetIs64) {
  for (const char* option : {"--disk", "--net", "--share", "--device", "--gdb"})
    expect_run_error({option, "x"}, 64, option);
}

TEST_F(BadInput, NoKernelIs64) {
  expect_error({"run"}, 64, "no kernel given");
}

TEST_F(BadInput, TwoKernelsAre64) {
  expect_error({"run", kernel, "another"}, 64, "'another'");
}

TEST_F(BadInput, NumbersOutOfRangeAre64) {
  for (const char* timeout : {"0", "-1", "soon", "nan", "inf", "1e99", "", "5 "})
    expect_run_error({"--timeout", timeout}, 64, "--timeout");
  for (const char* cpus : {"0", "-1", "many", "256", "99999999999", ""})
    expect_run_error({"--cpus", cpus}, 64, "--cpus");
}

TEST_F(BadInput, UnknownNamesAre64) {
  expect_run_error({"--accel", "kmv"}, 64, "kmv");
  expect_run_error({"--machine", "microvn"}, 64, "microvm");
  expect_run_error({"--cpu", "pentium9"}, 64, "--cpu: no model 'pentium9'");
  expect_run_error({"--cpu", "max,+avx999"}, 64, "--cpu: no feature 'avx999'");
  expect_run_error({"--memory-backend", "ram,policy=best"}, 64, "policy=best is not one of");
  expect_run_error({"--trace", "everything"}, 64, "everything");
  expect_run_error({"--serial", "stdoi"}, 64, "did you mean 'stdio'?");
}

TEST_F(BadInput, FirmwareThatIsMissingOrNoneOrNotAloneIsNamed) {
  expect_error({"run", "--firmware", "/nonexistent/bios"}, 66, "/nonexistent/bios");
  expect_error({"run", "--firmware", "/"}, 66, "directory");
  expect_error({"run", "--firmware", kernel}, 65, "64 KiB");
  expect_error({"run", "--firmware", ""}, 64, "--firmware");
  expect_error({"run", "--firmware", "bios", "--machine", "microvm"}, 64, "--machine pc");
  expect_error({"run", "--firmware", "bios", "--append", "quiet"}, 64, "--append");
  expect_run_error({"--firmware", "/nonexistent/bios"}, 66, "/nonexistent/bios");
}

TEST_F(BadInput, DisksThatAreMissingOrTooManyOrHaveNoControllerAreNamed) {
  expect_run_error({"--machine", "pc", "--disk", "/nonexistent/disk"}, 66, "/nonexistent/disk");
  expect_run_error({"--machine", "pc", "--disk", scratch.file("small", "x")}, 65, "sector");
  expect_run_error({"--machine", "pc", "--disk", "a,media=tape"}, 64, "media=tape");
  expect_run_error({"--disk", "a.iso"}, 64, "no disk controller");
  std::vector<std::string> five = {"--machine", "pc"};
  for (const char* name : {"a", "b", "c", "d", "e"}) five.insert(five.end(), {"--disk", name});
  expect_run_error(five, 64, "--disk e");
}

TEST_F(BadInput, ABrokenRegularExpressionIs64) {
  expect_run_error({"--expect", "("}, 64, "--expect");
  expect_run_error({"--fail-on", "[a"}, 64, "--fail-on");
}

TEST_F(BadInput, AMessageStaysOnOneLineWhateverItQuotes) {
  expect_error({"run", "no\nsuch\x1b[2Jkernel"}, 66, "no?such?[2Jkernel");
}

TEST_F(BadInput, CommandsThatDoNotExistAre64) {
  expect_error({"rnu"}, 64, "did you mean 'run'?");
  expect_error({}, 64, "no command given");
  expect_error({"version", "please"}, 64, "'please' is one word too many");
  expect_error({"help", "rnu"}, 64, "did you mean 'run'?");
  expect_error({"list"}, 64, "accels, machines, devices, backends or cpus");
  expect_error({"list", "machinse"}, 64, "did you mean 'machines'?");
  expect_error({"selftest", "--accel", "nonsense"}, 64, "nonsense");
  expect_error({"selftest", "--timeout", "never"}, 64, "--timeout never");
}

TEST_F(BadInput, AnErrorBeforeTheStartIsInTheResultFileToo) {
  const std::string result = scratch.path("result.json");
  expect_error({"run", "--result", result, "/nonexistent/kernel"}, 66, "/nonexistent/kernel");
  EXPECT_THAT(ScratchDirectory::contents(result), HasSubstr("\"status\": 66"));
}

TEST_F(BadInput, AFullStdoutIsAnErrorOfACommandThatOnlyPrints) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "this host has no /dev/full";
  const Finished result = run_kite({"list", "devices"}, {.out_path = "/dev/full"});
  EXPECT_EQ(result.status, 74);
  EXPECT_EQ(result.complaints().size(), 1u);
}

}  // namespace
}  // namespace kite
