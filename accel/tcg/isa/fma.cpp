// FMA: a product and a sum, rounded once.
#include "accel/tcg/isa/simd_float.h"
#include "accel/tcg/isa/vex_operands.h"

namespace kite::tcg {
namespace {

constexpr Feature kFma = Feature::kFma;

// Which operands are multiplied: the first digits of the name, the last one is added (SDM 2C).
enum Order : u8 { k132, k213, k231 };
constexpr u8 kAdd = fpu::kNegateNothing, kSub = fpu::kNegateAddend,
             kNegativeAdd = fpu::kNegateProduct, kNegativeSub = kNegativeAdd | kSub;

template <Order kOrder, class B, class T, class... Negate>
T fuse(SimdFloat& f, const T& first, const T& second, const T& third, Negate... negate) {
  if constexpr (kOrder == k132) return f.multiply_add<B>(first, third, second, negate...);
  if constexpr (kOrder == k213) return f.multiply_add<B>(second, first, third, negate...);
  if constexpr (kOrder == k231) return f.multiply_add<B>(second, third, first, negate...);
}

template <class B, Order kOrder, u8 kEven, u8 kOdd = kEven>
constexpr auto fused = [](Cpu& cpu, auto& first, const auto& second, const auto& third) {
  return simd_float(
      cpu, [&](SimdFloat& f) { first = fuse<kOrder, B>(f, first, second, third, kEven, kOdd); });
};
template <class B, Order kOrder, u8 kNegate>
constexpr auto fused_scalar = [](Cpu& cpu, Vec128& first, B second, B third) {
  return simd_float(cpu, [&](SimdFloat& f) {
    first.set_lane<B>(0, fuse<kOrder, B>(f, first.lane<B>(0), second, third, kNegate));
  });
};

constexpr Row kRows[] = {
    row("VEX.66.0F38.W0 96 /r", "vfmaddsub132ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k132, kSub, kAdd>),
    row("VEX.66.0F38.W1 96 /r", "vfmaddsub132pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k132, kSub, kAdd>),
    row("VEX.66.0F38.W0 97 /r", "vfmsubadd132ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k132, kAdd, kSub>),
    row("VEX.66.0F38.W1 97 /r", "vfmsubadd132pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k132, kAdd, kSub>),
    row("VEX.66.0F38.W0 98 /r", "vfmadd132ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k132, kAdd>),
    row("VEX.66.0F38.W1 98 /r", "vfmadd132pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k132, kAdd>),
    row("VEX.LIG.66.0F38.W0 99 /r", "vfmadd132ss", rw(Vdq), r(Hd), r(Wd), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u32, k132, kAdd>),
    row("VEX.LIG.66.0F38.W1 99 /r", "vfmadd132sd", rw(Vdq), r(Hq), r(Wq), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u64, k132, kAdd>),
    row("VEX.66.0F38.W0 9A /r", "vfmsub132ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k132, kSub>),
    row("VEX.66.0F38.W1 9A /r", "vfmsub132pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k132, kSub>),
    row("VEX.LIG.66.0F38.W0 9B /r", "vfmsub132ss", rw(Vdq), r(Hd), r(Wd), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u32, k132, kSub>),
    row("VEX.LIG.66.0F38.W1 9B /r", "vfmsub132sd", rw(Vdq), r(Hq), r(Wq), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u64, k132, kSub>),
    row("VEX.66.0F38.W0 9C /r", "vfnmadd132ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k132, kNegativeAdd>),
    row("VEX.66.0F38.W1 9C /r", "vfnmadd132pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k132, kNegativeAdd>),
    row("VEX.LIG.66.0F38.W0 9D /r", "vfnmadd132ss", rw(Vdq), r(Hd), r(Wd), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u32, k132, kNegativeAdd>),
    row("VEX.LIG.66.0F38.W1 9D /r", "vfnmadd132sd", rw(Vdq), r(Hq), r(Wq), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u64, k132, kNegativeAdd>),
    row("VEX.66.0F38.W0 9E /r", "vfnmsub132ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k132, kNegativeSub>),
    row("VEX.66.0F38.W1 9E /r", "vfnmsub132pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k132, kNegativeSub>),
    row("VEX.LIG.66.0F38.W0 9F /r", "vfnmsub132ss", rw(Vdq), r(Hd), r(Wd), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u32, k132, kNegativeSub>),
    row("VEX.LIG.66.0F38.W1 9F /r", "vfnmsub132sd", rw(Vdq), r(Hq), r(Wq), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u64, k132, kNegativeSub>),

    row("VEX.66.0F38.W0 A6 /r", "vfmaddsub213ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k213, kSub, kAdd>),
    row("VEX.66.0F38.W1 A6 /r", "vfmaddsub213pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k213, kSub, kAdd>),
    row("VEX.66.0F38.W0 A7 /r", "vfmsubadd213ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k213, kAdd, kSub>),
    row("VEX.66.0F38.W1 A7 /r", "vfmsubadd213pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k213, kAdd, kSub>),
    row("VEX.66.0F38.W0 A8 /r", "vfmadd213ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k213, kAdd>),
    row("VEX.66.0F38.W1 A8 /r", "vfmadd213pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k213, kAdd>),
    row("VEX.LIG.66.0F38.W0 A9 /r", "vfmadd213ss", rw(Vdq), r(Hd), r(Wd), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u32, k213, kAdd>),
    row("VEX.LIG.66.0F38.W1 A9 /r", "vfmadd213sd", rw(Vdq), r(Hq), r(Wq), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u64, k213, kAdd>),
    row("VEX.66.0F38.W0 AA /r", "vfmsub213ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k213, kSub>),
    row("VEX.66.0F38.W1 AA /r", "vfmsub213pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k213, kSub>),
    row("VEX.LIG.66.0F38.W0 AB /r", "vfmsub213ss", rw(Vdq), r(Hd), r(Wd), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u32, k213, kSub>),
    row("VEX.LIG.66.0F38.W1 AB /r", "vfmsub213sd", rw(Vdq), r(Hq), r(Wq), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u64, k213, kSub>),
    row("VEX.66.0F38.W0 AC /r", "vfnmadd213ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k213, kNegativeAdd>),
    row("VEX.66.0F38.W1 AC /r", "vfnmadd213pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k213, kNegativeAdd>),
    row("VEX.LIG.66.0F38.W0 AD /r", "vfnmadd213ss", rw(Vdq), r(Hd), r(Wd), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u32, k213, kNegativeAdd>),
    row("VEX.LIG.66.0F38.W1 AD /r", "vfnmadd213sd", rw(Vdq), r(Hq), r(Wq), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u64, k213, kNegativeAdd>),
    row("VEX.66.0F38.W0 AE /r", "vfnmsub213ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k213, kNegativeSub>),
    row("VEX.66.0F38.W1 AE /r", "vfnmsub213pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k213, kNegativeSub>),
    row("VEX.LIG.66.0F38.W0 AF /r", "vfnmsub213ss", rw(Vdq), r(Hd), r(Wd), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u32, k213, kNegativeSub>),
    row("VEX.LIG.66.0F38.W1 AF /r", "vfnmsub213sd", rw(Vdq), r(Hq), r(Wq), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u64, k213, kNegativeSub>),

    row("VEX.66.0F38.W0 B6 /r", "vfmaddsub231ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k231, kSub, kAdd>),
    row("VEX.66.0F38.W1 B6 /r", "vfmaddsub231pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k231, kSub, kAdd>),
    row("VEX.66.0F38.W0 B7 /r", "vfmsubadd231ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k231, kAdd, kSub>),
    row("VEX.66.0F38.W1 B7 /r", "vfmsubadd231pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k231, kAdd, kSub>),
    row("VEX.66.0F38.W0 B8 /r", "vfmadd231ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k231, kAdd>),
    row("VEX.66.0F38.W1 B8 /r", "vfmadd231pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k231, kAdd>),
    row("VEX.LIG.66.0F38.W0 B9 /r", "vfmadd231ss", rw(Vdq), r(Hd), r(Wd), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u32, k231, kAdd>),
    row("VEX.LIG.66.0F38.W1 B9 /r", "vfmadd231sd", rw(Vdq), r(Hq), r(Wq), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u64, k231, kAdd>),
    row("VEX.66.0F38.W0 BA /r", "vfmsub231ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k231, kSub>),
    row("VEX.66.0F38.W1 BA /r", "vfmsub231pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k231, kSub>),
    row("VEX.LIG.66.0F38.W0 BB /r", "vfmsub231ss", rw(Vdq), r(Hd), r(Wd), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u32, k231, kSub>),
    row("VEX.LIG.66.0F38.W1 BB /r", "vfmsub231sd", rw(Vdq), r(Hq), r(Wq), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u64, k231, kSub>),
    row("VEX.66.0F38.W0 BC /r", "vfnmadd231ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k231, kNegativeAdd>),
    row("VEX.66.0F38.W1 BC /r", "vfnmadd231pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k231, kNegativeAdd>),
    row("VEX.LIG.66.0F38.W0 BD /r", "vfnmadd231ss", rw(Vdq), r(Hd), r(Wd), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u32, k231, kNegativeAdd>),
    row("VEX.LIG.66.0F38.W1 BD /r", "vfnmadd231sd", rw(Vdq), r(Hq), r(Wq), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u64, k231, kNegativeAdd>),
    row("VEX.66.0F38.W0 BE /r", "vfnmsub231ps", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u32, k231, kNegativeSub>),
    row("VEX.66.0F38.W1 BE /r", "vfnmsub231pd", rw(Vx), r(Hx), r(Wx), kNoFlags, avx, kFma, mxcsr,
        fused<u64, k231, kNegativeSub>),
    row("VEX.LIG.66.0F38.W0 BF /r", "vfnmsub231ss", rw(Vdq), r(Hd), r(Wd), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u32, k231, kNegativeSub>),
    row("VEX.LIG.66.0F38.W1 BF /r", "vfnmsub231sd", rw(Vdq), r(Hq), r(Wq), kNoFlags, avx, kFma,
        mxcsr, fused_scalar<u64, k231, kNegativeSub>),
};

}  // namespace

std::span<const Row> fma_rows() {
  return kRows;
}

}  // namespace kite::tcg
