// Random: a small generator whose numbers are the same on every host.
#pragma once

#include "base/types.h"

namespace kite::oracle {

constexpr u64 mix(u64 x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

class Random {
 public:
  explicit Random(u64 seed) : state_(seed) {}
  u64 operator()() { return mix(state_ += 0x9e3779b97f4a7c15); }
  u64 below(u64 limit) { return (*this)() % limit; }
  bool one_in(u64 n) { return below(n) == 0; }

 private:
  u64 state_;
};

}  // namespace kite::oracle
