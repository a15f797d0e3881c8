#include "tests/isa/translator/call_maker.h"

#include <algorithm>

#include "accel/x86/registers.h"

namespace kite::oracle {
namespace {

constexpr u64 kRoom = 192;  // of a function
constexpr u64 kFunctions = 24;

}  // namespace

void CallMaker::put32(u64 value) {
  for (unsigned i = 0; i < 4; ++i) code_.push_back(static_cast<u8>(value >> (8 * i)));
}

// CALL or JMP rel32.
void CallMaker::jump(u8 opcode, u64 target) {
  put({opcode});
  put32(target - (here() + 4));
}

void CallMaker::begin(Pool& pool, Random& random) {
  random_ = &random;
  functions_.clear();
  while (functions_.size() < kFunctions) {
    const u64 at = kCodeBase + below(kCodeSize / kRoom) * kRoom;
    if (std::ranges::find(functions_, at) == functions_.end()) functions_.push_back(at);
  }
  std::ranges::sort(functions_);
  code_.clear();
  for (u64 at : functions_) {
    code_.resize(at - kCodeBase, 0xcc);
    function();
  }
  for (u64 at = 0; at < kPageSize; at += word())
    code64_ ? store<u64>(&pool.page[at], any_function())
            : store<u32>(&pool.page[at], static_cast<u32>(any_function()));
}

Program CallMaker::make(u64 slot, Random& random) {
  random_ = &random;
  Program program;
  if (slot == 0) program.code = code_;
  program.code_at = program.first = kCodeBase;
  program.size = kCodeSize;
  Case& start = program.start;
  start.rip = any_function();
  start.gpr[kRax] = static_cast<u32>(random());
  start.gpr[kRbx] = kReadOnlyBase;  // functions that nobody overwrites
  start.gpr[kRcx] = start.gpr[kRdx] = start.gpr[kR10] = any_function();
  start.gpr[kRbp] = 1 + below(400);
  start.gpr[kRdi] = below(120);
  start.gpr[kRsp] = kDataBase + 0x1000 + word() * below(256);
  start.gpr[kRsi] = kLastBase + 0x800 + word() * below(128);  // another stack
  return program;
}

// ADD EAX, number; DEC EBP; JNZ; JMP away; ADD EAX, number; ROL EAX, 1; ADD EAX, [RSP].
void CallMaker::function() {
  put({0x05});
  put32((*random_)());
  put({0xff, 0xcd, 0x75, 0x05});
  jump(0xe9, kWayBack);
  put({0x05});
  put32((*random_)());
  put({0xd1, 0xc0, 0x03, 0x04, 0x24});
  for (u64 actions = below(6); actions > 0; --actions) {
    const bool may_skip = below(3) == 0;
    const std::size_t at = code_.size();
    if (may_skip) put({0x3c, static_cast<u8>((*random_)()), 0x72, 0});  // CMP AL, n; JB
    action();
    if (may_skip) code_[at + 3] = static_cast<u8>(code_.size() - at - 4);
  }
  end();
}

void CallMaker::action() {
  switch (below(8)) {
    case 0:
      return on_the_stack();
    case 1:
      return repeat();
    case 2:
      return below(4) ? call() : change_a_function();
    case 3:
      return loop();
    default:
      return call();
  }
}

// A function's address into EDX or R10.
void CallMaker::load_target(bool spilled) {
  spilled ? put({0x41, 0xba}) : put({0xba});
  put32(any_function());
}

// FF /digit [RBX + n]
void CallMaker::through_table(u8 modrm) {
  put({0xff, modrm});
  put32(word() * below(kPageSize / word()));
}

void CallMaker::call() {
  const bool spilled = code64_ && below(2);
  switch (below(8)) {
    case 0:
      return through_table(0x93);
    case 1:
      load_target(spilled);
      return spilled ? put({0x41, 0xff, 0xd2}) : put({0xff, 0xd2});
    case 2:
      return put({0xe8, 0, 0, 0, 0, 0x59});  // CALL $ + 5; POP RCX
    default:
      return jump(0xe8, any_function());
  }
}

void CallMaker::on_the_stack() {
  switch (below(4)) {
    case 0:  // XCHG RSP, RSI
      put_wide();
      return put({0x87, 0xf4});
    case 1:  // MOV [RSP], function
      put_wide();
      put({0xc7, 0x04, 0x24});
      return put32(any_function());
    case 2:  // MOV EDI, n: how deep repeat() goes
      put({0xbf});
      return put32(below(100));
    default:  // PUSH RDX; CALL; POP RCX
      put({0x52});
      jump(0xe8, any_function());
      return put({0x59});
  }
}

// Itself, until EDI is negative: DEC EDI; JS over it; CALL here.
void CallMaker::repeat() {
  const u64 again = here();
  put({0xff, 0xcf, 0x78, 0x05});
  jump(0xe8, again);
}

// MOV ECX, n; back: ADD EAX, [RSP + d]; DEC ECX; JNZ back. Now and then for longer than translated
// code runs without a look around.
void CallMaker::loop() {
  put({0xb9});
  put32(1 + below(below(64) ? 16 : 3000));
  put({0x03, 0x44, 0x24, static_cast<u8>(word() * below(8)), 0xff, 0xc9, 0x75, 0xf8});
}

// ADD byte [one of its numbers], n: the first is where others come to by any way, the second only
// by a branch in the page.
void CallMaker::change_a_function() {
  constexpr u64 kFirstNumber = 1, kSecondNumber = 15;
  code64_ ? put({0x80, 0x04, 0x25}) : put({0x80, 0x05});
  put32(any_function() + (below(2) ? kFirstNumber : kSecondNumber));
  put({static_cast<u8>((*random_)())});
}

void CallMaker::end() {
  const bool spilled = code64_ && below(2);
  switch (below(16)) {
    case 0:
      put({0xc2, static_cast<u8>(word() * below(3)), 0});
      break;
    case 1:
      put({0x59, 0xff, 0xe1});  // POP RCX; JMP RCX
      break;
    case 2:  // ADD RSP, a word; RET
      put_wide();
      put({0x83, 0xc4, static_cast<u8>(word()), 0xc3});
      break;
    case 3:
      jump(0xe9, any_function());
      break;
    case 4:
      load_target(spilled);
      spilled ? put({0x41, 0xff, 0xe2}) : put({0xff, 0xe2});
      break;
    case 5:
      through_table(0xa3);
      break;
    case 6:  // PUSH function; RET
      put({0x68});
      put32(any_function());
      put({0xc3});
      break;
    case 7:  // PUSH RCX; PUSH RDX; CALL; POP RDX; POP RCX; RET
      put({0x51, 0x52});
      jump(0xe8, any_function());
      put({0x5a, 0x59});
      [[fallthrough]];
    default:
      put({0xc3});
  }
}

}  // namespace kite::oracle
