# A hypervisor of one page: enters the guest that the current VMCS describes, and handles its exits.

        .set kExitReason,       0x4402
        .set kExitLength,       0x440C
        .set kGuestRip,         0x681E
        .set kHostRsp,          0x6C14
        .set kReasonHlt,        12

        .text
# uint64_t bench_enter_guest(): 1 when the guest has halted, 0 when it could not be entered.
        .globl  bench_enter_guest
bench_enter_guest:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movl    $kHostRsp, %eax
        vmwrite %rsp, %rax
        vmlaunch
        xorl    %eax, %eax
        jmp     1f

# An exit: past the instruction, whatever it was; HLT ends the guest. RAX, RCX and RDX belong to the handler.
        .globl  bench_guest_exited
bench_guest_exited:
        movl    $kExitReason, %eax
        vmread  %rax, %rcx
        cmpl    $kReasonHlt, %ecx
        je      2f
        movl    $kExitLength, %eax
        vmread  %rax, %rcx
        movl    $kGuestRip, %eax
        vmread  %rax, %rdx
        addq    %rcx, %rdx
        vmwrite %rdx, %rax
        vmresume
        ud2
2:      movl    $1, %eax
1:      popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret

# The guest: calls the function that virtual.cpp names, leaves the answer there, halts.
        .globl  bench_guest_start
bench_guest_start:
        movq    bench_guest_argument, %rdi
        call    *bench_guest_function
        movq    %rax, bench_guest_answer
        hlt
        ud2

        .section .note.GNU-stack, "", @progbits
