#include "tests/memory/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/unique_fd.h"

namespace kite::test {

namespace {

constexpr const char* kHelperVariable = "KITE_TEST_HELPER";

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = ::read(fd, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  return text;
}

int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code problem;
  for (const auto& entry : std::filesystem::directory_iterator(directory, problem))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

int open_descriptors() {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd)
    if (::fcntl(fd, F_GETFD) != -1) ++count;
  return count;
}

// Only Kite's own, since other programs of the host come and go.
std::vector<std::string> shm_entries() {
  auto names = names_in("/dev/shm");
  const std::string own = "kite-" + std::to_string(::getpid());
  std::erase_if(names, [&](const std::string& name) { return name.rfind(own, 0) != 0; });
  return names;
}

ChildResult in_child(const std::function<std::string()>& body) {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string text = body();
    const bool written =
        ::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  UniqueFd read_end(ends[0]);
  ChildResult result;
  result.text = read_all(read_end.get());
  result.status = wait_for(child);
  return result;
}

Helper::Helper(const char* name, int (*body)()) {
  const char* wanted = std::getenv(kHelperVariable);
  if (!wanted || std::string(wanted) != name) return;
  const int status = body();
  std::fflush(stdout);
  ::_exit(status);
}

int run_helper(const std::vector<std::string>& prefix, const std::string& name,
               std::string* output) {
  std::vector<std::string> words = prefix;
  words.push_back(std::filesystem::absolute(testing::internal::GetArgvs()[0]));
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv(kHelperVariable, name.c_str(), 1);
    ::dup2(ends[1], 1);
    ::dup2(ends[1], 2);
    ::close(ends[0]);
    ::close(ends[1]);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  UniqueFd read_end(ends[0]);
  const std::string text = read_all(read_end.get());
  if (output) *output = text;
  return wait_for(child);
}

TemporaryDirectory::TemporaryDirectory() {
  path_ = std::filesystem::temp_directory_path() / "kite-test-XXXXXX";
  if (!::mkdtemp(path_.data())) ADD_FAILURE() << "cannot make a directory like " << path_;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code problem;
  std::filesystem::remove_all(path_, problem);
}

std::vector<std::string> TemporaryDirectory::entries() const {
  return names_in(path_);
}

}  // namespace kite::test
