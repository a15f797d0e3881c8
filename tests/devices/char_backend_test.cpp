#include "devices/host/char_backend.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/clock.h"

namespace kite {
namespace {

// A receiver with as much room as it is given.
class Inbox : public CharReceiver {
 public:
  std::size_t room() override { return space; }
  void receive(std::span<const u8> bytes) override {
    space -= bytes.size();
    text.append(bytes.begin(), bytes.end());
  }
  std::size_t space = 1 << 20;
  std::string text;
};

class CharBackendTest : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    directory = std::filesystem::temp_directory_path() / "kite-char-XXXXXX";
    std::string pattern = directory;
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory); }

  // Runs the loop for a moment, or until `done`.
  void run(
      const std::function<bool()>& done = [] { return false; }, int milliseconds = 2000) {
    for (int i = 0; i < milliseconds / 5 && !done(); ++i) {
      Timer stop(clock, [this] { loop->stop(); });
      stop.arm(clock.now() + 5 * kMillisecond);
      loop->run();
    }
  }
  void pause() {
    run([] { return false; }, 30);
  }
  static void send(CharBackend& backend, std::string_view text) {
    backend.write({reinterpret_cast<const u8*>(text.data()), text.size()});
  }
  static std::string read_some(int fd) {
    pollfd descriptor{fd, POLLIN, 0};
    std::string text(1 << 16, '\0');
    if (::poll(&descriptor, 1, 0) <= 0) return {};
    const ssize_t count = ::read(fd, text.data(), text.size());
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
  }
  std::string path(const char* name) { return directory / name; }
  static std::string contents(const std::string& name) {
    std::ifstream file(name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  RealClock clock;
  std::unique_ptr<EventLoop> loop = *EventLoop::create(clock);
  std::filesystem::path directory;
};

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe(ends) != 0) abort();
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  UniqueFd read, write;
};

TEST_F(CharBackendTest, WhatTheGuestWritesComesOutInOrder) {
  Pipe out;
  auto backend = make_fd_backend(*loop, -1, out.write.get(), "test");
  send(*backend, "hello ");
  send(*backend, "world");
  pause();
  EXPECT_EQ(read_some(out.read.get()), "hello world");
}

TEST_F(CharBackendTest, WhatIsTypedReachesTheReceiver) {
  Pipe in;
  auto backend = make_fd_backend(*loop, in.read.get(), -1, "test");
  Inbox inbox;
  backend->set_receiver(&inbox);
  ASSERT_EQ(::write(in.write.get(), "abc", 3), 3);
  run([&] { return inbox.text.size() == 3; });
  EXPECT_EQ(inbox.text, "abc");
  backend->set_receiver(nullptr);
}

TEST_F(CharBackendTest, AFullReceiverIsAskedAgainAfterResume) {
  Pipe in;
  auto backend = make_fd_backend(*loop, in.read.get(), -1, "test");
  Inbox inbox;
  inbox.space = 2;
  backend->set_receiver(&inbox);
  ASSERT_EQ(::write(in.write.get(), "abcd", 4), 4);
  run([&] { return inbox.text.size() == 2; });
  pause();
  EXPECT_EQ(inbox.text, "ab");
  inbox.space = 10;
  backend->resume();
  run([&] { return inbox.text.size() == 4; });
  EXPECT_EQ(inbox.text, "abcd");
  backend->set_receiver(nullptr);
}

