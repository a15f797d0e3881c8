// Says one letter, and waits for interrupts that never come.
#include "bare_entry.inc"
  sti
1:
  hlt
  jmp 1b
  .data
  .long 0
  .section .note.GNU-stack, "", @progbits
