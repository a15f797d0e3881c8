#include "tests/boot/program_run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>

namespace kite::test {
namespace {

using Time = std::chrono::steady_clock;

struct Pipe {
  int read_end = -1, write_end = -1;
  Pipe() {
    int ends[2];
    if (pipe(ends) == 0) read_end = ends[0], write_end = ends[1];
  }
  ~Pipe() {
    if (read_end >= 0) close(read_end);
    if (write_end >= 0) close(write_end);
  }
};

[[noreturn]] void become(const std::vector<std::string>& words, int in, int out, int err) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  for (int fd = 3; fd < 256; ++fd) close(fd);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

// False at the end of the stream.
bool take(int fd, std::string& text) {
  std::array<char, 4096> buffer;
  const ssize_t size = read(fd, buffer.data(), buffer.size());
  if (size > 0) text.append(buffer.data(), static_cast<std::size_t>(size));
  return size > 0;
}

double since(Time::time_point start) {
  return std::chrono::duration<double>(Time::now() - start).count();
}

// Types what is due.
class Typist {
 public:
  Typist(int in, const std::vector<Reply>& replies) : in_(in), replies_(replies) {}

  void look(const std::string& out) {
    while (next_ < replies_.size()) {
      const Reply& reply = replies_[next_];
      const std::size_t at = out.find(reply.after, read_);
      if (at == std::string::npos) return;
      read_ = at + reply.after.size();
      ++next_;
      // A program that is gone already is found out by what it did not say.
      if (write(in_, reply.keys.data(), reply.keys.size()) < 0) return;
    }
  }

 private:
  int in_;
  const std::vector<Reply>& replies_;
  std::size_t next_ = 0, read_ = 0;
};

void note_arrival(ProgramRun& run, double seconds) {
  if (run.out.size() == (run.arrivals.empty() ? 0 : run.arrivals.back().size)) return;
  if (run.arrivals.empty()) run.first_output_seconds = seconds;
  run.arrivals.push_back({run.out.size(), seconds});
}

// Reads both streams to their ends; false if the time ran out before.
bool drain(int out, int err, Typist typist, ProgramRun& run, Time::time_point start,
           int limit_seconds) {
  const auto end = start + std::chrono::seconds(limit_seconds);
  std::array<pollfd, 2> streams = {pollfd{out, POLLIN, 0}, pollfd{err, POLLIN, 0}};
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Time::now());
    if (left.count() <= 0) return false;
    if (poll(streams.data(), streams.size(), static_cast<int>(left.count())) < 0) continue;
    if (streams[0].revents && !take(out, run.out)) streams[0].fd = -1;
    typist.look(run.out);
    note_arrival(run, since(start));
    if (streams[1].revents && !take(err, run.err)) streams[1].fd = -1;
  }
  return true;
}

}  // namespace

double ProgramRun::arrival_of(const std::string& text) const {
  const std::size_t at = out.find(text);
  if (at == out.npos) return -1;
  for (const Arrival& arrival : arrivals)
    if (arrival.size >= at + text.size()) return arrival.seconds;
  return -1;
}

ProgramRun run_program(const std::vector<std::string>& words, int limit_seconds,
                       const std::vector<Reply>& replies) {
  ProgramRun run;
  Pipe in, out, err;
  signal(SIGPIPE, SIG_IGN);  // of a program that ends while keys are typed
  if (replies.empty()) close(in.write_end), in.write_end = -1;
  const auto start = Time::now();
  const pid_t child = fork();
  if (child == 0) become(words, in.read_end, out.write_end, err.write_end);
  close(in.read_end), close(out.write_end), close(err.write_end);
  in.read_end = out.write_end = err.write_end = -1;
  const Typist typist(in.write_end, replies);
  const bool ended = drain(out.read_end, err.read_end, typist, run, start, limit_seconds);
  if (!ended) kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  run.seconds = since(start);
  if (ended) run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return run;
}

}  // namespace kite::test
