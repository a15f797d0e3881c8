// Fault injection: every failure is one clear error, and nothing is left behind.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "memory/backend.h"
#include "tests/memory/process.h"

namespace kite {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// The error of allocating `text`, having checked that neither a descriptor nor a name stays.
Error failure_of(const std::string& text) {
  const int before = test::open_descriptors();
  auto config = parse_backend(text);
  if (!config) return config.error();
  Error error{ErrorKind::kInternal, "it succeeded"};
  if (auto memory = allocate(*config); !memory) error = memory.error();
  EXPECT_EQ(test::open_descriptors(), before) << text;
  EXPECT_TRUE(test::shm_entries().empty()) << text;
  EXPECT_EQ(error.message.find('\n'), std::string::npos) << text;
  return error;
}

std::vector<std::string> names() {
  std::vector<std::string> list;
  for (const Backend& backend : backends()) list.emplace_back(backend.name);
  return list;
}

class EveryBackendFails : public testing::TestWithParam<std::string> {
 protected:
  Error failure(const std::string& options) {
    return failure_of(GetParam() + options +
                      (GetParam() == "file" ? ",mem-path=" + directory_.path() : ""));
  }
  test::TemporaryDirectory directory_;
};

TEST_P(EveryBackendFails, WithoutASize) {
  const Error error = failure("");
  EXPECT_EQ(error.kind, ErrorKind::kUsage);
  EXPECT_THAT(error.message, HasSubstr("memory backend '" + GetParam() + "': size=0"));
}

TEST_P(EveryBackendFails, WithASizeThatIsNoMultipleOfThePage) {
  const Error error = failure(",size=1000000");
  EXPECT_EQ(error.kind, ErrorKind::kUsage);
  EXPECT_THAT(error.message, AllOf(HasSubstr("'" + GetParam() + "': size=1000000"),
                                   HasSubstr("not a multiple of the page size")));
}

TEST_P(EveryBackendFails, WithMoreThanTheHostHas) {
  for (const char* size : {"900T", "4000000T", "16777215T"}) {
    const Error error = failure(std::string(",size=") + size);
    EXPECT_THAT(error.kind, testing::AnyOf(ErrorKind::kUnavailable, ErrorKind::kIo)) << size;
    EXPECT_THAT(error.message, HasSubstr("memory backend '" + GetParam() + "': size=")) << size;
  }
  EXPECT_TRUE(directory_.entries().empty());
}

TEST_P(EveryBackendFails, WithOptionsThatContradictEachOther) {
  EXPECT_THAT(failure(",size=4M,prealloc=on,reserve=off").message,
              HasSubstr("prealloc=on contradicts reserve=off"));
  EXPECT_THAT(failure(",size=4M,policy=bind").message, HasSubstr("policy=bind needs host-nodes"));
  EXPECT_THAT(failure(",size=4M,host-nodes=0").message, HasSubstr("host-nodes=0 needs policy="));
  EXPECT_THAT(failure(",size=4M,host-nodes=0,policy=default").message,
              HasSubstr("host-nodes=0 needs policy="));
}

TEST_P(EveryBackendFails, BelowALimitOfAddressSpace) {
  if (test::kSanitizer) GTEST_SKIP() << "the sanitizer owns the address space";
  const auto child = test::in_child([this] {
    const struct rlimit limit { 256 * MiB, 256 * MiB };
    if (::setrlimit(RLIMIT_AS, &limit) != 0) return std::string("no limit");
    return failure(",size=512M").message;
  });
  if (child.text == "no limit") GTEST_SKIP() << "this host does not limit address space";
  EXPECT_EQ(child.status, 0);
  EXPECT_THAT(child.text, HasSubstr("memory backend '" + GetParam() + "': size=512M: cannot be "));
}

// The back ends that have a descriptor.
class EveryFileLikeBackendFails : public EveryBackendFails {};

TEST_P(EveryFileLikeBackendFails, BelowALimitOfFileSizes) {
  const auto child = test::in_child([this] {
    const struct rlimit limit { MiB, MiB };
    ::setrlimit(RLIMIT_FSIZE, &limit);
    return failure(",size=4M").message;
  });
  EXPECT_EQ(child.status, 0) << "SIGXFSZ ends the process";
  EXPECT_THAT(child.text, HasSubstr("size=4M: the limit on file sizes (ulimit -f) is 1M"));
  EXPECT_TRUE(directory_.entries().empty());
}

TEST_P(EveryFileLikeBackendFails, WithoutDescriptors) {
  if (test::kSanitizer) GTEST_SKIP() << "the sanitizer's own checks of pointers need a descriptor";
  const auto child = test::in_child([this] {
    while (::dup(0) >= 0) {
    }
    auto config = parse_backend(GetParam() + ",size=4M" +
                                (GetParam() == "file" ? ",mem-path=" + directory_.path() : ""));
    auto memory = allocate(*config);
    return memory ? std::string("it succeeded") : memory.error().message;
  });
  EXPECT_EQ(child.status, 0);
  EXPECT_THAT(child.text, HasSubstr("memory backend '" + GetParam() + "': "));
  EXPECT_TRUE(directory_.entries().empty());
}

std::vector<std::string> names_with_descriptor() {
  auto list = names();
  std::erase(list, "ram");
  return list;
}

INSTANTIATE_TEST_SUITE_P(, EveryBackendFails, testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(, EveryFileLikeBackendFails, testing::ValuesIn(names_with_descriptor()),
                         [](const auto& info) { return info.param; });

TEST(ShmBackendFails, WithShareOff) {
  EXPECT_EQ(failure_of("shm,size=4M,share=off").message,
            "memory backend 'shm': share=off: can't create shm backend with share=off");
}

TEST(FileBackendFails, WithoutAPath) {
  EXPECT_THAT(failure_of("file,size=4M").message, HasSubstr("'file' needs mem-path="));
}

TEST(FileBackendFails, WhenTheFileOrItsDirectoryIsMissing) {
  test::TemporaryDirectory directory;
  const Error error = failure_of("file,size=4M,mem-path=" + directory.path() + "/no/ram");
  EXPECT_EQ(error.kind, ErrorKind::kNoInput);
  EXPECT_THAT(error.message, HasSubstr("mem-path=" + directory.path() + "/no/ram"));
  EXPECT_EQ(failure_of("file,size=4M,readonly=on,mem-path=" + directory.path() + "/rom").kind,
            ErrorKind::kNoInput);
  EXPECT_TRUE(directory.entries().empty());
}

TEST(FileBackendFails, WhenTheFileHasAnotherSizeAndLeavesItAlone) {
  test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/ram";
  std::ofstream(path) << std::string(8192, 'a');
  for (const char* options : {"size=4K", "size=16K", "size=16K,readonly=on", "size=8K,offset=4K"}) {
    const Error error = failure_of(std::string("file,") + options + ",mem-path=" + path);
    EXPECT_EQ(error.kind, ErrorKind::kData) << options;
    EXPECT_THAT(error.message, HasSubstr("the file has 8192 bytes")) << options;
    struct stat status;
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_size, 8192) << options;
  }
}

TEST(FileBackendFails, WhenTheFileIsNoFile) {
  test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(failure_of("file,size=4K,mem-path=" + path).message,
              HasSubstr("neither a file nor a directory"));
  EXPECT_THAT(failure_of("file,size=4K,mem-path=/dev/null").message,
              HasSubstr("neither a file nor a directory"));
  EXPECT_THAT(failure_of("file,size=4K,readonly=on,mem-path=" + directory.path()).message,
              HasSubstr("is a directory, which contradicts readonly=on"));
}

TEST(FileBackendFails, WithOptionsThatContradictEachOther) {
  const std::string file = "file,size=4K,mem-path=/nowhere/at/all,";
  EXPECT_THAT(failure_of(file + "rom=on").message, HasSubstr("rom=on needs readonly=on"));
  EXPECT_THAT(failure_of(file + "rom=off,readonly=on,share=on").message,
              HasSubstr("rom=off contradicts readonly=on with share=on"));
  EXPECT_THAT(failure_of(file + "discard-data=on,readonly=on").message,
              HasSubstr("discard-data=on "));  // contradicts readonly=on, or not on this host
}

TEST(FileBackendFails, WithOffsetsAndAlignmentsThatCannotBe) {
  test::TemporaryDirectory directory;
  const std::string file = "file,size=4K,mem-path=" + directory.path() + "/ram,";
  EXPECT_THAT(failure_of(file + "offset=100").message, HasSubstr("offset=100 is not a multiple"));
  EXPECT_THAT(failure_of(file + "offset=18446744073709547520").message,
              HasSubstr("beyond any file"));
  EXPECT_THAT(failure_of(file + "offset=9223372036854771712").message, HasSubstr("'file': size="));
  EXPECT_THAT(failure_of(file + "align=3M").message, HasSubstr("align=3M is not a power of two"));
  EXPECT_THAT(failure_of(file + "align=512").message, HasSubstr("align=512 is not a power of two"));
  if (!test::kSanitizer) {
    EXPECT_THAT(failure_of(file + "align=4194304T").message, HasSubstr("cannot be mapped"));
  }
  EXPECT_TRUE(directory.entries().empty());
}

TEST(FileBackendFails, InADirectoryThatMayNotBeWritten) {
  test::TemporaryDirectory directory;
  ASSERT_EQ(::chmod(directory.path().c_str(), 0555), 0);
  const auto child = test::in_child([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return std::string("cannot drop root");
    return failure_of("file,size=4K,mem-path=" + directory.path()).message + "\n" +
           failure_of("file,size=4K,mem-path=" + directory.path() + "/ram").message;
  });
  if (child.text == "cannot drop root") GTEST_SKIP() << "this process cannot become another user";
  EXPECT_THAT(child.text, HasSubstr("mem-path=" + directory.path() + ": "));
  EXPECT_THAT(child.text, HasSubstr("mem-path=" + directory.path() + "/ram: "));
}

// Runs inside a mount namespace whose /dev/shm has one megabyte; prints the errors.
int try_a_tiny_mount() {
  const int before = test::open_descriptors();
  auto attempt = [](const char* text) {
    auto memory = allocate(*parse_backend(text));
    std::printf("%s\n", memory ? "it succeeded" : memory.error().message.c_str());
    return memory ? std::move(*memory) : HostMemory();
  };
  attempt("shm,size=4M");
  attempt("file,size=4M,mem-path=/dev/shm");
  attempt("file,size=4M,share=on,mem-path=/dev/shm/ram");
  if (::access("/dev/shm/ram", F_OK) == 0) return 1;
  {
    const HostMemory first = attempt("shm,size=640K");
    attempt("shm,size=640K");
  }
  return test::open_descriptors() == before && test::shm_entries().empty() ? 0 : 2;
}
const test::Helper tiny_mount("tries a tiny mount", try_a_tiny_mount);

TEST(TinyMount, TooSmallForTheGuestsIsAnErrorAtStart) {
  const std::string unshare = ::geteuid() == 0 ? "-m" : "-rm";
  const std::string script =
      "mount -t tmpfs -o size=1m tmpfs /dev/shm || exit 77\nexec \"$0\" \"$@\"";
  std::string output;
  const int status =
      test::run_helper({"unshare", unshare, "sh", "-c", script}, "tries a tiny mount", &output);
  if (output.find("memory backend") == std::string::npos)
    GTEST_SKIP() << "no mount namespace to be had here: " << output;
  EXPECT_EQ(status, 0);
  const std::string full = "cannot reserve the space: No space left on device\n";
  EXPECT_EQ(output, "memory backend 'shm': size=4M: " + full +        //
                        "memory backend 'file': size=4M: " + full +   //
                        "memory backend 'file': size=4M: " + full +   //
                        "it succeeded\n" +                            // one fits
                        "memory backend 'shm': size=640K: " + full);  // two do not
}

}  // namespace
}  // namespace kite
