// A guest on KVM in the RAM of every back end: what it stores the host sees, and the other way
// round, in small pages and in huge ones.
#include <gmock/gmock.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "memory/backend.h"
#include "tests/accel/kvm/guest.h"

namespace kite {
namespace {

using testing::HasSubstr;

constexpr u64 kMemory = 32 * MiB, kStep = 2 * MiB;
constexpr u64 kFirst = 2 * MiB;  // below are the program, its stack and its tables

// What /proc/self/smaps says of the mapping that begins at `address`.
std::string facts_of(const void* address) {
  std::ifstream smaps("/proc/self/smaps");
  const std::string beginning = fmt::format("{:x}-", reinterpret_cast<std::uintptr_t>(address));
  std::string line, facts;
  while (std::getline(smaps, line) && !line.starts_with(beginning)) continue;
  while (std::getline(smaps, line) && !line.starts_with("VmFlags")) facts += line + "\n";
  return facts + line + "\n";
}

u64 kibibytes(const std::string& facts, const std::string& name) {
  const auto at = facts.find("\n" + name + ":");
  return at == facts.npos ? 0 : std::stoull(facts.substr(at + name.size() + 2));
}

class KvmBackends : public KvmGuest {
 protected:
  void SetUp() override {}
  void start(const std::string& backend) {
    auto config = parse_backend(backend);
    ASSERT_TRUE(config) << config.error().message;
    if (config->kind == "file") config->mem_path = testing::TempDir();
    config->size = kMemory;
    auto allocated = allocate(*config);
    ASSERT_TRUE(allocated) << allocated.error().message;
    ram = std::move(*allocated);
    if (config->prealloc) {
      EXPECT_EQ(resident_pages(), kMemory / kPageSize);
    }
    ASSERT_TRUE(ports.map("announced", kAnnounced, 1, announced));
    KvmGuest::SetUp();
  }
  void TearDown() override {  // before the memory goes
    vcpu.reset();
    accelerator.reset();
  }

  u64 resident_pages() {
    std::vector<unsigned char> pages(kMemory / kPageSize);
    EXPECT_EQ(::mincore(ram.data(), kMemory, pages.data()), 0);
    return static_cast<u64>(std::ranges::count_if(pages, [](auto page) { return page & 1; }));
  }

  // The guest adds 1 to a number in each 2 MiB, which the host has put there; then it waits for a 2
  // from the host in the last of them, while it runs, and answers with 3.
  void expect_each_sees_the_others_stores() {
    put(kProgram, {0x48, 0x83,       0x07, 0x01,          // each: add qword [rdi], 1
                   0x48, 0x01,       0xf7,                // add rdi, rsi
                   0xff, 0xc9,       0x75, 0xf5,          // dec ecx; jnz each
                   0xe6, kAnnounced,                      // out kAnnounced, al
                   0x48, 0x29,       0xf7,                // sub rdi, rsi
                   0x80, 0x7f,       0x10, 0x02,          // wait: cmp byte [rdi + 10h], 2
                   0x75, 0xfa,                            // jne wait
                   0xc6, 0x47,       0x10, 0x03, 0xf4});  // mov byte [rdi + 10h], 3; hlt
    for (u64 at = kFirst; at < kMemory; at += kStep) store<u64>(ram.data() + at, at << 8);
    X86State state = long_mode();
    state.gpr[kRdi] = kFirst;
    state.gpr[kRsi] = kStep;
    state.gpr[kRcx] = (kMemory - kFirst) / kStep;
    std::atomic_ref<u8> answer(ram.data()[kMemory - kStep + 0x10]);
    std::thread host([&] {
      while (!announced.there) std::this_thread::yield();
      answer.store(2);
    });
    run_to_halt(state);
    announced.there = true;  // also where it has failed
    host.join();
    EXPECT_EQ(answer.load(), 3);
    for (u64 at = kFirst; at < kMemory; at += kStep)
      EXPECT_EQ(load<u64>(ram.data() + at), (at << 8) + 1) << std::hex << at;
  }

  // In another mapping of what is behind it, as another process has one.
  void expect_others_see_it_if_shared() {
    if (ram.fd() < 0) return;
    void* other = ::mmap(nullptr, kMemory, PROT_READ, MAP_SHARED, ram.fd(),
                         static_cast<off_t>(ram.fd_offset()));
    ASSERT_NE(other, MAP_FAILED);
    EXPECT_EQ(load<u64>(static_cast<u8*>(other) + kFirst), ram.shared() ? (kFirst << 8) + 1 : 0);
    ::munmap(other, kMemory);
  }

