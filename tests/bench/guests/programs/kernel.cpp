// What a program asks of its kernel.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/guests/programs/programs.h"

namespace programs {
namespace {

using std::uint64_t;

constexpr int kCalls = 100, kTurns = 10, kPages = 32, kForks = 1;
constexpr std::size_t kPage = 4096, kZeroes = 65'536;

struct Pipe {
  int ends[2] = {-1, -1};  // to read from, to write to
  Pipe() {
    if (pipe(ends) != 0) ends[0] = -1;
  }
  ~Pipe() {
    for (int end : ends)
      if (end >= 0) close(end);
  }
  bool send(unsigned char byte) const { return write(ends[1], &byte, 1) == 1; }
  bool receive(unsigned char& byte) const { return read(ends[0], &byte, 1) == 1; }
};

// The parent's number is not the same on every side.
uint64_t getppid_calls() {
  const pid_t parent = getppid();
  uint64_t same = 0;
  for (int i = 0; i < kCalls; ++i) same += syscall(SYS_getppid) == parent;
  return same;
}

// To itself and back.
uint64_t pipe_turns() {
  static const Pipe pipe;
  uint64_t digest = kDigest;
  for (int i = 0; i < kTurns; ++i) {
    unsigned char byte = 0;
    if (!pipe.send(static_cast<unsigned char>(i)) || !pipe.receive(byte)) return 0;
    digest = mix(digest, byte);
  }
  return digest;
}

uint64_t read_zeroes() {
  static std::array<unsigned char, kZeroes> buffer;
  static const int file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  buffer[0] = buffer[kZeroes - 1] = 1;
  const ssize_t size = read(file, buffer.data(), buffer.size());
  return mix(mix(kDigest, static_cast<uint64_t>(size)), buffer[0] + buffer[kZeroes - 1]);
}

// Fresh memory, a page at a time: huge pages would make one fault of all.
uint64_t touch_pages() {
  void* memory =
      mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 0;
  madvise(memory, kPages * kPage, MADV_NOHUGEPAGE);
  volatile unsigned char* bytes = static_cast<unsigned char*>(memory);
  uint64_t zeroes = 0;
  for (std::size_t i = 0; i < kPages; ++i) {
    bytes[i * kPage] = 1;
    zeroes += bytes[i * kPage + 9] == 0;
  }
  munmap(memory, kPages * kPage);
  return zeroes;
}

uint64_t forks() {
  uint64_t digest = kDigest;
  for (int i = 0; i < kForks; ++i) {
    const pid_t child = fork();
    if (child == 0) _exit(i + 1);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return 0;
    digest = mix(digest, static_cast<uint64_t>(status));
  }
  return digest;
}

// A process that answers every byte with the next, on the same processor, to the end of its pipe.
class Echo {
 public:
  Echo() {
    if (fork() != 0) return;
    close(to_.ends[1]);
    for (unsigned char byte; to_.receive(byte);)
      if (!from_.send(static_cast<unsigned char>(byte + 1))) break;
    _exit(0);
  }
  unsigned char ask(unsigned char byte) const {
    return to_.send(byte) && from_.receive(byte) ? byte : 0;
  }

 private:
  Pipe to_, from_;
};

uint64_t switches() {
  static const Echo echo;
  uint64_t digest = kDigest;
  for (int i = 0; i < kTurns; ++i) digest = mix(digest, echo.ask(static_cast<unsigned char>(i)));
  return digest;
}

constexpr Program kCallsOnly[] = {
    {"getppid", "call", kCalls, nullptr, getppid_calls, nullptr},
    {"pipe", "byte there and back", kTurns, nullptr, pipe_turns, nullptr},
    {"read of /dev/zero", "64 KB", 1, nullptr, read_zeroes, nullptr},
};
constexpr Program kProcesses[] = {
    {"page touch", "page", kPages, nullptr, touch_pages, nullptr},
    {"fork and exit", "process", kForks, nullptr, forks, nullptr},
    {"context switch", "two switches", kTurns, nullptr, switches, nullptr},
};

}  // namespace

std::span<const Program> kernel_programs() {
  return kCallsOnly;
}
std::span<const Program> process_programs() {
  return kProcesses;
}

}  // namespace programs
