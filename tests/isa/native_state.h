// One instruction run on the host itself (x86-64 hosts), from a given register state to the next.
#pragma once

#if defined(__x86_64__)

#include <sys/mman.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "base/bits.h"

namespace kite::test {

// What the trampoline loads before the instruction and stores after it.
struct alignas(64) NativeState {
  std::array<u8, 512> fxsave{};  // the three together: the XSAVE area of x87, SSE and AVX state
  std::array<u64, 8> xsave_header{};
  std::array<std::array<u8, 16>, 16> ymm_high{};
  std::array<u64, 8> gpr{};  // by register number; RSP is not loaded
  u64 rflags = 2;
  u32 host_mxcsr = 0x1f80;
  u32 unused = 0;
};

static_assert(offsetof(NativeState, ymm_high) == 576);

class NativeInstruction {
 public:
  // `ymm`: the host has AVX, and its upper halves are loaded and stored too.
  explicit NativeInstruction(bool ymm = false) : ymm_(ymm) {
    void* page =
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page_ = page == MAP_FAILED ? nullptr : static_cast<u8*>(page);
  }
  ~NativeInstruction() {
    if (page_) munmap(page_, 4096);
  }
  NativeInstruction(const NativeInstruction&) = delete;

  bool available() const { return page_ != nullptr; }  // some hosts forbid writable code

  void run(std::span<const u8> instruction, NativeState& state) {
    std::vector<u8> code = {0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41,
                            0x56, 0x41, 0x57, 0x49, 0x89, 0xff};  // mov r15, rdi
    state.xsave_header = {7};
    if (ymm_) code.insert(code.end(), std::begin(kAllState), std::end(kAllState));
    code.insert(code.end(), {0x49, 0x0f, 0xae, static_cast<u8>(ymm_ ? 0x2f : 0x0f)});
    append(code, {0x41, 0xff, 0xb7}, kFlags);  // push [rflags]
    code.push_back(0x9d);                      // popfq
    for (u8 reg : kRegisters) append(code, {0x49, 0x8b, modrm(reg)}, kGpr + 8u * reg);
    code.insert(code.end(), instruction.begin(), instruction.end());
    behind_ = page_ + code.size();
    for (u8 reg : kRegisters) append(code, {0x49, 0x89, modrm(reg)}, kGpr + 8u * reg);
    code.push_back(0x9c);                      // pushfq
    append(code, {0x41, 0x8f, 0x87}, kFlags);  // pop [rflags]
    if (ymm_) code.insert(code.end(), std::begin(kAllState), std::end(kAllState));
    code.insert(code.end(),
                {0x49, 0x0f, 0xae, static_cast<u8>(ymm_ ? 0x27 : 0x07), 0xdb, 0xe3});  // fninit
    append(code, {0x41, 0x0f, 0xae, 0x97}, kFlags + 8);                                // ldmxcsr
    code.insert(code.end(), {0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3});
    std::memcpy(page_, code.data(), code.size());
    reinterpret_cast<void (*)(NativeState*)>(page_)(&state);
  }

  // The address behind the instruction, where a signal handler may go on: the state is then that
  // of the fault.
  const u8* behind() const { return behind_; }

 private:
  static constexpr u8 kRegisters[] = {0, 1, 2, 3, 5, 6, 7};
  static constexpr u32 kGpr = offsetof(NativeState, gpr);
  static constexpr u32 kFlags = offsetof(NativeState, rflags);
  // mov eax, 7; xor edx, edx. XRSTOR64 and XSAVE64 of [r15] follow it, FXRSTOR64 and FXSAVE64 else.
  static constexpr u8 kAllState[] = {0xb8, 7, 0, 0, 0, 0x31, 0xd2};
  static u8 modrm(u8 reg) { return static_cast<u8>(0x87 | reg << 3); }  // [r15 + disp32]
  static void append(std::vector<u8>& code, std::initializer_list<u8> bytes, u32 displacement) {
    code.insert(code.end(), bytes);
    for (int i = 0; i < 4; ++i) code.push_back(static_cast<u8>(displacement >> (8 * i)));
  }

  u8* page_ = nullptr;
  const u8* behind_ = nullptr;
  bool ymm_ = false;
};

}  // namespace kite::test

#endif
