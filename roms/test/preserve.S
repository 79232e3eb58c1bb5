# A hypercall with every general register and flag set to a value of the caller's choice, and what they are afterwards.

        .set kRsp, 4 * 8                        # the stack pointer's place among the registers

        .macro  load_registers from
        movq    \from + 0x00, %rax
        movq    \from + 0x08, %rcx
        movq    \from + 0x10, %rdx
        movq    \from + 0x18, %rbx
        movq    \from + 0x28, %rbp
        movq    \from + 0x30, %rsi
        movq    \from + 0x38, %rdi
        movq    \from + 0x40, %r8
        movq    \from + 0x48, %r9
        movq    \from + 0x50, %r10
        movq    \from + 0x58, %r11
        movq    \from + 0x60, %r12
        movq    \from + 0x68, %r13
        movq    \from + 0x70, %r14
        movq    \from + 0x78, %r15
        .endm

        .macro  store_registers to
        movq    %rax, \to + 0x00
        movq    %rcx, \to + 0x08
        movq    %rdx, \to + 0x10
        movq    %rbx, \to + 0x18
        movq    %rsp, \to + 0x20
        movq    %rbp, \to + 0x28
        movq    %rsi, \to + 0x30
        movq    %rdi, \to + 0x38
        movq    %r8, \to + 0x40
        movq    %r9, \to + 0x48
        movq    %r10, \to + 0x50
        movq    %r11, \to + 0x58
        movq    %r12, \to + 0x60
        movq    %r13, \to + 0x68
        movq    %r14, \to + 0x70
        movq    %r15, \to + 0x78
        .endm

        .text
        .globl  call_with_registers
# void call_with_registers(): the hypercall of `preserve_before`, through the address in `preserve_target`.
# XMM0 and XMM1 are exchanged with `preserve_xmm` around it where `preserve_use_xmm` is not 0.
call_with_registers:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        pushfq
        cmpl    $0, preserve_use_xmm
        je      1f
        movups  %xmm0, preserve_kept
        movups  %xmm1, preserve_kept + 16
        movups  preserve_xmm, %xmm0
        movups  preserve_xmm + 16, %xmm1
1:      movq    %rsp, preserve_before + kRsp
        pushq   preserve_before + 0x80          # flags last: nothing below changes them
        popfq
        load_registers preserve_before
        call    *preserve_target
        store_registers preserve_after
        pushfq
        popq    preserve_after + 0x80
        cmpl    $0, preserve_use_xmm
        je      2f
        movups  %xmm0, preserve_xmm
        movups  %xmm1, preserve_xmm + 16
        movups  preserve_kept, %xmm0
        movups  preserve_kept + 16, %xmm1
2:      popfq
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret

        .bss
        .balign 16
        .globl  preserve_before, preserve_after, preserve_xmm, preserve_use_xmm, preserve_target
preserve_before:  .skip 0x88
        .balign 16
preserve_after:   .skip 0x88
        .balign 16
preserve_xmm:     .skip 32
preserve_kept:    .skip 32
preserve_target:  .skip 8
preserve_use_xmm: .skip 4

        .section .note.GNU-stack, "", @progbits
