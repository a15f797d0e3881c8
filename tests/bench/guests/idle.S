// Says one letter, and waits for interrupts that never come.
  .section .multiboot, "a"
  .balign 4
header:
  .long 0x1BADB002, 0x00010000, -(0x1BADB002 + 0x00010000)
  .long header, image_start, image_data_end, image_end, entry32

  .section .note.pvh, "a", @note
  .balign 4
  .long 4, 4, 18 // XEN_ELFNOTE_PHYS32_ENTRY
  .asciz "Xen"
  .long entry32

  .text
  .code32
  .global entry32
entry32:
  mov $'x', %eax
  mov $0x3f8, %edx
  out %al, %dx
  sti
1:
  hlt
  jmp 1b
  .data
  .long 0
  .section .note.GNU-stack, "", @progbits
