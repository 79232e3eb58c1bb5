# The entry points of system.cpp, and its way to ring 3 and back.

        .text
        .globl  bench_interrupt
bench_interrupt:
        iretq

# A page fault by a load of two bytes' length: past it.
        .globl  bench_page_fault
bench_page_fault:
        addq    $8, %rsp                        # the error code
        addq    $2, (%rsp)
        iretq

# uint64_t bench_syscalls(uint64_t count): so many SYSCALL and SYSRET, from ring 3.
        .globl  bench_syscalls
bench_syscalls:
        pushq   %rbx
        movq    %rsp, kernel_stack
        movq    %rdi, %rbx
        movl    $user_loop, %ecx
        movl    $2, %r11d                       # RFLAGS
        xorl    %edx, %edx
        sysretq
user_loop:
        xorl    %eax, %eax
1:      syscall
        decq    %rbx
        jnz     1b
        movl    $1, %eax
        syscall

        .globl  bench_syscall_entry
bench_syscall_entry:
        testl   %eax, %eax
        jnz     2f
        incq    %rdx
        sysretq
2:      movq    kernel_stack, %rsp
        movq    %rdx, %rax
        popq    %rbx
        ret

        .section .bss
        .balign 8
kernel_stack:   .skip 8

        .section .note.GNU-stack, "", @progbits