  static constexpr int kAnnounced = 0x90;
  struct Announced : IoHandler {
    u64 read(u64, unsigned) override { return 0; }
    void write(u64, u64, unsigned) override { there = true; }
    std::atomic<bool> there{false};
  } announced;
};

class EveryBackend : public KvmBackends, public testing::WithParamInterface<const char*> {};

TEST_P(EveryBackend, GuestAndHostSeeEachOthersStores) {
  start(GetParam());
  if (IsSkipped() || HasFatalFailure()) return;
  expect_each_sees_the_others_stores();
  expect_others_see_it_if_shared();
}

INSTANTIATE_TEST_SUITE_P(, EveryBackend,
                         testing::Values("memfd", "memfd,share=off",
                                         "memfd,prealloc=on,prealloc-threads=4", "shm",
                                         "shm,prealloc=on,prealloc-threads=4", "ram",
                                         "ram,prealloc=on,prealloc-threads=4", "file",
                                         "file,share=on", "file,prealloc=on,prealloc-threads=4"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace_if(
                               name, [](char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

// Linux's pool of huge pages, enlarged for the test's time where it may be.
class HugePages {
 public:
  explicit HugePages(u64 count) : before_(number_in(kPool)) {
    if (number_in(kFree) >= count) return;
    enlarged_ = static_cast<bool>(std::ofstream(kPool) << before_ + count << std::flush);
    if (number_in(kFree) < count)
      why_not = enlarged_ ? "this host cannot reserve enough huge pages of 2 MiB"
                          : "no huge pages of 2 MiB are reserved, and this user may reserve none";
  }
  ~HugePages() {
    if (enlarged_) std::ofstream(kPool) << before_ << std::flush;
  }
  HugePages(const HugePages&) = delete;
  HugePages& operator=(const HugePages&) = delete;
  std::string why_not;

 private:
  static u64 number_in(const char* path) {
    u64 number = 0;
    std::ifstream(path) >> number;
    return number;
  }
  static constexpr const char* kPool = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
  static constexpr const char* kFree = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
  const u64 before_;
  bool enlarged_ = false;
};

TEST_F(KvmBackends, HugePagesOfAMemfdHoldAGuest) {
  HugePages pages(kMemory / (2 * MiB));
  if (!pages.why_not.empty()) GTEST_SKIP() << pages.why_not;
  start("memfd,hugetlb=on,hugetlbsize=2M,prealloc=on,prealloc-threads=4");
  if (IsSkipped() || HasFatalFailure()) return;
  EXPECT_EQ(ram.page_size(), 2 * MiB);
  EXPECT_EQ(kibibytes(facts_of(ram.data()), "KernelPageSize"), 2048u);
  expect_each_sees_the_others_stores();
  expect_others_see_it_if_shared();
  TearDown();
  ram = {};  // gives the pages back before the pool shrinks
}

// Does this host make a huge page of what is advised to be one?
bool makes_huge_pages() {
  auto memory = allocate(*parse_backend("ram,size=4M"));
  if (!memory) return false;
  ::madvise(memory->data(), memory->size(), MADV_HUGEPAGE);
  std::fill(memory->span().begin(), memory->span().end(), 1);
  return kibibytes(facts_of(memory->data()), "AnonHugePages") != 0;
}

TEST_F(KvmBackends, AnonymousMemoryIsMadeOfHugePagesAsItIsAdvised) {
  if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage"))
    GTEST_SKIP() << "this host's kernel has no transparent huge pages";
  start("ram");
  if (IsSkipped() || HasFatalFailure()) return;
  EXPECT_THAT(facts_of(ram.data()), HasSubstr(" hg"));
  EXPECT_EQ(kibibytes(facts_of(ram.data()), "AnonHugePages"), 0u);
  expect_each_sees_the_others_stores();
  if (!makes_huge_pages()) GTEST_SKIP() << "this host makes no huge pages now";
  EXPECT_GE(kibibytes(facts_of(ram.data()), "AnonHugePages"), 2048u);
}

}  // namespace
}  // namespace kite
