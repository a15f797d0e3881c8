#include "devices/host/socket_char_backend.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"

namespace kite {

namespace {

std::string describe(const CharConfig& config) {
  if (config.kind == CharConfig::Kind::kUnix)
    return fmt::format("{} unix:{}", config.user, config.path);
  return fmt::format("{} tcp:{}:{}", config.user, config.host, config.port);
}

UniqueFd make_socket(int family, int type, int protocol) {
  UniqueFd fd(::socket(family, type, protocol));
  if (fd.valid()) ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  return fd;
}

// A socket file without a listener is what a killed program leaves behind.
bool is_stale(const sockaddr_un& address) {
  struct stat status;
  if (::lstat(address.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const UniqueFd probe = make_socket(AF_UNIX, SOCK_STREAM, 0);
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
         errno == ECONNREFUSED;
}

Result<UniqueFd> open_unix(const CharConfig& config, const std::string& description) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (config.path.size() >= sizeof address.sun_path)
    return fail(ErrorKind::kUsage, "{}: the path is longer than the {} bytes a socket can have",
                description, sizeof address.sun_path - 1);
  config.path.copy(address.sun_path, config.path.size());
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  UniqueFd fd = make_socket(AF_UNIX, SOCK_STREAM, 0);
  if (!fd.valid()) return fail_errno(ErrorKind::kIo, errno, description);
  if (!config.server) {
    if (::connect(fd.get(), generic, sizeof address) != 0)
      return fail_errno(ErrorKind::kIo, errno, description + ": cannot connect");
    return fd;
  }
  if (is_stale(address)) ::unlink(address.sun_path);
  if (::bind(fd.get(), generic, sizeof address) != 0 || ::listen(fd.get(), 1) != 0)
    return fail_errno(ErrorKind::kIo, errno, description + ": cannot listen");
  return fd;
}

// The first of the name's addresses that works.
Result<UniqueFd> open_tcp(const CharConfig& config, const std::string& description) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(config.port);
  if (int code = ::getaddrinfo(config.host.c_str(), port.c_str(), &hints, &found))
    return fail(ErrorKind::kIo, "{}: {}", description, ::gai_strerror(code));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, ::freeaddrinfo);
  int error = 0;
  for (const addrinfo* at = found; at; at = at->ai_next) {
    UniqueFd fd = make_socket(at->ai_family, at->ai_socktype, at->ai_protocol);
    const int on = 1;
    if (config.server) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const bool done = config.server ? ::bind(fd.get(), at->ai_addr, at->ai_addrlen) == 0 &&
                                          ::listen(fd.get(), 1) == 0
                                    : ::connect(fd.get(), at->ai_addr, at->ai_addrlen) == 0;
    if (done) return fd;
    error = errno;
  }
  return fail_errno(ErrorKind::kIo, error,
                    description + (config.server ? ": cannot listen" : ": cannot connect"));
}

Result<> wait_for_client(int listener, const std::string& description) {
  log::info("{}: waiting for a client", description);
  pollfd descriptor{listener, POLLIN, 0};
  if (::poll(&descriptor, 1, -1) < 0)
    return fail_errno(ErrorKind::kIo, errno, description + ": waiting for a client");
  return {};
}

}  // namespace

Result<std::unique_ptr<CharBackend>> SocketCharBackend::create(const CharConfig& config,
                                                               EventLoop& loop) {
  const std::string description = describe(config);
  const bool is_unix = config.kind == CharConfig::Kind::kUnix;
  UniqueFd fd = KITE_TRY(is_unix ? open_unix(config, description) : open_tcp(config, description));
  UniqueFd listener;
  if (config.server) listener = std::move(fd);
  std::unique_ptr<SocketCharBackend> backend(new SocketCharBackend(
      loop, description, std::move(listener), is_unix && config.server ? config.path : ""));
  if (!config.server) {
    backend->own(std::move(fd), true);
  } else {
    if (config.wait) KITE_CHECK(wait_for_client(backend->listener_.get(), description));
    config.wait ? backend->accept_client() : backend->listen_for_client();
  }
  return backend;
}

SocketCharBackend::SocketCharBackend(EventLoop& loop, std::string description, UniqueFd listener,
                                     const std::string& unlink_path)
    : FdCharBackend(loop, std::move(description), {}),
      listener_(std::move(listener)),
      unlink_name_(unlink_path, FixedName::Use::kRemove) {}

SocketCharBackend::~SocketCharBackend() {
  if (listener_.valid()) loop().unwatch(listener_.get());
  if (!unlink_name_.empty()) ::unlink(unlink_name_.c_str());
}

void SocketCharBackend::listen_for_client() {
  loop().watch(listener_.get(), POLLIN, [this](short) { accept_client(); });
}

void SocketCharBackend::accept_client() {
  UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
  if (!client.valid()) return listen_for_client();
  ::fcntl(client.get(), F_SETFD, FD_CLOEXEC);
  loop().unwatch(listener_.get());
  own(std::move(client), true);
  announce_connection();
}

void SocketCharBackend::hang_up() {
  detach();
  if (listener_.valid()) {
    listen_for_client();
  } else {
    log::info("{}: the far end has closed", description());
  }
}

}  // namespace kite