TEST_F(CharBackendTest, InputIsLeftInThePipeWhileTheGuestTakesNone) {
  Pipe in;
  auto backend = make_fd_backend(*loop, in.read.get(), -1, "test");
  const std::string much(60'000, 'x');
  ASSERT_EQ(::write(in.write.get(), much.data(), much.size()), 60'000);
  pause();
  EXPECT_GT(read_some(in.read.get()).size(), 50'000u);
}

TEST_F(CharBackendTest, TheFilterSeesKeysEvenWhileTheGuestTakesNone) {
  Pipe in;
  std::string seen;
  auto backend = make_fd_backend(*loop, in.read.get(), -1, "test", [&](std::vector<u8>& bytes) {
    seen.append(bytes.begin(), bytes.end());
    std::erase(bytes, u8{'!'});
  });
  Inbox inbox;
  inbox.space = 0;
  backend->set_receiver(&inbox);
  const std::string much(200'000, 'x');
  std::thread typist([&] {
    EXPECT_EQ(::write(in.write.get(), much.data(), much.size()), 200'000);
    EXPECT_EQ(::write(in.write.get(), "!q", 2), 2);
  });
  run([&] { return seen.ends_with("!q"); });
  typist.join();
  EXPECT_TRUE(seen.ends_with("!q"));
  backend->set_receiver(nullptr);
}

TEST_F(CharBackendTest, AReaderThatNeverReadsStallsNobody) {
  Pipe out;
  auto backend = make_fd_backend(*loop, -1, out.write.get(), "test");
  const std::string line(1000, 'x');
  for (int i = 0; i < 20'000; ++i) send(*backend, line);  // 20 MB
  send(*backend, "the end");
  pause();
  std::string all, part;
  run(
      [&] {
        part = read_some(out.read.get());
        all += part;
        return all.ends_with("the end");
      },
      20'000);
  EXPECT_TRUE(all.ends_with("the end"));
  EXPECT_LT(all.size(), 10'000'000u);
}

TEST_F(CharBackendTest, FlushWritesTheRestButNotForEver) {
  Pipe out;
  auto backend = make_fd_backend(*loop, -1, out.write.get(), "test");
  send(*backend, "last words");
  backend->flush(kSecond);
  EXPECT_EQ(read_some(out.read.get()), "last words");
  send(*backend, std::string(1 << 20, 'x'));
  const Nanos before = clock.now();
  backend->flush(50 * kMillisecond);
  EXPECT_LT(clock.now() - before, 2 * kSecond);
}

TEST_F(CharBackendTest, NoFlagOfADescriptorIsChanged) {
  Pipe in, out;
  const int in_flags = ::fcntl(in.read.get(), F_GETFL);
  const int out_flags = ::fcntl(out.write.get(), F_GETFL);
  auto backend = make_fd_backend(*loop, in.read.get(), out.write.get(), "test");
  send(*backend, "x");
  pause();
  EXPECT_EQ(::fcntl(in.read.get(), F_GETFL), in_flags);
  EXPECT_EQ(::fcntl(out.write.get(), F_GETFL), out_flags);
}

TEST_F(CharBackendTest, TheFlagsOfATerminalAreNotChangedAndAStoppedOneStallsNobody) {
  const int controller = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (controller < 0 || ::grantpt(controller) != 0 || ::unlockpt(controller) != 0)
    GTEST_SKIP() << "no pseudo-terminal on this host";
  UniqueFd master(controller), terminal(::open(::ptsname(controller), O_RDWR | O_NOCTTY));
  ASSERT_TRUE(terminal.valid());
  const int flags = ::fcntl(terminal.get(), F_GETFL);
  auto backend = make_fd_backend(*loop, terminal.get(), terminal.get(), "test");
  send(*backend, std::string(1 << 20, 'x'));
  pause();
  EXPECT_EQ(::fcntl(terminal.get(), F_GETFL), flags);
  EXPECT_FALSE(read_some(master.get()).empty());
}

TEST_F(CharBackendTest, ClosedDescriptorsAreToleratedAndAGoneReaderToo) {
  auto nothing = make_fd_backend(*loop, 987, 988, "test");
  send(*nothing, "x");
  pause();
  Pipe in, out;
  auto backend = make_fd_backend(*loop, in.read.get(), out.write.get(), "test");
  in.write.reset();
  out.read.reset();
  send(*backend, "x");
  pause();
  send(*backend, "y");
  pause();
}

TEST_F(CharBackendTest, AFileIsTruncatedAndWritten) {
  std::ofstream(path("log")) << "something old and long";
  auto backend = *open_char_backend(*parse_char_backend("file:" + path("log")), *loop);
  send(*backend, "new");
  backend->flush(kSecond);
  EXPECT_EQ(contents(path("log")), "new");
}

TEST_F(CharBackendTest, AFileThatCannotBeOpenedIsAnErrorThatNamesIt) {
  const auto backend = open_char_backend(*parse_char_backend("file:/nonexistent/x"), *loop);
  ASSERT_FALSE(backend);
  EXPECT_EQ(backend.error().kind, ErrorKind::kIo);
  EXPECT_NE(backend.error().message.find("/nonexistent/x"), std::string::npos);
}

TEST_F(CharBackendTest, AFullDiskLosesOutputButNotTheRun) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "this host has no /dev/full";
  auto backend = *open_char_backend(*parse_char_backend("file:/dev/full"), *loop);
  send(*backend, "x");
  backend->flush(kSecond);
  send(*backend, "y");
  backend->flush(kSecond);
}

UniqueFd connect_to(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

TEST_F(CharBackendTest, AServerServesOneClientAfterTheOther) {
  auto backend = *open_char_backend(*parse_char_backend("unix:" + path("s") + ",server"), *loop);
  Inbox inbox;
  backend->set_receiver(&inbox);
  send(*backend, "nobody hears this");
  for (const char* greeting : {"first", "second"}) {
    UniqueFd client = connect_to(path("s"));
    ASSERT_TRUE(client.valid());
    pause();
    send(*backend, greeting);
    pause();
    EXPECT_EQ(read_some(client.get()), greeting);
    ASSERT_EQ(::write(client.get(), "hi", 2), 2);
    pause();
    client.reset();
    pause();
  }
  EXPECT_EQ(inbox.text, "hihi");
  backend->set_receiver(nullptr);
  backend.reset();
  EXPECT_FALSE(std::filesystem::exists(path("s")));
}

TEST_F(CharBackendTest, AServerTakesOverTheSocketOfADeadOneButNotOfALivingOne) {
  const auto config = *parse_char_backend("unix:" + path("s") + ",server");
  {
    UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path("s").copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  auto living = open_char_backend(config, *loop);
  ASSERT_TRUE(living) << living.error().message;
  EXPECT_FALSE(open_char_backend(config, *loop));
  EXPECT_TRUE(std::filesystem::exists(path("s")));
}

TEST_F(CharBackendTest, AClientConnectsAndSurvivesTheServersDeath) {
  const std::string where = "unix:" + path("s");
  EXPECT_EQ(open_char_backend(*parse_char_backend(where), *loop).error().kind, ErrorKind::kIo);
  auto server = *open_char_backend(*parse_char_backend(where + ",server"), *loop);
  auto client = *open_char_backend(*parse_char_backend(where), *loop);
  Inbox inbox;
  server->set_receiver(&inbox);
  pause();
  send(*client, "hello");
  run([&] { return inbox.text == "hello"; });
  EXPECT_EQ(inbox.text, "hello");
  server->set_receiver(nullptr);
  server.reset();
  pause();
  send(*client, "anyone?");
  pause();
}

TEST_F(CharBackendTest, AServerThatWaitsHasItsClientFromTheStart) {
  std::thread guest([&] {
    for (int i = 0; i < 200; ++i) {
      if (UniqueFd client = connect_to(path("s")); client.valid()) {
        EXPECT_EQ(::write(client.get(), "early", 5), 5);
        return;
      }
      ::usleep(10'000);
    }
  });
  auto backend =
      open_char_backend(*parse_char_backend("unix:" + path("s") + ",server,wait"), *loop);
  guest.join();
  ASSERT_TRUE(backend) << backend.error().message;
  Inbox inbox;
  (*backend)->set_receiver(&inbox);
  run([&] { return inbox.text == "early"; });
  EXPECT_EQ(inbox.text, "early");
  (*backend)->set_receiver(nullptr);
}

TEST_F(CharBackendTest, ATooLongSocketPathIsAnError) {
  const auto backend =
      open_char_backend(*parse_char_backend("unix:/tmp/" + std::string(200, 'x')), *loop);
  ASSERT_FALSE(backend);
  EXPECT_EQ(backend.error().kind, ErrorKind::kUsage);
}

TEST_F(CharBackendTest, TcpCarriesBothWays) {
  CharConfig config = *parse_char_backend("tcp:127.0.0.1:1,server");
  Result<std::unique_ptr<CharBackend>> server = tl::unexpected<Error>(Error{});
  for (u16 port = 42'311; !server && port < 42'331; ++port) {
    config.port = port;
    server = open_char_backend(config, *loop);
  }
  ASSERT_TRUE(server) << server.error().message;
  config.server = false;
  auto client = open_char_backend(config, *loop);
  ASSERT_TRUE(client) << client.error().message;
  Inbox at_server, at_client;
  (*server)->set_receiver(&at_server);
  (*client)->set_receiver(&at_client);
  pause();
  send(**client, "ping");
  run([&] { return at_server.text == "ping"; });
  send(**server, "pong");
  run([&] { return at_client.text == "pong"; });
  EXPECT_EQ(at_server.text, "ping");
  EXPECT_EQ(at_client.text, "pong");
  (*server)->set_receiver(nullptr);
  (*client)->set_receiver(nullptr);
}

TEST_F(CharBackendTest, AnObserverSeesWhatPassesThrough) {
  Pipe out;
  auto backend = make_fd_backend(*loop, -1, out.write.get(), "test");
  std::string seen;
  ObservedCharBackend observed(
      *backend, [&](std::span<const u8> bytes) { seen.append(bytes.begin(), bytes.end()); });
  send(observed, "panic");
  observed.flush(kSecond);
  EXPECT_EQ(seen, "panic");
  EXPECT_EQ(read_some(out.read.get()), "panic");
}

}  // namespace
}  // namespace kite
