// What the self-test says.
#include "firmware/selftest/selftest.h"

namespace selftest {

namespace {
unsigned failed, done;
}

bool check(bool passed, const char* what) {
  ++done;
  failed += !passed;
  print(passed ? "ok    " : "FAIL  ");
  print(what);
  print("\n");
  return passed;
}

bool check_same(u64 got, u64 wanted, const char* what) {
  if (got == wanted) return check(true, what);
  ++done;
  ++failed;
  print("FAIL  ");
  print(what);
  print(": ");
  print_hex(got);
  print(" instead of ");
  print_hex(wanted);
  print("\n");
  return false;
}

void skip(const char* what, const char* why) {
  print("skip  ");
  print(what);
  print(": ");
  print(why);
  print("\n");
}

void begin_note(const char* what) {
  print("      ");
  print(what);
}

void end_note() {
  print("\n");
}

unsigned failures() {
  return failed;
}
unsigned checks() {
  return done;
}

}  // namespace selftest
