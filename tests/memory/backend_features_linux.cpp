// What only Linux's back ends can do.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "memory/backend.h"
#include "tests/memory/process.h"

namespace kite {
namespace {

using testing::HasSubstr;

Result<HostMemory> make(const std::string& text) {
  return allocate(KITE_TRY(parse_backend(text)));
}

TEST(MemfdBackend, IsSealedAgainstGrowingAndShrinking) {
  auto memory = make("memfd,size=64K");
  ASSERT_TRUE(memory) << memory.error().message;
  EXPECT_NE(::ftruncate(memory->fd(), 4096), 0);
  EXPECT_NE(::ftruncate(memory->fd(), 1 << 20), 0);
  const int seals = ::fcntl(memory->fd(), F_GET_SEALS);
  EXPECT_EQ(seals & (F_SEAL_GROW | F_SEAL_SHRINK), F_SEAL_GROW | F_SEAL_SHRINK);
}

TEST(MemfdBackend, IsNotSealedWithSealOff) {
  auto memory = make("memfd,size=64K,seal=off");
  ASSERT_TRUE(memory) << memory.error().message;
  EXPECT_EQ(::fcntl(memory->fd(), F_GET_SEALS), 0);
}

TEST(MemfdBackend, MayBePrivate) {
  auto memory = make("memfd,size=64K,share=off");
  ASSERT_TRUE(memory) << memory.error().message;
  EXPECT_FALSE(memory->shared());
}

TEST(MemfdBackend, HugePagesAreUsedOrTheirLackIsSaid) {
  const int before = test::open_descriptors();
  {
    auto memory = make("memfd,size=2M,hugetlb=on,hugetlbsize=2M");
    if (memory) {
      EXPECT_EQ(memory->page_size(), 2 * MiB);
    } else {
      EXPECT_THAT(memory.error().message, HasSubstr("huge"));
    }
  }
  EXPECT_EQ(test::open_descriptors(), before);
}

TEST(MemfdBackend, RefusesHugePageSizesThatCannotBe) {
  EXPECT_THAT(make("memfd,size=4M,hugetlbsize=2M").error().message,
              HasSubstr("hugetlbsize=2M needs hugetlb=on"));
  EXPECT_THAT(make("memfd,size=3M,hugetlb=on,hugetlbsize=3M").error().message,
              HasSubstr("hugetlbsize=3M is not a power of two"));
  EXPECT_THAT(make("memfd,size=4M,hugetlb=on,hugetlbsize=64K").error().message,
              HasSubstr("no huge pages of that size"));
}

TEST(MemfdBackend, ASizeThatIsNoMultipleOfTheHugePageIsAnError) {
  auto memory = make("memfd,size=3M,hugetlb=on,hugetlbsize=2M");
  ASSERT_FALSE(memory);
  if (memory.error().message.find("no huge pages") != std::string::npos)
    GTEST_SKIP() << "this host has no huge pages of 2M";
  EXPECT_THAT(memory.error().message, HasSubstr("size=3M is not a multiple of the page size 2M"));
}

// Where hugetlbfs is mounted: nothing where it is not.
std::string huge_page_folder() {
  std::ifstream mounts("/proc/mounts");
  std::string device, folder, type, rest;
  while (mounts >> device >> folder >> type && std::getline(mounts, rest))
    if (type == "hugetlbfs" && rest.find("pagesize=2M") != rest.npos) return folder;
  return "";
}

u64 free_huge_pages() {
  std::ifstream file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  u64 count = 0;
  return file >> count ? count : 0;
}

TEST(FileBackend, PrivateHugePagesAreTakenOnce) {
  const std::string folder = huge_page_folder();
  const u64 pages = free_huge_pages();
  if (folder.empty() || pages == 0)
    GTEST_SKIP() << "this host has no hugetlbfs mounted, or no free huge pages of 2M";
  auto memory = make(fmt::format("file,size={}M,mem-path={}", 2 * pages, folder));
  ASSERT_TRUE(memory) << memory.error().message;
  EXPECT_EQ(memory->page_size(), 2 * MiB);
  memory->data()[memory->size() - 1] = 1;
}

TEST(LinuxBackends, UnreservedMemoryMayBeLargerThanTheHost) {
  if (test::kSanitizer) GTEST_SKIP() << "the sanitizer owns the address space";
  auto memory = make("ram,size=2T,reserve=off");
  ASSERT_TRUE(memory) << memory.error().message;
  memory->data()[2048 * GiB - 1] = 1;
}

TEST(LinuxBackends, MergeAndDumpReachTheHost) {
  auto memory = make("ram,size=4M,dump=off");
  ASSERT_TRUE(memory) << memory.error().message;
  auto merged = make("ram,size=4M,merge=on");
  if (!merged) {
    EXPECT_THAT(merged.error().message, HasSubstr("'ram': merge=on"));
  }
}

TEST(LinuxBackends, PagesAreBoundToNodeZero) {
  if (::access("/sys/devices/system/node/node0", F_OK) != 0)
    GTEST_SKIP() << "this host's kernel has no NUMA support";
  for (const char* policy : {"bind", "preferred", "interleave"}) {
    auto memory = make(std::string("memfd,size=4M,prealloc=on,host-nodes=0,policy=") + policy);
    if (!memory && memory.error().message.find("not permitted") != std::string::npos)
      GTEST_SKIP() << "this host does not permit mbind: " << memory.error().message;
    EXPECT_TRUE(memory) << memory.error().message;
  }
}

TEST(LinuxBackends, AMissingNodeIsAnErrorThatNamesIt) {
  auto memory = make("memfd,size=4M,host-nodes=1000,policy=bind");
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().message,
            "memory backend 'memfd': host-nodes=1000: this host has no such NUMA node");
  EXPECT_EQ(memory.error().kind, ErrorKind::kUnavailable);
}

TEST(LinuxBackends, AnUnknownPolicyIsAnErrorThatListsThem) {
  EXPECT_THAT(make("ram,size=4M,host-nodes=0,policy=best").error().message,
              HasSubstr("policy=best is not one of default, preferred, bind, interleave"));
}

TEST(FileBackend, DiscardDataPunchesTheContentsOut) {
  test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/ram";
  { make("file,size=64K,share=on,discard-data=on,mem-path=" + path)->data()[0] = 'x'; }
  std::ifstream file(path, std::ios::binary);
  EXPECT_EQ(file.get(), 0);
}

}  // namespace
}  // namespace kite
