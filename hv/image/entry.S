# The two borders of the hypervisor: VM entry and exit, and its own interrupt descriptor table.

        .text

# bool enter_guest(GuestRegisters* registers, bool launched)
#
# Runs the current VMCS until its next VM exit. To the caller it is a function call that changes *registers and returns
# true; false means that VMLAUNCH or VMRESUME itself failed and no guest instruction ran. RSP, RIP and RFLAGS of the
# guest are in the VMCS; the offsets are those of GuestRegisters in vp.h.
        .set kHostRsp, 0x6C14

        .globl  enter_guest
        .type   enter_guest, @function
enter_guest:
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        pushq   %rdi                            # found again by vm_exit
        movl    $kHostRsp, %eax
        vmwrite %rsp, %rax
        testb   %sil, %sil
        movq    0x00(%rdi), %rax
        movq    0x08(%rdi), %rcx
        movq    0x10(%rdi), %rdx
        movq    0x18(%rdi), %rbx
        movq    0x28(%rdi), %rbp
        movq    0x30(%rdi), %rsi
        movq    0x40(%rdi), %r8
        movq    0x48(%rdi), %r9
        movq    0x50(%rdi), %r10
        movq    0x58(%rdi), %r11
        movq    0x60(%rdi), %r12
        movq    0x68(%rdi), %r13
        movq    0x70(%rdi), %r14
        movq    0x78(%rdi), %r15
        movq    0x38(%rdi), %rdi
        jnz     1f
        vmlaunch
        jmp     2f
1:      vmresume
2:      popq    %rdi                            # VMfail: no state was changed
        xorl    %eax, %eax
        jmp     3f

# HOST_RIP of every VMCS: the processor continues here after a VM exit, RSP as in enter_guest.
        .globl  vm_exit
        .type   vm_exit, @function
vm_exit:
        pushq   %rdi
        movq    8(%rsp), %rdi
        movq    %rax, 0x00(%rdi)
        movq    %rcx, 0x08(%rdi)
        movq    %rdx, 0x10(%rdi)
        movq    %rbx, 0x18(%rdi)
        movq    %rbp, 0x28(%rdi)
        movq    %rsi, 0x30(%rdi)
        movq    %r8, 0x40(%rdi)
        movq    %r9, 0x48(%rdi)
        movq    %r10, 0x50(%rdi)
        movq    %r11, 0x58(%rdi)
        movq    %r12, 0x60(%rdi)
        movq    %r13, 0x68(%rdi)
        movq    %r14, 0x70(%rdi)
        movq    %r15, 0x78(%rdi)
        popq    %rax
        movq    %rax, 0x38(%rdi)
        popq    %rdi
        movl    $1, %eax
3:      popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        ret

# One stub per vector, 16 bytes apart: a uniform frame {vector, error code, RIP, CS, RFLAGS, RSP, SS}.
        .balign 16
        .globl  host_vectors
host_vectors:
        .set    vector, 0
        .rept   32
        .balign 16
        .if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21)
        pushq   $vector
        .else
        pushq   $0
        pushq   $vector
        .endif
        jmp     host_exception
        .set    vector, vector + 1
        .endr

# The hypervisor runs with interrupts off, so only NMIs and its own mistakes arrive here.
host_exception:
        pushq   %rax
        pushq   %rcx
        pushq   %rdx
        pushq   %rsi
        pushq   %rdi
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        leaq    72(%rsp), %rdi
        cld
        call    host_interrupted
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rdi
        popq    %rsi
        popq    %rdx
        popq    %rcx
        popq    %rax
        addq    $16, %rsp
        iretq

        .section .note.GNU-stack, "", @progbits
