#include "machine/config.h"

#include "tests/machine/run_fake.h"

namespace kite {
namespace {

MachineConfig good() {
  return test::fake_config();
}

struct Bad {
  const char* what;
  std::function<void(MachineConfig&)> spoil;
  ErrorKind kind;
  const char* words;  // that the message must contain
};

TEST(MachineConfig, EachContradictionNamesOptionAndValue) {
  const std::vector<Bad> cases = {
      {"machine", [](auto& c) { c.machine = std::string("mikrovm"); }, ErrorKind::kUsage,
       "did you mean microvm"},
      {"accel", [](auto& c) { c.accel = std::string("kvm:hax"); }, ErrorKind::kUsage, "'hax'"},
      {"no kernel", [](auto& c) { c.kernel_image.clear(); }, ErrorKind::kUsage, "no kernel"},
      {"no memory", [](auto& c) { c.memory_size = 0; }, ErrorKind::kUsage, "--memory 0"},
      {"tiny memory", [](auto& c) { c.memory_size = 4096; }, ErrorKind::kUsage, "1M"},
      {"odd memory", [](auto& c) { c.memory_size = 16 * MiB + 1; }, ErrorKind::kUsage, "4096"},
      {"huge memory", [](auto& c) { c.memory_size = u64{1} << 50; }, ErrorKind::kUnavailable,
       "this host has"},
      {"two sizes", [](auto& c) { c.memory_backend.size = 8 * MiB; }, ErrorKind::kUsage,
       "--memory-backend"},
      {"no code cache", [](auto& c) { c.code_cache = 0; }, ErrorKind::kUsage,
       "--code-cache 0: expected 1M to 1G"},
      {"tiny code cache", [](auto& c) { c.code_cache = MiB - 4096; }, ErrorKind::kUsage,
       "--code-cache 1020K: expected 1M to 1G"},
      {"huge code cache", [](auto& c) { c.code_cache = GiB + 4096; }, ErrorKind::kUsage,
       "expected 1M to 1G"},
      {"odd code cache", [](auto& c) { c.code_cache = MiB + 1; }, ErrorKind::kUsage, "4096"},
      {"no cpus", [](auto& c) { c.cpus = 0; }, ErrorKind::kUsage, "--cpus 0"},
      {"too many cpus", [](auto& c) { c.cpus = 256; }, ErrorKind::kUsage, "--cpus 256"},
      {"cpus without local APICs", [](auto& c) { c.machine = std::string("bare"), c.cpus = 2; },
       ErrorKind::kUsage, "--cpus 2"},
      {"two exits", [](auto& c) { c.devices.resize(2); }, ErrorKind::kUsage, "one device of each"},
      {"no wires",
       [](auto& c) {
         c.machine = std::string("bare");
         c.devices = {*parse_device("pc-testdev")};
       },
       ErrorKind::kUsage, "bare has no interrupt controller"},
      {"timeout", [](auto& c) { c.timeout = 0; }, ErrorKind::kUsage, "--timeout"},
      {"expect", [](auto& c) { c.expect.emplace_back("["); }, ErrorKind::kUsage, "--expect '['"},
      {"fail-on", [](auto& c) { c.fail_on.emplace_back("("); }, ErrorKind::kUsage, "--fail-on '('"},
      {"result", [](auto& c) { c.result_file = std::string("/nonexistent/x"); }, ErrorKind::kIo,
       "--result /nonexistent/x"},
      {"result", [](auto& c) { c.result_file = std::string("/"); }, ErrorKind::kUsage, "directory"},
  };
  EXPECT_TRUE(validate(good()));
  for (const Bad& bad : cases) {
    MachineConfig config = good();
    bad.spoil(config);
    Result<> result = validate(config);
    ASSERT_FALSE(result) << bad.what;
    EXPECT_EQ(result.error().kind, bad.kind) << bad.what << ": " << result.error().message;
    EXPECT_NE(result.error().message.find(bad.words), std::string::npos) << result.error().message;
  }
}

TEST(MachineConfig, TheAcceleratorIsToldTheSizeOfTheCodeCache) {
  MachineConfig config = good();
  for (const std::optional<u64> size : {std::optional<u64>(), {MiB}, {GiB}}) {
    config.code_cache = size;
    u64 told = 0;
    test::run_fake(config, [&told](test::FakeVcpu& vcpu) -> Exit {
      told = vcpu.options().code_cache_bytes;
      vcpu.out(0xf4, 5, 4);
      return vcpu.spin();
    });
    EXPECT_EQ(told, size.value_or(64 * MiB));
  }
}

TEST(DeviceOption, PropertiesAreReadAndWhatIsWrongIsNamed) {
  const auto plain = parse_device("isa-debug-exit");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->port, 0xf4);
  EXPECT_EQ(plain->ports, 4);
  const auto moved = parse_device("isa-debug-exit,iobase=0x501,iosize=2");
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->port, 0x501);
  EXPECT_EQ(moved->ports, 2);
  EXPECT_EQ(parse_device("pc-testdev")->kind, DeviceOption::Kind::kTestDevice);
  for (const auto& [text, words] : std::vector<std::pair<const char*, const char*>>{
           {"", "no such device"},
           {"e1000", "--device e1000: no such device"},
           {"pc-testdev,x=1", "'x=1'"},
           {"isa-debug-exit,base=1", "'base'"},
           {"isa-debug-exit,iobase", "expected a number"},
           {"isa-debug-exit,iobase=0x", "expected a number"},
           {"isa-debug-exit,iobase=4,,", "no such property: ''"},
           {"isa-debug-exit,iobase=65536", "65536 ports"},
           {"isa-debug-exit,iosize=0", "65536 ports"},
           {"isa-debug-exit,iobase=0xffff", "FFFFh"}}) {
    const auto result = parse_device(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().kind, ErrorKind::kUsage);
    EXPECT_NE(result.error().message.find(words), std::string::npos) << result.error().message;
  }
}

