# Where the payload's other processors begin: copied to 0x8000, from real mode to long mode at once.

        .set kBase, 0x8000

        .section .rodata.trampoline, "a"
        .balign 16
        .globl  trampoline, trampoline_end
trampoline:
        .code16
        cli
        xorw    %ax, %ax
        movw    %ax, %ds
        lgdtl   kBase + trampoline_gdt_pointer - trampoline
        movl    %cr4, %eax
        orl     $0x620, %eax                    # PAE, OSFXSR, OSXMMEXCPT
        movl    %eax, %cr4
        movl    $pml4, %eax                     # the first processor's tables
        movl    %eax, %cr3
        movl    $0xC0000080, %ecx               # IA32_EFER
        rdmsr
        orl     $0x100, %eax                    # LME
        wrmsr
        movl    %cr0, %eax
        andl    $~0x6000000C, %eax              # CD, NW, TS, EM off
        orl     $0x80010023, %eax               # PG, WP, NE, MP, PE
        movl    %eax, %cr0
        ljmpl   $0x08, $processor_start

        .balign 8
trampoline_gdt:
        .quad   0
        .quad   0x00AF9B000000FFFF              # 08: 64-bit code
        .quad   0x00CF93000000FFFF              # 10: data
trampoline_gdt_pointer:
        .word   trampoline_gdt_pointer - trampoline_gdt - 1
        .long   kBase + trampoline_gdt - trampoline
trampoline_end:

        .text
        .code64
processor_start:
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        lgdt    gdt_pointer                     # the trampoline's may be overwritten
        movl    $1, %eax
        lock xaddl %eax, processors_begun
        cmpl    $15, %eax
        jae     2f
        imull   $4096, %eax, %esp               # a stack each
        addl    $(processor_stacks + 4096), %esp
        leal    1(%rax), %edi                   # processor_arrived(index)
        xorl    %ebp, %ebp
        call    processor_arrived
2:      cli
        hlt
        jmp     2b

        .section .bss
        .balign 4096
processor_stacks:       .skip 15 * 4096
        .balign 4
processors_begun:       .skip 4

        .section .note.GNU-stack, "", @progbits
