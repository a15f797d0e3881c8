// The interpreter against the host's processor, hundreds of thousands of cases a second.
// KITE_ISA_CASES says how many, KITE_ISA_SEED which, KITE_ISA_JOBS in how many processes;
// KITE_ISA_BATCH runs one batch again; KITE_ISA_SECONDS ends the run early.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <new>

#include "tests/isa/silicon/campaign.h"
#include "tests/isa/support/host_features.h"
#include "tests/sanitizer.h"

namespace kite::oracle {
namespace {

u64 from_environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

// What a worker process tells.
struct Answer {
  u64 cases = 0, differing = 0, not_judged = 0;
  bool unavailable = false;
  std::array<char, 1 << 20> text = {};
  void say(std::string_view words) {
    words = words.substr(0, text.size() - 1);
    std::copy(words.begin(), words.end(), text.begin());
  }
};

void work(u64 seed, u64 first, u64 step, u64 end, Answer& answer) {
  using Time = std::chrono::steady_clock;
  const u64 seconds = from_environment("KITE_ISA_SECONDS", 1'000'000);
  const auto deadline = Time::now() + std::chrono::seconds(seconds);
  Campaign campaign(seed);
  if (auto started = campaign.start(); !started) {
    answer.unavailable = true;
    return answer.say(started.error().message);
  }
  for (u64 batch = first; batch < end && Time::now() < deadline; batch += step) {
    if (auto run = campaign.run_batch(batch); !run) {
      answer.differing += 1;
      return answer.say(run.error().message);
    }
    answer.cases = campaign.cases_run();
  }
  answer.differing = campaign.differing();
  answer.not_judged = campaign.not_judged();
  answer.say(campaign.report());
}

struct Total {
  u64 cases = 0, differing = 0, not_judged = 0;
  std::string reports, unavailable;
};

// Each worker is a process of its own, for the pages stand at fixed addresses.
Total run_in_processes(u64 seed, u64 first, u64 end, u64 jobs) {
  void* memory = ::mmap(nullptr, jobs * sizeof(Answer), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* answers = static_cast<Answer*>(memory);
  std::vector<pid_t> children;
  for (u64 job = 0; job < jobs; ++job) {
    Answer* answer = new (&answers[job]) Answer;
    const pid_t child = ::fork();
    if (child == 0) {
      work(seed, first + job, jobs, end, *answer);
      ::_exit(0);
    }
    children.push_back(child);
  }
  Total total;
  for (u64 job = 0; job < jobs; ++job) {
    int status = -1;
    ::waitpid(children[job], &status, 0);
    total.cases += answers[job].cases;
    total.not_judged += answers[job].not_judged;
    total.differing += answers[job].differing + (status != 0);
    if (status != 0) total.reports += fmt::format("a worker ended with status {:#x}\n", status);
    (answers[job].unavailable ? total.unavailable : total.reports) += answers[job].text.data();
  }
  ::munmap(memory, jobs * sizeof(Answer));
  return total;
}

void print_what_is_left_out() {
  const std::string lacking = isa::features_the_host_lacks();
  if (!lacking.empty()) std::printf("this host lacks %s\n", lacking.c_str());
  for (const auto& [reason, names] : Campaign::left_out()) {
    std::printf("left out, %.*s:", static_cast<int>(reason.size()), reason.data());
    for (std::string_view name : names)
      std::printf(" %.*s;", static_cast<int>(name.size()), name.data());
    std::printf("\n");
  }
}

TEST(Silicon, AgreesWithTheInterpreter) {
  if (test::kSanitizer)
    GTEST_SKIP() << "the sanitizer's shadow memory lies where the cases expect nothing";
  const u64 seed = from_environment("KITE_ISA_SEED", 1);
  const u64 cases = from_environment("KITE_ISA_CASES", 1'000'000);
  const u64 jobs = std::clamp<u64>(from_environment("KITE_ISA_JOBS", 1), 1, 64);
  const u64 only = from_environment("KITE_ISA_BATCH", ~u64{0});
  print_what_is_left_out();
  const auto start = std::chrono::steady_clock::now();
  const u64 first = only == ~u64{0} ? 0 : only;
  const u64 end = only == ~u64{0} ? (cases + kSlots - 1) / kSlots : only + 1;
  const Total total = run_in_processes(seed, first, end, jobs);
  if (!total.unavailable.empty()) GTEST_SKIP() << total.unavailable;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const std::string summary =
      fmt::format("seed {}: {} cases of {} rows, {} differ, {} not judged; {:.0f} cases/s\n", seed,
                  total.cases, Campaign::compared_rows().size(), total.differing, total.not_judged,
                  static_cast<double>(total.cases) / seconds.count());
  std::fputs(summary.c_str(), stdout);
  EXPECT_EQ(total.differing, 0u) << total.reports;
  if (!std::getenv("KITE_ISA_SECONDS")) {
    EXPECT_GE(total.cases, (end - first) * kSlots / 2);
  }
}

}  // namespace
}  // namespace kite::oracle