TEST(MachineConfig, TheBackEndsSizeIsTheMemory) {
  MachineConfig config = good();
  config.memory_size.reset();
  EXPECT_EQ(memory_size_of(config), kDefaultMemorySize);
  config.memory_backend.size = 64 * MiB;
  EXPECT_EQ(memory_size_of(config), 64 * MiB);
}

TEST(MachineCreate, AnUnusableKernelIsOneLineAnd65) {
  MachineConfig config = good();
  config.kernel_image = {'h', 'e', 'l', 'l', 'o'};
  test::FakeAccelerator accelerator([](test::FakeVcpu& vcpu) -> Exit { return vcpu.spin(); });
  auto machine = test::create_fake(config, accelerator);
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().kind, ErrorKind::kData);
  EXPECT_EQ(machine.error().message.find('\n'), std::string::npos);
}

TEST(MachineCreate, AMissingInitrdIs66) {
  MachineConfig config = good();
  config.initrd = "/nonexistent/initrd";
  test::FakeAccelerator accelerator([](test::FakeVcpu& vcpu) -> Exit { return vcpu.spin(); });
  auto machine = test::create_fake(config, accelerator);
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().kind, ErrorKind::kNoInput);
  EXPECT_NE(machine.error().message.find("/nonexistent/initrd"), std::string::npos);
}

TEST(MachineCreate, EveryBoardBoots) {
  for (const char* board : {"microvm", "bare"}) {
    MachineConfig config = good();
    config.machine = board;
    Outcome outcome = test::run_fake(config, [](test::FakeVcpu& vcpu) -> Exit {
      EXPECT_EQ(vcpu.state().rip + vcpu.state().segments[kCs].base, 0x7c00u);
      vcpu.out(0xf4, 5, 4);
      return vcpu.spin();
    });
    EXPECT_EQ(outcome.status, 11) << board << ": " << outcome.reason;
  }
}

}  // namespace
}  // namespace kite
