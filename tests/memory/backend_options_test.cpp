#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "memory/backend.h"

namespace kite {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

bool has(std::string_view name) {
  for (const Backend& backend : backends())
    if (backend.name == name) return true;
  return false;
}

std::string error_of(std::string_view text) {
  auto config = parse_backend(text);
  if (config) return "no error";
  EXPECT_NE(config.error().message.find("memory backend"), std::string::npos);
  return config.error().message;
}

TEST(BackendOptions, TheDefaultIsMemfdWhereItExistsAndElseShm) {
  EXPECT_EQ(backends()[0].name, has("memfd") ? "memfd" : "shm");
  EXPECT_TRUE(has("shm") && has("ram") && has("file"));
}

TEST(BackendOptions, AKindAloneLeavesEverythingToItsDefaults) {
  auto config = parse_backend("shm");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->kind, "shm");
  EXPECT_EQ(config->size, 0u);
  EXPECT_FALSE(config->share);
}

TEST(BackendOptions, EveryOptionIsRead) {
  auto config = parse_backend(
      "file,size=1G,share=on,prealloc=yes,prealloc-threads=4,merge=off,dump=true,reserve=y,"
      "host-nodes=0-2,host-nodes=5,policy=bind,mem-path=/tmp/a,,b=c,offset=4K,align=2M,"
      "readonly=off,rom=no,discard-data=n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->size, GiB);
  EXPECT_EQ(config->share, true);
  EXPECT_TRUE(config->prealloc);
  EXPECT_EQ(config->prealloc_threads, 4u);
  EXPECT_EQ(config->merge, false);
  EXPECT_EQ(config->dump, true);
  EXPECT_EQ(config->reserve, true);
  EXPECT_THAT(config->host_nodes, ElementsAre(0, 1, 2, 5));
  EXPECT_EQ(config->policy, "bind");
  EXPECT_EQ(config->mem_path, "/tmp/a,b=c");
  EXPECT_EQ(config->offset, 4 * KiB);
  EXPECT_EQ(config->align, 2 * MiB);
  EXPECT_EQ(config->readonly, false);
  EXPECT_EQ(config->rom, false);
  EXPECT_EQ(config->discard_data, false);
}

TEST(BackendOptions, RomAutoLeavesItToReadonly) {
  auto config = parse_backend("file,rom=auto,mem-path=x");
  ASSERT_TRUE(config);
  EXPECT_FALSE(config->rom);
}

TEST(BackendOptions, AnUnknownKindIsAnErrorThatListsWhatThereIs) {
  EXPECT_THAT(error_of("shn"), HasSubstr("did you mean 'shm'?"));
  EXPECT_THAT(error_of("hugepages"), HasSubstr("file"));
  EXPECT_THAT(error_of(""), HasSubstr("no memory backend ''"));
}

TEST(BackendOptions, AnUnknownOptionIsAnErrorThatNamesTheNearest) {
  EXPECT_THAT(error_of("shm,pralloc=on"), HasSubstr("'pralloc'; did you mean 'prealloc'?"));
  EXPECT_THAT(error_of("shm,"), HasSubstr("no option ''"));
  EXPECT_THAT(error_of("shm,zzzzzzzz=1"), HasSubstr("no option 'zzzzzzzz'"));
}

TEST(BackendOptions, AnOptionOfAnotherKindIsAnError) {
  for (const char* option : {"seal=on", "hugetlb=on", "hugetlbsize=2M", "mem-path=/tmp", "align=4K",
                             "offset=0", "readonly=on", "rom=on", "discard-data=on"})
    EXPECT_THAT(error_of(std::string("shm,") + option), HasSubstr("memory backend 'shm' has no"))
        << option;
  EXPECT_THAT(error_of("file,seal=on"), HasSubstr("no option 'seal'"));
}

TEST(BackendOptions, ABadValueIsAnErrorThatNamesBackEndOptionAndValue) {
  EXPECT_THAT(error_of("ram,share=perhaps"),
              HasSubstr("memory backend 'ram': share=perhaps is not on or off"));
  EXPECT_THAT(error_of("ram,size=12Q"), HasSubstr("size=12Q is not a size"));
  EXPECT_THAT(error_of("ram,size="), HasSubstr("size= is not a size"));
  EXPECT_THAT(error_of("ram,size=-1"), HasSubstr("size=-1"));
  EXPECT_THAT(error_of("ram,size=0"), HasSubstr("size=0"));
  EXPECT_THAT(error_of("ram,prealloc-threads=0"), HasSubstr("prealloc-threads=0"));
  EXPECT_THAT(error_of("ram,prealloc-threads=1000000"), HasSubstr("prealloc-threads=1000000"));
  EXPECT_THAT(error_of("ram,host-nodes=3-1"), HasSubstr("host-nodes=3-1"));
  EXPECT_THAT(error_of("ram,host-nodes=0-4000000000"), HasSubstr("host-nodes=0-4000000000"));
  EXPECT_THAT(error_of("ram,host-nodes="), HasSubstr("host-nodes="));
  EXPECT_THAT(error_of("file,mem-path="), HasSubstr("mem-path="));
  EXPECT_THAT(error_of("ram,share"), HasSubstr("'share' needs a value"));
}

TEST(BackendOptions, AnOptionGivenTwiceIsAnError) {
  EXPECT_THAT(error_of("ram,size=1M,size=2M"), HasSubstr("size=2M contradicts an earlier size"));
}

TEST(ParseSize, ReadsBytesAndBinaryUnits) {
  EXPECT_EQ(*parse_size("1048576"), MiB);
  EXPECT_EQ(*parse_size("512M"), 512 * MiB);
  EXPECT_EQ(*parse_size("4g"), 4 * GiB);
  EXPECT_EQ(*parse_size("3K"), 3 * KiB);
  EXPECT_EQ(*parse_size("2T"), 2048 * GiB);
  EXPECT_EQ(*parse_size("0"), 0u);
  EXPECT_EQ(*parse_size("18446744073709551615"), ~u64{0});
}

TEST(ParseSize, RefusesWhatIsNoSizeAndWhatDoesNotFit) {
  for (const char* text : {"", "M", "x", "1.5G", "12MM", "-5", "+5", " 5", "5 ", "0x10", "5B",
                           "18446744073709551616", "17179869184G", "99999999999999999999T"}) {
    auto size = parse_size(text);
    ASSERT_FALSE(size) << text;
    EXPECT_THAT(size.error().message, HasSubstr(text));
    EXPECT_EQ(size.error().kind, ErrorKind::kUsage);
  }
}

}  // namespace
}  // namespace kite
