// One instruction in ring 3 of Kite's processor, from registers, image and memory that a test sets.
// Where there is a translator it must do the same as the instruction's handler.
#pragma once

#include <gtest/gtest.h>

#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "tests/isa/oracle/compare.h"
#include "tests/isa/oracle/translated.h"

namespace kite::oracle {

class OneCase : public ::testing::Test {
 protected:
  OneCase() {
    fill_pool(pool_, 1);
    Image& image = pool_.images[0];
    store<u16>(image.bytes.data(), 0x37f);
    store<u16>(image.bytes.data() + 2, 0);
    image.bytes[4] = 0xff;
    test_.rip = kCodeBase;
    test_.vectors = true;
  }

  Image& before() { return pool_.images[0]; }
  u64& gpr(unsigned i) { return test_.gpr[i]; }
  void set_st(unsigned i, u16 sign_exponent, u64 significand) {
    store<u64>(&before().bytes[Image::kSt + 16 * i], significand);
    store<u16>(&before().bytes[Image::kSt + 16 * i + 8], sign_exponent);
  }
  u16 fsw() const { return load<u16>(&after_.image.bytes[2]); }

  const Outcome& run(std::initializer_list<u8> bytes) {
    std::array<u8, 16> padded = {};
    std::copy(bytes.begin(), bytes.end(), padded.begin());
    tcg::Insn insn{};
    EXPECT_EQ(interpreter_.decoder().decode(padded, user_mode(), insn), tcg::DecodeStatus::kOk);
    test_.code = padded;
    test_.length = insn.length;
    interpreter_.begin(pool_, {&test_, 1});
    interpreter_.run(test_, insn, after_);
    if (translated_.unavailable().empty()) expect_same(insn);
    return after_;
  }

 private:
  void expect_same(const tcg::Insn& insn) {
    translated_.begin(pool_, {&test_, 1});
    for (bool cold : {true, false}) {
      Outcome handlers = after_, other;
      translated_.run(test_, cold, other);
      const Origin origin{tcg::Decoder::row_of(insn), insn};
      if (!origin.row) continue;
      EXPECT_EQ(difference(origin, test_, host_maker(), other, handlers), "")
          << "against the translator";
    }
  }

 protected:
  Interpreter interpreter_;
  Translated translated_;
  Pool pool_;
  Case test_;
  Outcome after_;
};

}  // namespace kite::oracle
