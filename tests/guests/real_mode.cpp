// To real mode and back, and from real mode straight to long mode as a starting application
// processor goes.
#include "tests/guests/expect.h"

using namespace guest;

// Position-dependent: copied to kBase, below 1 MiB. Entered in 64-bit mode by a far return to
// real_mode_begin through code segment 48h (32-bit); leaves results at kBase + 0xf00.
extern "C" char real_mode_begin[], real_mode_end[], real_mode_trampoline[];
extern "C" void real_mode_go(u64 entry);
extern "C" u64 real_mode_saved_rsp;
u64 real_mode_saved_rsp;
asm(R"(
  .set base, 0x8000
  .code32
real_mode_begin:
  mov %cr0, %eax           # paging off leaves long mode (SDM 3A 10.8.5.4)
  and $0x7fffffff, %eax
  mov %eax, %cr0
  mov $0xc0000080, %ecx
  rdmsr
  mov %eax, base + 0xf20   # LMA must be off by now
  and $~0x100, %eax
  wrmsr
  ljmp $0x50, $(base + 1f - real_mode_begin)
  .code16
1:mov $0x58, %eax
  mov %ax, %ds
  mov %ax, %es
  mov %ax, %fs             # real mode keeps the limit
  mov %ax, %ss
  mov %cr0, %eax
  and $~1, %eax
  mov %eax, %cr0
  ljmp $(base >> 4), $(2f - real_mode_begin)
2:# Real mode. Segments are paragraphs, and INT takes the vector table at 0.
  xor %ax, %ax
  mov %ax, %ds
  mov %ax, %ss
  mov $0x7f00, %sp
  lidtl %cs:(real_idt - real_mode_begin)
  mov $0x1234, %ax
  mov %ax, %es
  movw $0x5678, %es:0x10   # linear 12350h
  movzwl 0x2350, %eax      # another address: nothing
  mov %eax, base + 0xf00
  pushw $0x0815
  popw base + 0xf04
  movw $(handler - real_mode_begin), 0x60 * 4
  movw $(base >> 4), 0x60 * 4 + 2
  int $0x60
  mov %ax, base + 0xf08
  pushfl
  popl base + 0xf0c
  mov %sp, base + 0xf10
  movl $0, base + 0xf14
  mov $0xffff, %ax         # the last paragraph reaches over 1 MiB
  mov %ax, %fs
  movl %fs:0x10, %eax      # linear 100000h
  mov %eax, base + 0xf18
  ljmp $(base >> 4), $(real_mode_trampoline - real_mode_begin)
handler:
  mov $0xbeef, %ax
  iret

  # What an application processor runs after SIPI: CS is base >> 4, nothing else is known.
real_mode_trampoline:
  cli
  mov %cs, %ax
  mov %ax, %ds
  lgdtl real_gdt - real_mode_begin
  mov $0x620, %eax         # PAE, OSFXSR, OSXMMEXCPT
  mov %eax, %cr4
  mov real_root - real_mode_begin, %eax
  mov %eax, %cr3
  mov $0xc0000080, %ecx
  mov $0x901, %eax         # NXE, LME, SCE
  xor %edx, %edx
  wrmsr
  mov $0x80010033, %eax    # PG and PE at once
  mov %eax, %cr0
  ljmpl $8, $(base + 3f - real_mode_begin)
  .code64
3:mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov real_mode_saved_rsp, %rsp
  lidt real_long_idt
  ret
  .balign 8
  .global real_gdt, real_root
real_idt: .word 0x3ff
  .long 0
real_gdt: .word 0
  .long 0
real_root: .long 0
real_mode_end:

real_mode_go:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  lea 1f(%rip), %rax
  push %rax
  mov %rsp, real_mode_saved_rsp
  sidt real_long_idt
  push $0x48
  push %rdi
  lretq
1:pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
  .pushsection .bss
real_long_idt: .skip 16
  .popsection
)");
extern "C" char real_gdt[], real_root[], global_descriptor_table[], global_descriptor_table_end[];

namespace {

constexpr u64 kBase = 0x8000;
u64 copied(const char* label) {
  return kBase + static_cast<u64>(label - real_mode_begin);
}

void prepare() {
  for (const char* from = real_mode_begin; from != real_mode_end; ++from) {
    volatile_write<u8>(copied(from), static_cast<u8>(*from));
  }
  volatile_write<u16>(copied(real_gdt),
                      static_cast<u16>(global_descriptor_table_end - global_descriptor_table - 1));
  volatile_write<u32>(copied(real_gdt) + 2,
                      static_cast<u32>(reinterpret_cast<u64>(global_descriptor_table)));
  volatile_write<u32>(copied(real_root), static_cast<u32>(read_cr3()));
  volatile_write<u32>(0x2350, 0);
}

}  // namespace

int guest_main() {
  for (int round = 0; round < 3; ++round) {
    prepare();
    real_mode_go(kBase);
    EXPECT_SAME(volatile_read<u16>(0x12350), 0x5678);
    EXPECT_SAME(volatile_read<u32>(kBase + 0xf00), 0);
    EXPECT_SAME(volatile_read<u16>(kBase + 0xf04), 0x0815);
    EXPECT_SAME(volatile_read<u16>(kBase + 0xf08), 0xbeef);
    EXPECT_SAME(volatile_read<u32>(kBase + 0xf0c) & 0x3'0002, 2);
    EXPECT_SAME(volatile_read<u16>(kBase + 0xf10), 0x7f00);
    EXPECT_SAME(volatile_read<u32>(kBase + 0xf18), volatile_read<u32>(0x100000));
    EXPECT_SAME(volatile_read<u32>(kBase + 0xf20) & 0x400, 0);
    EXPECT_SAME(read_msr(0xc000'0080) & 0x500, 0x500);
  }
  return 0;
}
