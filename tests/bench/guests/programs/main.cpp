// Runs the programs, on the host or as /init of a guest, and prints for each
//   program|GROUP|NAME|NANOSECONDS A UNIT|UNIT|DIGEST
// and at last what its clock is and how long it says that all took: end|CLOCK SOURCE|SECONDS.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "tests/bench/guests/programs/programs.h"

namespace programs {
namespace {

// Seconds. Short batches, so that some fit between other work's time slices.
constexpr double kBatch = 0.002, kAll = 0.3;
constexpr int kFewest = 15;

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

class Measurement {
 public:
  explicit Measurement(const Program& program) : program_(program), digest_(program.run()) {}

  // Nanoseconds a unit, of the best batch: what else the machine does only ever adds.
  double measure() {
    long runs = 1;
    for (double time = batch(runs); time < kBatch; time = batch(runs)) runs *= 2;
    double best = batch(runs), all = best;
    for (int count = 1; count < kFewest || all < kAll; ++count) {
      const double time = batch(runs);
      best = std::min(best, time);
      all += time;
    }
    return best * 1e9 / (static_cast<double>(runs) * program_.units);
  }

  // 0 unless every run had the same.
  std::uint64_t digest() const {
    if (!same_) return 0;
    return program_.check ? mix(digest_, program_.check()) : digest_;
  }

 private:
  double batch(long runs) {
    const double start = now();
    for (long i = 0; i < runs; ++i) same_ &= program_.run() == digest_;
    return now() - start;
  }

  const Program& program_;
  std::uint64_t digest_;
  bool same_ = true;
};

void run_group(const char* group, std::span<const Program> programs) {
  for (const Program& program : programs) {
    if (program.can_run && !program.can_run()) continue;
    Measurement measurement(program);
    const double time = measurement.measure();
    std::printf("program|%s|%s|%.3f|%s|%016lx\n", group, program.name, time, program.unit,
                measurement.digest());
    std::fflush(stdout);
  }
}

void print_end(double seconds) {
  char source[32] = "unknown";
  const int file =
      open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY);
  if (file >= 0) {
    const ssize_t size = read(file, source, sizeof source - 1);
    if (size > 0) source[size] = 0;
    source[std::strcspn(source, "\n")] = 0;
    close(file);
  }
  std::printf("end|%s|%.3f\n", source, seconds);
  std::fflush(stdout);
}

// On one processor, as a guest has it: two processes that talk then switch on the host too.
void run_all() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
  const double start = now();
  std::printf("begin\n");
  std::fflush(stdout);
  run_group("integer", integer_programs());
  run_group("vector", vector_programs());
  run_group("scalar", scalar_programs());
  run_group("x87", x87_programs());
  run_group("fill", fill_programs());
  run_group("kernel", kernel_programs());
  run_group("process", process_programs());
  print_end(now() - start);
}

[[noreturn]] void run_as_init() {
  mkdir("/dev", 0755);
  mkdir("/sys", 0755);
  mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
  mount("sysfs", "/sys", "sysfs", 0, nullptr);
  const pid_t child = fork();
  if (child == 0) {
    run_all();
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

}  // namespace
}  // namespace programs

int main() {
  if (getpid() == 1) programs::run_as_init();
  programs::run_all();
}
