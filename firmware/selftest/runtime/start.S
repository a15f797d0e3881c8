// How a freestanding guest starts: the PVH and multiboot headers, the way from 32-bit protected mode
// into long mode, and the 256 doors that exceptions and interrupts come in through.
//
// Both protocols enter at entry32 in flat 32-bit protected mode without paging; EBX holds the
// address of hvm_start_info (PVH) or, with 2BADB002h in EAX, of the multiboot information.

#define MULTIBOOT_MAGIC 0x1BADB002
#define MULTIBOOT_FLAGS 0x00010003 /* page-aligned modules, memory map, load addresses below */

  .section .multiboot, "a"
  .balign 4
multiboot_header:
  .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
  .long multiboot_header, image_start, image_data_end, image_end, entry32

  .section .note.pvh, "a", @note
  .balign 4
  .long 4, 4, 18 // XEN_ELFNOTE_PHYS32_ENTRY
  .asciz "Xen"
  .long entry32

  .text
  .code32
  .global entry32
entry32:
  cli
  cld
  mov $start_stack_top, %esp
  mov %eax, boot_magic
  mov %ebx, boot_information
  // 4 GiB mapped as they are, in 2 MiB pages (SDM 3A 4.5).
  movl $page_table_1g + 7, page_table_512g
  mov $page_table_2m + 7, %eax
  mov $page_table_1g, %edi
  mov $4, %ecx
1:
  mov %eax, (%edi)
  add $4096, %eax
  add $8, %edi
  loop 1b
  mov $0x83, %eax // present, writable, large
  mov $page_table_2m, %edi
  mov $2048, %ecx
1:
  mov %eax, (%edi)
  add $0x200000, %eax
  add $8, %edi
  loop 1b
  mov $page_table_512g, %eax
  mov %eax, %cr3
  mov $0x620, %eax // PAE, OSFXSR, OSXMMEXCPT
  mov %eax, %cr4
  mov $0x80000001, %eax
  cpuid
  mov $0x101, %esi // SCE, LME
  test $0x100000, %edx
  jz 1f
  or $0x800, %esi // NXE where offered
1:
  mov $0xc0000080, %ecx
  mov %esi, %eax
  xor %edx, %edx
  wrmsr
  mov $0x80010033, %eax // PG, WP, NE, ET, MP, PE
  mov %eax, %cr0
  lgdt global_descriptor_table_register
  ljmp $0x08, $entry64

  .code64
entry64:
  mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  xor %eax, %eax
  mov %eax, %fs
  mov %eax, %gs
  mov $start_stack_top, %rsp
  xor %ebp, %ebp
  fninit
  call guest_start
1:
  cli
  hlt
  jmp 1b

// probe_call(code, argument): calls code(argument). A trap that has no handler ends the call early
// at probe_return (traps.cpp).
  .global probe_call, probe_return
probe_call:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  pushfq
  mov %rsp, probe_stack
  mov %rdi, %rax
  mov %rsi, %rdi
  call *%rax
probe_return:
  mov probe_stack, %rsp
  popfq
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  cld
  ret

// The doors. Vectors 8, 10–14, 17, 21, 29 and 30 bring an error code (SDM 3A table 6-1).
  .balign 16
  .global trap_doors
trap_doors:
  .set vector, 0
  .rept 256
  .balign 16
  .if !((vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30))
  push $0
  .endif
  push $vector
  jmp trap_common
  .set vector, vector + 1
  .endr

trap_common:
  push %rax
  push %rcx
  push %rdx
  push %rbx
  push %rbp
  push %rsi
  push %rdi
  push %r8
  push %r9
  push %r10
  push %r11
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, %rdi
  cld
  call trap_entry
  .global trap_leave
trap_leave:
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %r11
  pop %r10
  pop %r9
  pop %r8
  pop %rdi
  pop %rsi
  pop %rbp
  pop %rbx
  pop %rdx
  pop %rcx
  pop %rax
  add $16, %rsp
  iretq

  .data
  .balign 16
  .global global_descriptor_table, global_descriptor_table_register
global_descriptor_table:
  .quad 0
  .quad 0x00af9b000000ffff // 08h kernel code, 64-bit
  .quad 0x00cf93000000ffff // 10h kernel data
  .quad 0x00cffb000000ffff // 18h user code, 32-bit
  .quad 0x00cff3000000ffff // 20h user data
  .quad 0x00affb000000ffff // 28h user code, 64-bit
  .quad 0x00cff3000000ffff // 30h user data again, where SYSEXIT expects it
  .quad 0, 0               // 38h task state, filled in by traps.cpp
  .quad 0x00cf9b000000ffff // 48h code, 32-bit
  .quad 0x00009b000000ffff // 50h code, 16-bit
  .quad 0x000093000000ffff // 58h data, 16-bit
  .quad 0x00cf13000000ffff // 60h data, not present
  .quad 0x00cf91000000ffff // 68h data, read only
  .quad 0x00cf91000000ffff // 70h free for a test
  .quad 0x00cf91000000ffff // 78h free for a test
  .global global_descriptor_table_end
global_descriptor_table_end:
global_descriptor_table_register:
  .word global_descriptor_table_end - global_descriptor_table - 1
  .quad global_descriptor_table
  .balign 8
  .global boot_magic, boot_information, probe_stack
boot_magic: .quad 0
boot_information: .quad 0
probe_stack: .quad 0

  .bss
  .balign 4096
  .global page_table_512g, page_table_1g, page_table_2m
page_table_512g: .skip 4096
page_table_1g: .skip 4096
page_table_2m: .skip 4 * 4096
  .skip 16384
  .global start_stack_top
start_stack_top:
  .section .note.GNU-stack, "", @progbits
