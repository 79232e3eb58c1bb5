# A child's program that only counts, in the word that R12 names.

        .section .rodata.spin, "a"
        .balign 16
        .globl  spin_image, spin_image_end
spin_image:
        .code64
        cli
1:      incq    (%r12)
        jmp     1b
spin_image_end:

        .section .note.GNU-stack, "", @progbits
