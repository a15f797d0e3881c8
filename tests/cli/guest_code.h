// Guests of a few bytes, as flat images entered in real mode at 0000:7C00.
#pragma once

#include <string>
#include <string_view>

namespace kite::guest {

inline std::string bytes(std::initializer_list<int> values) {
  std::string code;
  for (int value : values) code += static_cast<char>(value);
  return code;
}
inline std::string out_byte(int port, int value) {  // mov dx, port; mov al, value; out dx, al
  return bytes({0xba, port & 0xff, port >> 8, 0xb0, value, 0xee});
}
inline std::string print(std::string_view text) {
  std::string code;
  for (char letter : text) code += out_byte(0x3f8, static_cast<unsigned char>(letter));
  return code;
}
inline std::string spin() {
  return bytes({0xeb, 0xfe});  // jmp $
}
inline std::string halt_for_good() {
  return bytes({0xfa, 0xf4, 0xeb, 0xfd});  // cli; hlt; jmp back to it
}
inline std::string exit_port(int value) {
  return out_byte(0xf4, value) + halt_for_good();
}
inline std::string power_off() {  // PM1a control: SLP_TYP 5, SLP_EN
  return bytes({0xba, 0x04, 0x06, 0xb8, 0x00, 0x34, 0xef}) + halt_for_good();
}
inline std::string reset() {
  return out_byte(0xcf9, 0x06) + halt_for_good();
}
// Pushes an empty descriptor, mov bp, sp; lidt [bp]; protected mode; int3: nothing can be delivered
// any more. (In real mode some hosts' KVM ignores IDTR's limit.)
inline std::string triple_fault() {
  return bytes({0xbc, 0x00, 0x70, 0x6a, 0x00, 0x6a, 0x00, 0x6a, 0x00, 0x89, 0xe5}) +
         bytes({0x0f, 0x01, 0x5e, 0x00}) +                               // lidt [bp]
         bytes({0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0xcc});  // CR0.PE, int3
}
inline std::string pvpanic() {
  return out_byte(0x505, 1) + spin();
}
// Sends back what it receives, after "ready\n".
inline std::string echo() {
  return print("ready\n") +
         bytes({0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb,  // wait for LSR.DR
                0xba, 0xf8, 0x03, 0xec, 0xee, 0xeb, 0xf1});      // in, out, again
}
inline std::string print_for_ever() {
  return bytes({0xba, 0xf8, 0x03, 0xb0, 'x', 0xee, 0xeb, 0xfd});
}

}  // namespace kite::guest
