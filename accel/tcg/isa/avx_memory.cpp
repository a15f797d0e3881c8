// AVX and AVX2 accesses lane by lane: masked moves and gathers. A lane whose mask bit is clear is
// not accessed and cannot fault.
#include "accel/tcg/isa/packed_integer.h"
#include "accel/tcg/isa/vex_operands.h"

namespace kite::tcg {
namespace {

// The address size cuts the address of the operand, or of a gather's element; the lanes of a masked
// move lie behind it, even beyond 4 GiB.
bool lane_address(Cpu& cpu, const Insn& insn, u64 offset, unsigned size, Access access,
                  u64& linear) {
  if (insn.address_kind == AddressKind::kSimple) {
    linear = offset + cpu.segment_base[insn.segment];
    return true;
  }
  return cpu.linear_address_slow(insn.segment, offset, size, access, linear);
}

template <class T>
bool load_lane(Cpu& cpu, const Insn& insn, u64 offset, T& value) {
  u64 linear;
  return lane_address(cpu, insn, offset, sizeof(T), Access::kRead, linear) &&
         cpu.load_at<T>(linear, value, Cpu::is_stack(insn.segment));
}

template <class T, unsigned N>
bool is_set(const Vec<N>& mask, unsigned lane) {
  return mask.template lane<std::make_signed_t<T>>(lane) < 0;
}

template <class T>
constexpr auto masked_load =
    []<unsigned N>(Cpu& cpu, const Insn& insn, Vec<N>& dst, const Vec<N>& mask, u64 offset) {
      dst = {};
      for (unsigned i = 0; i < N / sizeof(T); ++i) {
        T value = 0;
        if (is_set<T>(mask, i) && !load_lane<T>(cpu, insn, offset + i * sizeof(T), value))
          return Flow::kFault;
        dst.template set_lane<T>(i, value);
      }
      return Flow::kNext;
    };

// Every lane is tried before the first is stored.
template <class T>
constexpr auto masked_store_lanes = []<unsigned N>(Cpu& cpu, const Insn& insn, u64 offset,
                                                   const Vec<N>& mask, const Vec<N>& src) {
  constexpr unsigned kLanes = N / sizeof(T);
  const bool stack = Cpu::is_stack(insn.segment);
  std::array<u64, kLanes> linear{};
  for (unsigned i = 0; i < kLanes; ++i) {
    if (!is_set<T>(mask, i)) continue;
    if (!lane_address(cpu, insn, offset + i * sizeof(T), sizeof(T), Access::kWrite, linear[i]) ||
        !cpu.probe_write(linear[i], sizeof(T), stack))
      return Flow::kFault;
  }
  for (unsigned i = 0; i < kLanes; ++i)
    if (is_set<T>(mask, i) && !cpu.store_at<T>(linear[i], src.template lane<T>(i), stack))
      return Flow::kFault;
  return Flow::kNext;
};

// All ones where a lane's sign is set, else zeros.
template <class T, unsigned N>
Vec<N> normalized(const Vec<N>& mask) {
  return vec::map<std::make_signed_t<T>>(mask, [](auto lane) { return lane < 0 ? -1 : 0; });
}

// What a faulting gather leaves of its registers, `any` if a lane has been gathered. An instruction
// of 128 bits clears upper halves; one of 256 bits that gathers into 128 leaves the destination's
// and normalizes the mask's. (As Intel's processors do; the manual is silent.)
template <class T, bool kNarrow, unsigned N>
void keep_partial(Cpu& cpu, const Insn& insn, const Vec<N>& dst, const Vec<N>& mask, bool any) {
  u8 *to = xmm_bytes(cpu, insn.reg), *mask_to = xmm_bytes(cpu, insn.vreg);
  store<Vec<N>>(to, dst);
  store<Vec<N>>(mask_to, mask);
  if constexpr (kNarrow) {
    store<Vec<N>>(mask_to + N, normalized<T>(load<Vec<N>>(mask_to + N)));
  } else {
    std::fill_n(mask_to + N, 64 - N, u8{0});
    if (any) std::fill_n(to + N, 64 - N, u8{0});
  }
}

// A fault leaves the lanes before it in the destination and their mask lanes clear, those behind it
// all ones or zeros, so that the instruction goes on where it stopped (SDM 2C "VPGATHERDD").
template <class Index, class T>
constexpr auto gather = []<unsigned N, unsigned M>(Cpu& cpu, const Insn& insn, Vec<N>& dst,
                                                   const Vec<M>& index, Vec<N>& mask) {
  constexpr unsigned kLanes = std::min<unsigned>(N / sizeof(T), M / sizeof(Index));
  const u64 base = cpu.effective_address(insn);
  mask = normalized<T>(mask);
  bool any = false;  // has a lane been gathered?
  for (unsigned i = 0; i < kLanes; ++i) {
    if (is_set<T>(mask, i)) {
      const u64 scaled = static_cast<u64>(i64{index.template lane<Index>(i)}) << insn.scale;
      const u64 offset = (base + scaled) & insn.address_mask();
      T value;
      if (!load_lane<T>(cpu, insn, offset, value)) {
        keep_partial<T, (M > N)>(cpu, insn, dst, mask, any);
        return Flow::kFault;
      }
      dst.template set_lane<T>(i, value);
      any = true;
    }
    mask.template set_lane<T>(i, 0);
  }
  for (unsigned i = kLanes; i < N / sizeof(T); ++i) dst.template set_lane<T>(i, 0);
  mask = {};
  return Flow::kNext;
};

constexpr Row kRows[] = {
    row("VEX.66.0F38.W0 2C /r", "vmaskmovps", w(Vx), r(Hx), r(M), kNoFlags, avx, masked_load<u32>),
    row("VEX.66.0F38.W0 2E /r", "vmaskmovps", r(M), r(Hx), r(Vx), kNoFlags, avx,
        masked_store_lanes<u32>),
    row("VEX.66.0F38.W0 2D /r", "vmaskmovpd", w(Vx), r(Hx), r(M), kNoFlags, avx, masked_load<u64>),
    row("VEX.66.0F38.W0 2F /r", "vmaskmovpd", r(M), r(Hx), r(Vx), kNoFlags, avx,
        masked_store_lanes<u64>),
    row("VEX.66.0F38.W0 8C /r", "vpmaskmovd", w(Vx), r(Hx), r(M), kNoFlags, avx, Feature::kAvx2,
        masked_load<u32>),
    row("VEX.66.0F38.W0 8E /r", "vpmaskmovd", r(M), r(Hx), r(Vx), kNoFlags, avx, Feature::kAvx2,
        masked_store_lanes<u32>),
    row("VEX.66.0F38.W1 8C /r", "vpmaskmovq", w(Vx), r(Hx), r(M), kNoFlags, avx, Feature::kAvx2,
        masked_load<u64>),
    row("VEX.66.0F38.W1 8E /r", "vpmaskmovq", r(M), r(Hx), r(Vx), kNoFlags, avx, Feature::kAvx2,
        masked_store_lanes<u64>),
    row("VEX.128.66.0F.WIG F7 /r", "vmaskmovdqu", r(Vdq), r(Udq), kNoFlags, avx, masked_store),

    row("VEX.66.0F38.W0 90 /r", "vpgatherdd", rw(Vx), r(Ix), rw(Hx), kNoFlags, avx, vsib,
        Feature::kAvx2, gather<i32, u32>),
    row("VEX.66.0F38.W1 90 /r", "vpgatherdq", rw(Vx), r(Idq), rw(Hx), kNoFlags, avx, vsib,
        Feature::kAvx2, gather<i32, u64>),
    row("VEX.66.0F38.W0 91 /r", "vpgatherqd", rw(Vdq), r(Ix), rw(Hdq), kNoFlags, avx, vsib,
        Feature::kAvx2, gather<i64, u32>),
    row("VEX.66.0F38.W1 91 /r", "vpgatherqq", rw(Vx), r(Ix), rw(Hx), kNoFlags, avx, vsib,
        Feature::kAvx2, gather<i64, u64>),
    row("VEX.66.0F38.W0 92 /r", "vgatherdps", rw(Vx), r(Ix), rw(Hx), kNoFlags, avx, vsib,
        Feature::kAvx2, gather<i32, u32>),
    row("VEX.66.0F38.W1 92 /r", "vgatherdpd", rw(Vx), r(Idq), rw(Hx), kNoFlags, avx, vsib,
        Feature::kAvx2, gather<i32, u64>),
    row("VEX.66.0F38.W0 93 /r", "vgatherqps", rw(Vdq), r(Ix), rw(Hdq), kNoFlags, avx, vsib,
        Feature::kAvx2, gather<i64, u32>),
    row("VEX.66.0F38.W1 93 /r", "vgatherqpd", rw(Vx), r(Ix), rw(Hx), kNoFlags, avx, vsib,
        Feature::kAvx2, gather<i64, u64>),
};

}  // namespace

std::span<const Row> avx_memory_rows() {
  return kRows;
}

}  // namespace kite::tcg
