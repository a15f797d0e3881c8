// The descriptor of guest RAM exists to be shared: another process is handed it over a Unix socket.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include "accel/tcg/tcg.h"
#include "memory/address_space.h"
#include "memory/backend.h"
#include "tests/memory/process.h"

namespace kite {
namespace {

constexpr const char* kSocketVariable = "KITE_TEST_SOCKET";
constexpr u64 kSize = 4 * MiB;

// One message of 8 bytes, with a descriptor if `fd` is one.
bool send_message(int socket, u64 number, int fd = -1) {
  iovec data{&number, sizeof number};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  return ::sendmsg(socket, &message, 0) == sizeof number;
}

bool receive_message(int socket, u64& number, int* fd = nullptr) {
  iovec data{&number, sizeof number};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(socket, &message, 0) != sizeof number) return false;
  if (cmsghdr* header = CMSG_FIRSTHDR(&message); fd && header)
    std::memcpy(fd, CMSG_DATA(header), sizeof *fd);
  return true;
}

// The other process: maps what it is handed, tells what it sees at 0x1000 and stores an answer.
int map_what_is_handed() {
  const char* variable = std::getenv(kSocketVariable);
  const int socket = variable ? std::atoi(variable) : -1;
  u64 size = 0;
  int fd = -1;
  if (!receive_message(socket, size, &fd)) return 1;
  void* mapping = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapping == MAP_FAILED) return 2;
  u8* memory = static_cast<u8*>(mapping);
  for (u64 step; receive_message(socket, step) && step != 0;) {
    memory[0x2000] = static_cast<u8>(memory[0x1000] + 1);
    if (!send_message(socket, memory[0x1000])) return 3;
  }
  return 0;
}
const test::Helper other_process("maps what it is handed", map_what_is_handed);

// A real-mode processor with the memory at address 0, run by the interpreter.
class GuestProcessor {
 public:
  explicit GuestProcessor(const HostMemory& memory) {
    AddressSpace::Edit(space_).map({0, memory.size(), Region::ram("ram", memory)});
    accelerator_ = *tcg_kind().create({space_, ports_, clock_, model_});
    vcpu_ = *accelerator_->create_vcpu({});
  }

  // Runs `code` to its HLT; what AL holds then.
  u8 run(std::vector<u8> code) {
    constexpr Gpa kCode = 0x3000;
    code.push_back(0xf4);
    space_.write(kCode, code);
    X86State state = X86State::after_reset();
    state.segments[kCs].selector = 0;
    state.segments[kCs].base = 0;
    state.rip = kCode;
    EXPECT_TRUE(vcpu_->set_state(state));
    auto exit = vcpu_->run(kNever);
    EXPECT_TRUE(exit && exit->kind == Exit::Kind::kHalted);
    return static_cast<u8>(vcpu_->state().gpr[kRax]);
  }

 private:
  AddressSpace space_;
  PortSpace ports_;
  RealClock clock_;
  CpuModel model_ = *find_cpu_model("max");
  std::unique_ptr<Accelerator> accelerator_;
  std::unique_ptr<Vcpu> vcpu_;
};

class SharedBackend : public testing::TestWithParam<std::string> {};

TEST_P(SharedBackend, AnotherProcessSeesTheGuestsStoresAndTheGuestSeesItsOwn) {
  auto config = parse_backend(GetParam() + ",size=4M");
  ASSERT_TRUE(config) << config.error().message;
  auto memory = allocate(*config);
  ASSERT_TRUE(memory) << memory.error().message;
  GuestProcessor guest(*memory);

  int sockets[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), 0);
  const timeval limit{20, 0};  // a helper that died must not hang the test
  ::setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setenv(kSocketVariable, std::to_string(sockets[1]).c_str(), 1);
  int status = -1;
  std::string output;
  std::thread other([&] { status = test::run_helper({}, "maps what it is handed", &output); });

  EXPECT_TRUE(send_message(sockets[0], kSize, memory->fd()));
  for (u8 value : {u8{42}, u8{77}}) {
    guest.run({0xc6, 0x06, 0x00, 0x10, value});  // MOV BYTE [1000h], value
    u64 seen = 0;
    EXPECT_TRUE(send_message(sockets[0], 1));
    EXPECT_TRUE(receive_message(sockets[0], seen));
    EXPECT_EQ(seen, value);
    EXPECT_EQ(guest.run({0xa0, 0x00, 0x20}), value + 1u);  // MOV AL, [2000h]
  }
  EXPECT_TRUE(send_message(sockets[0], 0));
  other.join();
  EXPECT_EQ(status, 0) << output;
  ::close(sockets[0]);
  ::close(sockets[1]);
}

std::vector<std::string> shared_kinds() {
  std::vector<std::string> kinds;
  for (const Backend& backend : backends())
    if (backend.name == "memfd" || backend.name == "shm") kinds.emplace_back(backend.name);
  return kinds;
}
INSTANTIATE_TEST_SUITE_P(, SharedBackend, testing::ValuesIn(shared_kinds()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace kite
