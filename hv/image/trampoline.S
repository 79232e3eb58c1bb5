# Where the other processors begin: copied to 0x8000 and started there in real mode by a SIPI.

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
        movl    %cr0, %eax
        orl     $1, %eax                        # PE
        movl    %eax, %cr0
        ljmpl   $0x18, $processor_start32

        .balign 8
trampoline_gdt:
        .quad   0
        .quad   0x00AF9B000000FFFF              # 08: 64-bit code
        .quad   0x00CF93000000FFFF              # 10: data
        .quad   0x00CF9B000000FFFF              # 18: 32-bit code
trampoline_gdt_pointer:
        .word   trampoline_gdt_pointer - trampoline_gdt - 1
        .long   kBase + trampoline_gdt - trampoline
trampoline_end:

        .text
        .code32
processor_start32:
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    next_stack, %esp
        call    enter_long_mode
        ljmp    $0x08, $processor_start64

        .code64
processor_start64:
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    next_stack, %esp
        xorl    %ebp, %ebp
        call    other_processor_start_up
        ud2

        .section .note.GNU-stack, "", @progbits
