// What is in the code memory once: the way in, the slow way, and the vector registers' ways between
// the host's and Cpu.
#include "accel/tcg/translator/translator.h"

namespace kite::tcg {

namespace {

constexpr Host kSaved[] = {Host::kRbx, Host::kRbp, Host::kR12, Host::kR13, Host::kR14, Host::kR15};

HostOperand guest_place(unsigned guest) {
  return {kScratch, Host::kRsp, 0, static_cast<i32>(8 * guest)};
}

// Of Frame, from inside a subroutine.
HostOperand behind_return_address(HostOperand place) {
  place.displacement += 8;
  return place;
}

template <class Function>
void call(Emitter& code, Function* function) {
  code.mov64(Host::kRax, reinterpret_cast<u64>(function));
  code.call(Host::kRax);
}

// What `emit` writes is executed if the frame's word `absent` is 0. Uses kScratch.
template <class Emit>
void unless(Emitter& code, const HostOperand& absent, Emit emit) {
  code.mov32(kScratch, absent);
  u8* present = code.jrcxz();
  code.byte(0xeb);  // JMP over it
  u8* over = code.at();
  code.byte(0);
  Emitter::bind8(present, code.at());
  emit();
  Emitter::bind8(over, code.at());
}

void if_vectors_present(Emitter& code, const u8* target) {
  unless(code, KITE_FRAME(vectors_absent), [&] { code.call(target); });
}

// Of Cpu::fpu, at kAddress.
HostOperand fpu_mxcsr() {
  return {kAddress, Host::kRsp, 0, static_cast<i32>(offsetof(FpuState, mxcsr))};
}
HostOperand vector_place(unsigned n, unsigned byte = 0) {
  return {kAddress, Host::kRsp, 0, static_cast<i32>(offsetof(FpuState, zmm) + 64 * n + byte)};
}

struct VectorOp {
  u8 prefix, opcode;  // VEX.pp
};
constexpr VectorOp kLoad{2, 0x6f}, kStore{2, 0x7f}, kOr{1, 0xeb};  // VMOVDQU, VPOR

// Of XMMn (YMMn: `wide`) with memory at kAddress. VEX.vvvv is XMM0, or none: both are 1111b.
void vector_op(Emitter& code, VectorOp op, unsigned n, const HostOperand& place,
               bool wide = false) {
  code.byte(0xc4);
  code.byte((n < 8 ? 0x80u : 0u) | 0x40u | 1u);
  code.byte(0x78u | (wide ? 4u : 0u) | op.prefix);
  code.byte(op.opcode);
  code.modrm(n, place);
}

void mxcsr_op(Emitter& code, unsigned digit, const HostOperand& place) {
  code.rex(false, 0, 0, number(place.base));
  code.byte(0x0f);
  code.byte(0xae);
  code.modrm(digit, place);
}

// FNSAVE, which leaves the x87 unit as C++ wants it; or FRSTOR.
void if_x87_present(Emitter& code, bool save) {
  unless(code, KITE_FRAME(x87_absent),
         [&] { code.op(false, 0xdd, save ? 6 : 4, KITE_FRAME(x87_image)); });
}

}  // namespace

void Translator::write_save_vectors(Emitter& code) {
  code.mov(kAddress, behind_return_address(KITE_FRAME(fpu)));
  for (unsigned n = 0; n < 16; ++n) vector_op(code, kStore, n, vector_place(n), true);
  mxcsr_op(code, 3, fpu_mxcsr());                               // STMXCSR
  mxcsr_op(code, 2, behind_return_address(KITE_FRAME(mxcsr)));  // LDMXCSR
  code.byte(0xc5), code.byte(0xf8), code.byte(0x77);            // VZEROUPPER
  code.byte(0xc3);
}

// Intel's processors take a hundred nanoseconds from an SSE instruction to one of AVX and back once
// an upper half was written, even with zeroes: it is to be in use only where it is the guest's
// doing.
void Translator::write_load_vectors(Emitter& code) {
  const u8* const load_all = code.at();
  for (unsigned n = 0; n < 16; ++n) vector_op(code, kLoad, n, vector_place(n), true);
  code.byte(0xc3);

  common_.load_vectors = code.at();
  code.mov(kAddress, behind_return_address(KITE_FRAME(fpu)));
  vector_op(code, kLoad, 0, vector_place(0, 16));
  for (unsigned n = 1; n < 16; ++n) vector_op(code, kOr, 0, vector_place(n, 16));
  code.byte(0xc5), code.byte(0xf1), code.byte(0x73), code.byte(0xd8), code.byte(8);  // VPSRLDQ
  code.byte(0xc5), code.byte(0xf1), code.byte(0xeb), code.byte(0xc0);  // VPOR XMM0, XMM1, XMM0
  code.byte(0xc4), code.byte(0xe1), code.byte(0xf9), code.byte(0x7e), code.byte(0xc1);  // VMOVQ RCX
  for (unsigned n = 0; n < 16; ++n) vector_op(code, kLoad, n, vector_place(n));
  u8* const upper_halves_are_zero = code.jrcxz();
  code.call(load_all);
  Emitter::bind8(upper_halves_are_zero, code.at());
  mxcsr_op(code, 2, fpu_mxcsr());
  code.mov32(behind_return_address(KITE_FRAME(vectors_absent)), 0);
  code.byte(0xc3);
}

void Translator::write_save(Emitter& code) {
  code.mov(kScratch, KITE_FRAME(gpr));
  for (unsigned guest = 0; guest < 16; ++guest)
    if (!is_spilled(guest)) code.mov(guest_place(guest), kHostOf[guest]);
  code.flags_to_ax();
  code.byte(0x66);
  code.mov32(KITE_FRAME(flags), Host::kRax);
}

void Translator::write_load(Emitter& code) {
  code.mov(kReadTable, KITE_FRAME(read_table));
  code.mov32(Host::kRax, KITE_FRAME(flags));
  code.ax_to_flags();
  code.mov(kScratch, KITE_FRAME(gpr));
  for (unsigned guest = 0; guest < 16; ++guest)
    if (!is_spilled(guest)) code.mov(kHostOf[guest], guest_place(guest));
}

// A poll of find_indirect() has found 0, or there is no entry: counts, and looks up again.
void Translator::write_retry(Emitter& code) {
  count_down(code, behind_return_address(KITE_FRAME(polls)));
  u8* ends = code.jrcxz();
  code.mov(kAddress, behind_return_address(KITE_FRAME(target)));
  code.mov(kScratch, behind_return_address(KITE_FRAME(context)));
  look_up_jump(code, behind_return_address(KITE_FRAME(jumps)));
  code.byte(0xc3);
  Emitter::bind8(ends, code.at());
  code.mov32(kScratch, 1);  // not found
  code.byte(0xc3);
}

void Translator::write_common_code() {
  Emitter code(memory_.writable());
  const u8* const save_vectors = code.at();
  write_save_vectors(code);
  write_load_vectors(code);

  common_.retry = code.at();
  write_retry(code);

  common_.slow = code.at();
  write_save(code);
  if_vectors_present(code, save_vectors);
  if_x87_present(code, true);
  code.mov(Host::kRdi, KITE_FRAME(self));
  code.mov(Host::kRsi, kFrame);
  code.mov32(Host::kRdx, kValue);
  call(code, &Translator::slow);

  const u8* const resume = code.at();  // at RAX, or back to run() if that is null
  code.mov(kScratch, Host::kRax);
  u8* ends = code.jrcxz();
  code.byte(0xeb);  // JMP over the end
  u8* goes_on = code.at();
  code.byte(0);
  Emitter::bind8(ends, code.at());
  code.op(true, 0x81, 0, kFrame);  // ADD RSP
  code.put(static_cast<i32>(sizeof(Frame)));
  for (unsigned i = std::size(kSaved); i-- > 0;) code.pop(kSaved[i]);
  code.byte(0xc3);
  Emitter::bind8(goes_on, code.at());
  code.mov(KITE_FRAME(target), Host::kRax);
  if_vectors_present(code, common_.load_vectors);
  if_x87_present(code, false);
  write_load(code);
  code.mov(kScratch, KITE_FRAME(scratch));
  code.jmp(KITE_FRAME(target));

  common_.exit = code.at();
  code.pop(kAddress);
  code.mov32(kValue, HostOperand{kAddress});
  code.jmp(common_.slow);

  common_.stop = code.at();
  code.mov(KITE_FRAME(target), kValue);
  code.mov32(kValue, 0);
  code.jmp(common_.slow);

  common_.faulted = code.at();  // from the handler of signals
  code.mov(kScratch, KITE_FRAME(faulted));
  code.mov32(kValue, HostOperand{kScratch});
  code.jmp(common_.slow);

  const u8* const enter = code.at();
  for (Host reg : kSaved) code.push(reg);
  code.op(true, 0x81, 5, kFrame);  // SUB RSP
  code.put(static_cast<i32>(sizeof(Frame)));
  code.mov(Host::kRdx, Host::kRsi);
  code.mov(Host::kRsi, kFrame);
  call(code, &Translator::begin);
  code.jmp(resume);
  enter_ = reinterpret_cast<Enter>(const_cast<u8*>(executable(enter)));
  first_ = used_ = static_cast<std::size_t>(code.at() - memory_.writable());
}

}  // namespace kite::tcg
