#include "devices/serial/uart_16550.h"
#include "register_script.h"

namespace {

class Cable : public kite::CharBackend {
 public:
  void write(std::span<const kite::u8>) override {}
  void set_receiver(kite::CharReceiver* receiver) override { receiver_ = receiver; }
  void send(kite::u8 count, kite::u16 value) {
    const std::vector<kite::u8> bytes(std::min<std::size_t>(count, receiver_->room()),
                                      static_cast<kite::u8>(value));
    if (!bytes.empty()) receiver_->receive(bytes);
  }

 private:
  kite::CharReceiver* receiver_ = nullptr;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  kite::ManualClock clock;
  Cable cable, other_cable;
  kite::Uart16550 chip(kite::Line([](bool) {}), cable, clock),
      other(kite::Line(), other_cable, clock);
  kite::fuzz::run_script(data, size, chip, kite::Uart16550::kSize, clock,
                         [&](kite::u8 count, kite::u16 value) { cable.send(count, value); });
  kite::fuzz::move_state(chip, other, data, size);
  kite::fuzz::run_script(data, size, other, kite::Uart16550::kSize, clock);
  return 0;
}
