# The payload's interrupt entry points: one stub per vector, one common way into interrupt_arrived().

        .text
        .balign 16
        .globl  interrupt_stubs
interrupt_stubs:
        .set    vector, 0
        .rept   256
        .balign 16
        .if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21)
        pushq   $vector
        .else
        pushq   $0
        pushq   $vector
        .endif
        jmp     common_stub
        .set    vector, vector + 1
        .endr

# Builds an InterruptFrame (interrupts.h) on the stack.
common_stub:
        pushq   %r15
        pushq   %r14
        pushq   %r13
        pushq   %r12
        pushq   %r11
        pushq   %r10
        pushq   %r9
        pushq   %r8
        pushq   %rdi
        pushq   %rsi
        pushq   %rbp
        pushq   %rbx
        pushq   %rdx
        pushq   %rcx
        pushq   %rax
        movq    %rsp, %rdi
        cld
        call    interrupt_arrived
        popq    %rax
        popq    %rcx
        popq    %rdx
        popq    %rbx
        popq    %rbp
        popq    %rsi
        popq    %rdi
        popq    %r8
        popq    %r9
        popq    %r10
        popq    %r11
        popq    %r12
        popq    %r13
        popq    %r14
        popq    %r15
        addq    $16, %rsp
        iretq

# void run_trial(void (*instruction)(), uint64_t* rsp): calls it; an exception inside continues at trial_over
# with the stack pointer that was stored.
        .globl  run_trial, trial_over
run_trial:
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, (%rsi)
        call    *%rdi
trial_over:
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        ret

        .section .note.GNU-stack, "", @progbits
