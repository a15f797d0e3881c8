// HLT with interrupts off: nothing can wake this processor. Never comes back.
#include "tests/guests/expect.h"

int guest_main() {
  for (;;) asm volatile("cli; hlt");
}
