// The console on a terminal: escape keys, and the terminal restored on every way out.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cstring>

#include "guest_code.h"
#include "program.h"

namespace kite {
namespace {

using testing::HasSubstr;

// A pseudo-terminal with a session of its own: a leader, as a shell would be, and the program in
// the foreground. The leader reports on a pipe: 'S' each time the program has stopped, and its wait
// status at the end.
class TerminalSession {
 public:
  bool open() {
    controller_.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!controller_.valid() || ::grantpt(controller_.get()) || ::unlockpt(controller_.get()))
      return false;
    const char* name = ::ptsname(controller_.get());
    if (!name) return false;
    name_ = name;
    terminal_.reset(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
    return terminal_.valid() && ::tcgetattr(terminal_.get(), &before_) == 0;
  }

  void start(const std::vector<std::string>& arguments) {
    int reports[2];
    ASSERT_EQ(::pipe(reports), 0);
    reports_.reset(reports[0]);
    leader_ = ::fork();
    if (leader_ == 0) lead(arguments, reports[1]);
    ::close(reports[1]);
    ASSERT_EQ(::read(reports[0], &program_, sizeof program_), ssize_t{sizeof program_});
  }

  ~TerminalSession() {
    if (program_ > 0 && !ended_) ::kill(program_, SIGKILL);
    if (leader_ > 0) {
      ::kill(leader_, SIGKILL);
      ::waitpid(leader_, nullptr, 0);
    }
  }

  bool wait_for(std::string_view text) {
    for (int i = 0; i < 2000; ++i) {
      if (screen.find(text) != std::string::npos) return true;
      take_screen(10);
    }
    return false;
  }
  void type(std::string_view keys) {
    ASSERT_EQ(::write(controller_.get(), keys.data(), keys.size()), ssize_t(keys.size()));
  }
  void signal(int number) { ::kill(program_, number); }

  // The leader's next report: 'S' or 'E' (then status() is valid), or 0 if none comes.
  char report() {
    char kind = 0;
    for (int i = 0; i < 2000; ++i) {
      take_screen(0);
      pollfd descriptor{reports_.get(), POLLIN, 0};
      if (::poll(&descriptor, 1, 10) <= 0) continue;
      if (::read(reports_.get(), &kind, 1) != 1) return 0;
      if (kind == 'E' && ::read(reports_.get(), &status_, sizeof status_) > 0) ended_ = true;
      break;
    }
    take_screen(0);
    return kind;
  }
  int exit_status() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1; }
  int death_signal() const { return WIFSIGNALED(status_) ? WTERMSIG(status_) : 0; }

