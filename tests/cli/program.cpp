#include "program.h"
#include "tests/paths.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>

namespace kite {

namespace {

using Steady = std::chrono::steady_clock;

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe(ends) != 0) ::abort();
    for (int fd : ends) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  UniqueFd read, write;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace

std::vector<std::string> Finished::complaints() const {
  std::vector<std::string> found;
  for (const std::string& line : lines_of(err)) {
    const bool summary = line.find(" MiB, 1 x ") != std::string::npos;
    const bool host = line.starts_with("kite: KVM on this host");
    if (!summary && !host) found.push_back(line);
  }
  return found;
}

void exec_kite(const std::vector<std::string>& arguments, int ignored_signal) {
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGCONT})
    ::signal(signal, signal == ignored_signal ? SIG_IGN : SIG_DFL);
  std::string program = paths::kProgram;
  std::vector<char*> words{program.data()};
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  ::_exit(127);
}

Program::Program(std::vector<std::string> arguments, Options options) {
  Pipe in, out, err;
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(in.read.get(), STDIN_FILENO);
    UniqueFd file;
    if (!options.out_path.empty())
      file.reset(::open(options.out_path.c_str(), O_WRONLY | O_CLOEXEC));
    ::dup2(file.valid() ? file.get() : out.write.get(), STDOUT_FILENO);
    ::dup2(err.write.get(), STDERR_FILENO);
    for (int fd : options.closed) ::close(fd);
    options.in_child();
    exec_kite(arguments, options.ignored_signal);
  }
  if (!options.input.empty()) {
    [[maybe_unused]] auto count =
        ::write(in.write.get(), options.input.data(), options.input.size());
  }
  if (options.keep_input_open) in_ = std::move(in.write);
  out_ = std::move(out.read);
  err_ = std::move(err.read);
}

Program::~Program() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Program::pump(int milliseconds) {
  std::array<pollfd, 2> descriptors{pollfd{out_.get(), POLLIN, 0}, pollfd{err_.get(), POLLIN, 0}};
  ::poll(descriptors.data(), descriptors.size(), milliseconds);
  const auto take = [](pollfd& descriptor, UniqueFd& fd, std::string& text) {
    if (descriptor.revents == 0) return;
    char buffer[65536];
    const ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
    count > 0 ? static_cast<void>(text.append(buffer, static_cast<std::size_t>(count)))
              : fd.reset();
  };
  take(descriptors[0], out_, result_.out);
  take(descriptors[1], err_, result_.err);
  return out_.valid() || err_.valid();
}

bool Program::wait_for_output(std::string_view text, std::chrono::seconds limit) {
  const auto deadline = Steady::now() + limit;
  while (result_.out.find(text) == std::string::npos) {
    if (!pump(20) || Steady::now() > deadline) return result_.out.find(text) != std::string::npos;
  }
  return true;
}

Finished Program::finish(std::chrono::seconds limit) {
  const auto deadline = Steady::now() + limit;
  int status = 0;
  pid_t ended;
  while ((ended = ::waitpid(pid_, &status, WNOHANG)) == 0) {
    if (Steady::now() > deadline && !result_.timed_out) {
      result_.timed_out = true;
      ::kill(pid_, SIGKILL);
    }
    if (!pump(10)) ::usleep(2000);
  }
  while (pump(0) && Steady::now() < deadline) {
  }
  pid_ = -1;
  if (WIFEXITED(status)) result_.status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
  return std::move(result_);
}

Finished run_kite(std::vector<std::string> arguments, Program::Options options) {
  return Program(std::move(arguments), std::move(options)).finish();
}

bool can_run_guests() {
  static const bool can = run_kite({"list", "accels"}).out.find("; usable") != std::string::npos;
  return can;
}

ScratchDirectory::ScratchDirectory() {
  std::string pattern = std::filesystem::temp_directory_path() / "kite-cli-XXXXXX";
  if (!::mkdtemp(pattern.data())) ::abort();
  directory_ = pattern;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string ScratchDirectory::file(std::string_view name, std::string_view contents) const {
  std::ofstream(path(name), std::ios::binary) << contents;
  return path(name);
}

std::string ScratchDirectory::contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t ScratchDirectory::entries() const {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory_))
    ++count;
  return count;
}

}  // namespace kite
