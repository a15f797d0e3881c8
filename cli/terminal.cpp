#include "cli/terminal.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace kite::terminal {

namespace {

constexpr int kTerminal = STDIN_FILENO;
constexpr std::array kFatalSignals = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGQUIT};

termios saved;  // written once, before is_raw is set
termios raw;
std::atomic<bool> is_raw{false};  // lock-free: handlers read it

bool in_foreground() {
  return ::tcgetpgrp(kTerminal) == ::getpgrp();
}

// With SIGTTOU blocked, a process in the background may set the terminal too (POSIX, tcsetattr).
void set(const termios& attributes) {
  const int saved_errno = errno;
  sigset_t background, before;
  ::sigemptyset(&background);
  ::sigaddset(&background, SIGTTOU);
  ::pthread_sigmask(SIG_BLOCK, &background, &before);
  while (::tcsetattr(kTerminal, TCSADRAIN, &attributes) != 0 && errno == EINTR) {
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = saved_errno;
}

void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

void die(int signal) {
  leave_raw_mode();
  ::raise(signal);  // SA_RESETHAND: now the default
}

// SA_NODEFER, so that raise() takes effect inside the handler. It returns once the process goes on.
void stop(int);
void handle_stops() {
  handle(SIGTSTP, stop, SA_NODEFER | SA_RESTART);
}
void stop(int) {
  const int saved_errno = errno;
  if (is_raw) set(saved);
  handle(SIGTSTP, SIG_DFL, 0);
  ::raise(SIGTSTP);
  handle_stops();
  errno = saved_errno;
}

// After `bg` the terminal is somebody else's; `fg` sends another SIGCONT. Another thread than that
// of stop() may be here, and ahead of it: the next SIGTSTP is to find the terminal's way back.
void go_on(int) {
  const int saved_errno = errno;
  handle_stops();
  if (is_raw && in_foreground()) set(raw);
  errno = saved_errno;
}

// As cfmakeraw(), but output keeps its processing: Kite's own lines end in a plain newline.
termios made_raw(termios attributes) {
  attributes.c_iflag &=
      ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  attributes.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  attributes.c_cflag &= ~static_cast<tcflag_t>(CSIZE | PARENB);
  attributes.c_cflag |= CS8;
  attributes.c_cc[VMIN] = 1;
  attributes.c_cc[VTIME] = 0;
  return attributes;
}

}  // namespace

bool usable() {
  return ::isatty(kTerminal) && in_foreground();
}

bool in_background() {
  return ::isatty(kTerminal) && !in_foreground();
}

void handle_crashes() {
  for (int signal : kFatalSignals) handle(signal, die, SA_RESETHAND | SA_NODEFER);
}

Result<> enter_raw_mode() {
  if (::tcgetattr(kTerminal, &saved) != 0)
    return fail_errno(ErrorKind::kIo, errno, "the terminal on stdin");
  raw = made_raw(saved);
  is_raw = true;
  std::atexit(leave_raw_mode);
  handle_stops();
  handle(SIGCONT, go_on, SA_RESTART);
  set(raw);
  return {};
}

void leave_raw_mode() {
  if (is_raw.exchange(false)) set(saved);
}

}  // namespace kite::terminal