  termios now() const {
    termios attributes{};
    ::tcgetattr(terminal_.get(), &attributes);
    return attributes;
  }
  bool restored() const {
    const termios after = now();
    return after.c_iflag == before_.c_iflag && after.c_oflag == before_.c_oflag &&
           after.c_cflag == before_.c_cflag && after.c_lflag == before_.c_lflag &&
           std::memcmp(after.c_cc, before_.c_cc, sizeof after.c_cc) == 0;
  }
  bool raw() const { return (now().c_lflag & (ICANON | ECHO | ISIG)) == 0; }
  bool becomes_raw() const {
    for (int i = 0; i < 1000 && !raw(); ++i) ::usleep(10'000);
    return raw();
  }
  int flags() const { return ::fcntl(terminal_.get(), F_GETFL); }

  std::string screen;

 private:
  void take_screen(int milliseconds) {
    pollfd descriptor{controller_.get(), POLLIN, 0};
    if (::poll(&descriptor, 1, milliseconds) <= 0) return;
    char buffer[4096];
    const ssize_t count = ::read(controller_.get(), buffer, sizeof buffer);
    if (count > 0) screen.append(buffer, static_cast<std::size_t>(count));
  }

  [[noreturn]] void lead(const std::vector<std::string>& arguments, int reports) {
    ::setsid();
    const int terminal = ::open(name_.c_str(), O_RDWR);
    ::ioctl(terminal, TIOCSCTTY, 0);
    ::signal(SIGTTOU, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    const pid_t program = ::fork();
    if (program == 0) {
      ::setpgid(0, 0);
      ::tcsetpgrp(terminal, ::getpid());
      for (int fd : {0, 1, 2}) ::dup2(terminal, fd);
      if (terminal > 2) ::close(terminal);
      ::close(reports);
      ::signal(SIGTTOU, SIG_DFL);
      exec_kite(arguments);
    }
    [[maybe_unused]] ssize_t written = ::write(reports, &program, sizeof program);
    int status;
    while (::waitpid(program, &status, WUNTRACED) > 0) {
      written = ::write(reports, WIFSTOPPED(status) ? "S" : "E", 1);
      if (WIFSTOPPED(status)) continue;
      written = ::write(reports, &status, sizeof status);
      break;
    }
    ::pause();  // the terminal stays until the test is done with it
    ::_exit(0);
  }

  UniqueFd controller_, terminal_, reports_;
  std::string name_;
  termios before_{};
  pid_t leader_ = -1, program_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

class Terminal : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_run_guests()) GTEST_SKIP() << "no accelerator is usable on this host";
    if (!session.open()) GTEST_SKIP() << "this host gives no pseudo-terminal";
  }
  // Starts a guest and waits until the terminal is its.
  void start(const std::string& code, std::vector<std::string> options = {"--timeout", "30"}) {
    options.insert(options.begin(), "run");
    options.push_back(scratch.file("guest.bin", code));
    session.start(options);
    ASSERT_TRUE(session.wait_for("ready")) << session.screen;
    ASSERT_TRUE(session.becomes_raw());
  }
  void expect_end(int status) {
    ASSERT_EQ(session.report(), 'E') << session.screen;
    EXPECT_EQ(session.exit_status(), status) << session.screen;
    EXPECT_TRUE(session.restored());
  }
  static std::string waiting_guest() { return guest::print("ready\n") + guest::spin(); }

