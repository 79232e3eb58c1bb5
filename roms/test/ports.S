# A child that does port and string I/O, and touches what it has not: each `step_` is intercepted by its parent.

        .set kPort,             0x20
        .set kApicPage,         0xFEE00000
        .set kApicBase,         0x1B

        .section .rodata.child, "a"
        .balign 16
        .globl  ports_image, ports_image_end, step_outsb, step_insl, step_outsw, step_in, step_apic, step_far, step_end
        .globl  step_undefined
ports_image:
        .code64
        cld
        movl    $kPort, %edx
        movl    $0x8000, %esi
        movl    $0x9000, %edi
        movl    $0x11223344, %eax
        movl    $5, %ecx
step_outsb:
        rep outsb
        movl    $3, %ecx
step_insl:
        rep insl
        movl    $7, %ecx
step_outsw:
        outsw
step_in:
        inl     %dx, %eax

        # The local APIC is in x2APIC mode, where its page is memory like any other.
        movl    $kApicPage, %esi
step_apic:
        movl    0x20(%rsi), %eax
        movl    $kApicBase, %ecx
        rdmsr
        movl    %eax, %ebx
        jmp     step_far

        .org    ports_image + 0xFFF             # an instruction on both sides of a page boundary
step_far:
        outb    %al, $kPort
step_undefined:
        ud2
step_end:
        pause
        jmp     step_end
        .skip   16, 0x90                        # what a message of 16 bytes may show
ports_image_end:

        .section .note.GNU-stack, "", @progbits
