// What `--serial WHERE` may say.
#include <gtest/gtest.h>

#include "devices/host/char_backend.h"

namespace kite {
namespace {

using Kind = CharConfig::Kind;

std::string error_of(std::string_view text) {
  const auto config = parse_char_backend(text);
  if (config) return {};
  EXPECT_EQ(config.error().kind, ErrorKind::kUsage);
  return config.error().message;
}

TEST(CharConfig, EveryKindIsParsed) {
  EXPECT_EQ(parse_char_backend("null")->kind, Kind::kNull);
  EXPECT_EQ(parse_char_backend("none")->kind, Kind::kNull);
  EXPECT_EQ(parse_char_backend("stdio")->kind, Kind::kStdio);
  const auto file = parse_char_backend("file:/tmp/a,b:c");
  EXPECT_EQ(file->kind, Kind::kFile);
  EXPECT_EQ(file->path, "/tmp/a,b:c");
  const auto socket = parse_char_backend("unix:/tmp/s,server,wait=off");
  EXPECT_EQ(socket->kind, Kind::kUnix);
  EXPECT_EQ(socket->path, "/tmp/s");
  EXPECT_TRUE(socket->server);
  EXPECT_FALSE(socket->wait);
  const auto tcp = parse_char_backend("tcp:[::1]:4444,server=on,wait");
  EXPECT_EQ(tcp->kind, Kind::kTcp);
  EXPECT_EQ(tcp->host, "::1");
  EXPECT_EQ(tcp->port, 4444);
  EXPECT_TRUE(tcp->server && tcp->wait);
  EXPECT_EQ(parse_char_backend("tcp::80")->host, "localhost");
  EXPECT_FALSE(parse_char_backend("tcp:h:80,server,nowait")->wait);
}

TEST(CharConfig, ErrorsNameTheWordAndWhatWasExpected) {
  EXPECT_NE(error_of("stdoi").find("did you mean 'stdio'"), std::string::npos);
  EXPECT_NE(error_of("").find("expected null, stdio"), std::string::npos);
  EXPECT_NE(error_of("stdio:x"), "");
  EXPECT_NE(error_of("file"), "");
  EXPECT_NE(error_of("file:").find("no path"), std::string::npos);
  EXPECT_NE(error_of("unix:").find("no path"), std::string::npos);
  EXPECT_NE(error_of("unix:x,sever").find("did you mean 'server'"), std::string::npos);
  EXPECT_NE(error_of("unix:x,server=maybe").find("server=maybe"), std::string::npos);
  EXPECT_NE(error_of("unix:x,wait").find("'wait' needs 'server'"), std::string::npos);
  EXPECT_NE(error_of("tcp:host").find("no port"), std::string::npos);
  for (const char* port : {"0", "65536", "80x", "", "-1"})
    EXPECT_NE(error_of(std::string("tcp:host:") + port).find("1 to 65535"), std::string::npos);
}

}  // namespace
}  // namespace kite