  ScratchDirectory scratch;
  TerminalSession session;
};

TEST_F(Terminal, CtrlAXLeaves) {
  start(waiting_guest());
  session.type("\x01x");
  expect_end(0);
}

TEST_F(Terminal, CtrlAHListsTheKeys) {
  start(waiting_guest());
  session.type("\x01h");
  EXPECT_TRUE(session.wait_for("Ctrl-a x  leave")) << session.screen;
  session.type("\x01x");
  expect_end(0);
}

constexpr std::string_view kSwitch =
    "\x01"
    "c";

TEST_F(Terminal, CtrlACOpensTheMonitorAndGoesBackToTheGuest) {
  start(guest::echo());
  session.type(kSwitch);
  EXPECT_TRUE(session.wait_for("(kite) ")) << session.screen;
  session.type("statux\x7fs\r");  // is not the guest's
  EXPECT_TRUE(session.wait_for("running, up")) << session.screen;
  session.type("stop\rstatus\r");
  EXPECT_TRUE(session.wait_for("stopped, up")) << session.screen;
  session.type("cont\r");
  session.type(kSwitch);
  EXPECT_TRUE(session.wait_for("the guest's again")) << session.screen;
  session.type("<hello>");
  EXPECT_TRUE(session.wait_for("<hello>")) << session.screen;
  session.type("\x01x");
  expect_end(0);
}

// All in one piece, as a terminal's paste has it.
TEST_F(Terminal, TheMonitorGetsWhatStandsBetweenTheTwoSwitches) {
  start(guest::echo());
  session.type("<1" + std::string(kSwitch) + "cpus\r" + std::string(kSwitch) + "2>");
  EXPECT_TRUE(session.wait_for("vCPU 0: ")) << session.screen;
  EXPECT_TRUE(session.wait_for("2>")) << session.screen;
  session.type(std::string(kSwitch) + "quit\r");
  expect_end(0);
}

TEST_F(Terminal, WhatIsTypedReachesTheGuestAndControlKeysToo) {
  start(guest::echo());
  session.type("hello\x03\x1a!");
  EXPECT_TRUE(session.wait_for("hello\x03\x1a!")) << session.screen;
  session.type("\x01x");
  expect_end(0);
}

TEST_F(Terminal, CtrlATwiceSendsOne) {
  start(guest::echo());
  session.type("<\x01\x01>");
  EXPECT_TRUE(session.wait_for("<\x01>")) << session.screen;
  session.type("\x01x");
  expect_end(0);
}

TEST_F(Terminal, AGuestThatTakesNoInputCanStillBeLeft) {
  start(waiting_guest());
  session.type(std::string(3000, 'x'));
  session.type("\x01x");
  expect_end(0);
}

TEST_F(Terminal, IsRestoredWhenTheGuestEnds) {
  start(guest::echo(), {"--timeout", "30", "--expect", "bye"});
  session.type("bye\r\n");
  expect_end(0);
}

TEST_F(Terminal, IsRestoredAfterATimeout) {
  start(waiting_guest(), {"--timeout", "2"});
  expect_end(102);
}

TEST_F(Terminal, IsRestoredAfterSignals) {
  for (int number : {SIGINT, SIGTERM, SIGHUP}) {
    TerminalSession each;
    ASSERT_TRUE(each.open());
    each.start({"run", "--timeout", "30", scratch.file("guest.bin", waiting_guest())});
    ASSERT_TRUE(each.wait_for("ready")) << each.screen;
    ASSERT_TRUE(each.becomes_raw());
    each.signal(number);
    ASSERT_EQ(each.report(), 'E');
    EXPECT_EQ(each.exit_status(), 128 + number) << each.screen;
    EXPECT_TRUE(each.restored()) << number;
  }
}

TEST_F(Terminal, IsRestoredAfterACrash) {
  for (int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) {
    TerminalSession each;
    ASSERT_TRUE(each.open());
    each.start({"run", "--timeout", "30", scratch.file("guest.bin", waiting_guest())});
    ASSERT_TRUE(each.wait_for("ready")) << each.screen;
    ASSERT_TRUE(each.becomes_raw());
    each.signal(number);
    ASSERT_EQ(each.report(), 'E');
    EXPECT_EQ(each.death_signal(), number) << each.screen;
    EXPECT_TRUE(each.restored()) << number;
  }
}

TEST_F(Terminal, IsRestoredWhileStoppedAndRawAgainAfterwards) {
  start(waiting_guest());
  session.signal(SIGTSTP);
  ASSERT_EQ(session.report(), 'S') << session.screen;
  EXPECT_TRUE(session.restored());
  session.signal(SIGCONT);
  EXPECT_TRUE(session.becomes_raw());
  session.signal(SIGTSTP);  // and once more
  ASSERT_EQ(session.report(), 'S') << session.screen;
  EXPECT_TRUE(session.restored());
  session.signal(SIGCONT);
  EXPECT_TRUE(session.becomes_raw());
  session.type("\x01x");
  expect_end(0);
}

TEST_F(Terminal, IsNotTouchedByAnErrorBeforeTheStart) {
  session.start({"run", "/nonexistent/kernel"});
  expect_end(66);
}

TEST_F(Terminal, IsNotMadeRawForAConsoleThatIsElsewhere) {
  session.start(
      {"run", "--timeout", "2", "--serial", "null", scratch.file("guest.bin", waiting_guest())});
  ASSERT_TRUE(session.wait_for("microvm")) << session.screen;
  ::usleep(300'000);
  EXPECT_TRUE(session.restored());
  session.type("\x03");  // Ctrl-C is the terminal's own
  expect_end(130);
}

TEST_F(Terminal, ItsFlagsAreLeftAlone) {
  const int flags = session.flags();
  start(waiting_guest());
  EXPECT_EQ(session.flags(), flags);
  session.type("\x01x");
  expect_end(0);
  EXPECT_EQ(session.flags(), flags);
}

}  // namespace
}  // namespace kite
