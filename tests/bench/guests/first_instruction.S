// Ends the run with its first instructions: what is left of the run's time is start-up.
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
  xor %eax, %eax
  out %eax, $0xf4
1:
  hlt
  jmp 1b
  .data
  .long 0
  .section .note.GNU-stack, "", @progbits
