# Start code of a payload: from 32-bit protected mode (multiboot2 or PVH) to payload_start() in long mode.
#
# Both protocols enter alike (Multiboot2 "I386 machine state", Xen "x86/HVM direct boot ABI"): flat 32-bit segments,
# paging off, interrupts off, EBX pointing to the boot information. They differ in EAX and in what EBX points to,
# which boot.cpp sorts out.

        .set kMultibootMagic,   0xE85250D6
        .set kXenPhys32Entry,   18

        .section .multiboot2, "a"
        .balign 8
multiboot2_header:
        .long   kMultibootMagic, 0, multiboot2_end - multiboot2_header
        .long   -(kMultibootMagic + (multiboot2_end - multiboot2_header))
        .short  0, 0                            # end tag
        .long   8
multiboot2_end:

        .section .note.Xen, "a", @note
        .balign 4
        .long   4, 4, kXenPhys32Entry
        .asciz  "Xen"
        .long   start

        .text
        .code32
        .globl  start
        .type   start, @function
start:
        cld
        movl    $stack_end, %esp
        movl    %eax, %esi                      # kept for payload_start
        movl    %ebx, %edi

        # Identity map of the first 4 GiB with 2 MiB pages: one PML4, one PDPT, four page directories.
        movl    $(pdpt + 3), pml4
        movl    $(directories + 3), %eax
        xorl    %ecx, %ecx
1:      movl    %eax, pdpt(, %ecx, 8)
        addl    $4096, %eax
        incl    %ecx
        cmpl    $4, %ecx
        jne     1b
        movl    $0x83, %eax                     # present, writable, 2 MiB
        xorl    %ecx, %ecx
2:      movl    %eax, directories(, %ecx, 8)
        addl    $0x200000, %eax
        incl    %ecx
        cmpl    $2048, %ecx
        jne     2b

        movl    $pml4, %eax
        movl    %eax, %cr3
        movl    %cr4, %eax
        orl     $0x620, %eax                    # PAE, OSFXSR, OSXMMEXCPT
        movl    %eax, %cr4
        movl    $0xC0000080, %ecx               # IA32_EFER
        rdmsr
        orl     $0x100, %eax                    # LME
        wrmsr
        movl    %cr0, %eax
        andl    $~0x6000000C, %eax              # CD, NW, TS, EM off: caches and FPU on
        orl     $0x80010023, %eax               # PG, WP, NE, MP, PE
        movl    %eax, %cr0
        lgdt    gdt_pointer
        ljmp    $0x08, $start64

        .code64
start64:
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %eax, %eax
        movl    %eax, %fs
        movl    %eax, %gs
        movl    $stack_end, %esp
        xorl    %ebp, %ebp
        xchgl   %esi, %edi                      # payload_start(magic, information)
        call    payload_start
3:      cli
        hlt
        jmp     3b

        .section .rodata
        .balign 8
        .globl  gdt, gdt_pointer
gdt:
        .quad   0
        .quad   0x00AF9B000000FFFF              # 08: 64-bit code
        .quad   0x00CF93000000FFFF              # 10: data
gdt_pointer:
        .word   gdt_pointer - gdt - 1
        .quad   gdt

        .section .bss
        .balign 4096
        .globl  pml4
pml4:           .skip 4096
pdpt:           .skip 4096
directories:    .skip 4 * 4096
stack:          .skip 16384
        .globl  stack_end
stack_end:

        .section .note.GNU-stack, "", @progbits
