#include <cstdlib>

#include "machine/monitor.h"

namespace {

// A machine with one vCPU that takes everything.
class Target : public kite::MonitorTarget {
 public:
  Status status() override { return status_; }
  std::vector<VcpuStatus> vcpus() override { return {VcpuStatus{}}; }
  void stop_vcpus() override { status_.stopped = true; }
  void continue_vcpus() override { status_.stopped = false; }
  void reset_machine() override { ++status_.resets; }
  bool wake_machine() override { return !status_.stopped; }
  void quit() override {}
  kite::Result<> move_to(std::string_view name) override {
    status_.accelerator = name;
    return {};
  }

 private:
  Status status_;
};

bool is_text(char letter) {
  return letter == '\n' || letter == '\b' || (letter >= 0x20 && letter < 0x7f);
}

constexpr std::string_view kPieces[] = {"help",     "status", "accel ",   "cpus",    "registers ",
                                        "stop",     "cont",   "reset",    "quit",    "wake",
                                        "tcg",      "kvm",    "0\n",      "\r\n",    "\n",
                                        "\x7f\x15", " ",      "\xff\xfb", "\xe2\x82"};

}  // namespace

// Bytes below the number of pieces stand for one, so that commands come up.
extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  if (size == 0) return 0;
  Target target;
  std::size_t written = 0;
  const auto output = [&](std::string_view text) {
    for (char letter : text)
      if (!is_text(letter)) std::abort();
    written += text.size();
  };
  kite::Monitor monitor(target, output,
                        data[0] & 1 ? kite::Monitor::Echo::kOn : kite::Monitor::Echo::kOff);
  std::size_t typed = 0;
  for (std::size_t i = 1; i < size; ++i) {
    const bool is_piece = data[i] % 64 < std::size(kPieces);
    const std::string_view text =
        is_piece ? kPieces[data[i] % 64]
                 : std::string_view(reinterpret_cast<const char*>(data + i), 1);
    monitor.type({reinterpret_cast<const kite::u8*>(text.data()), text.size()});
    typed += text.size();
  }
  if (written > 4096 + typed * 2048) std::abort();
  return 0;
}
