# A pattern in every register class that a guest can write, and the check that it is still there.
#
# Position-independent: the root calls it where it is linked, the children where it has been copied to. Each value is
# made from a seed, so that no two virtual processors hold the same. Bit 0 of the seed says that AVX is used, and XCR0
# has it; bit 2 chooses between two values where few are legal.

        .set kFsBase,           0xC0000100
        .set kGsBase,           0xC0000101
        .set kBuffer,           48              # bytes on the stack: a YMM register and room to align

# RAX: value number `k` of seed RDI, a canonical address.
        .macro  value k
        movabsq $0x0000123456789ABC, %rax
        imulq   $\k, %rax, %rax
        addq    %rdi, %rax
        shlq    $17, %rax
        shrq    $17, %rax
        .endm

        .macro  write_msr number, k
        value   \k
        movq    %rax, %rdx
        shrq    $32, %rdx
        movl    $\number, %ecx
        wrmsr
        .endm

        .macro  check_msr number, k
        movl    $\number, %ecx
        rdmsr
        shlq    $32, %rdx
        orq     %rax, %rdx
        value   \k
        movl    $\k, %esi
        cmpq    %rax, %rdx
        jne     pattern_broken
        .endm

# The 32-bit MSRs hold the low half only.
        .macro  write_msr32 number, k
        value   \k
        xorl    %edx, %edx
        movl    $\number, %ecx
        wrmsr
        .endm

        .macro  check_msr32 number, k
        movl    $\number, %ecx
        rdmsr
        movl    %eax, %edx
        value   \k
        movl    $\k, %esi
        cmpl    %eax, %edx
        jne     pattern_broken
        .endm

        .section .rodata.child, "ax"
        .balign 16
        .globl  pattern_image, pattern_image_end, pattern_fill, pattern_check

# Entry of a child: fills, then checks for ever. R13 is the seed, R12 points to {checks done, class that broke}.
pattern_image:
        movq    %r13, %rdi
        call    pattern_fill
1:      movq    %r13, %rdi
        call    pattern_check
        testl   %eax, %eax
        jne     2f
        incq    (%r12)
        jmp     1b
2:      movq    %rax, 8(%r12)
3:      pause
        jmp     3b

# void pattern_fill(uint64_t seed)
pattern_fill:
        movq    %cr4, %rax
        orl     $0x40000, %eax                  # OSXSAVE
        movq    %rax, %cr4
        movl    $3, %eax
        testb   $1, %dil
        jz      1f
        movl    $7, %eax
1:      xorl    %ecx, %ecx
        xorl    %edx, %edx
        xsetbv

        .irp    i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        value   (\i + 1)
        movq    %rax, %xmm\i
        punpcklqdq %xmm\i, %xmm\i
        .endr
        testb   $1, %dil
        jz      2f
        .irp    i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        vinsertf128 $1, %xmm\i, %ymm\i, %ymm\i
        .endr

2:      fninit
        .irp    i, 7, 6, 5, 4, 3, 2, 1, 0
        value   (\i + 17)
        pushq   %rax
        fildq   (%rsp)
        popq    %rax
        .endr
        movl    %edi, %eax                      # rounding control in MXCSR and FCW
        andl    $3, %eax
        movl    %eax, %edx
        shll    $13, %eax
        orl     $0x1F80, %eax
        pushq   %rax
        ldmxcsr (%rsp)
        shll    $10, %edx
        orl     $0x037F, %edx
        movq    %rdx, (%rsp)
        fldcw   (%rsp)
        popq    %rax

        value   25
        movq    %rax, %dr0
        value   26
        movq    %rax, %dr1
        value   27
        movq    %rax, %dr2
        value   28
        movq    %rax, %dr3
        movl    %edi, %eax
        andl    $15, %eax
        orl     $0xFFFF0FF0, %eax
        movq    %rax, %dr6
        movl    %edi, %eax
        andl    $4, %eax
        shll    $6, %eax
        orl     $0x400, %eax                    # LE differs, no breakpoint is enabled
        movq    %rax, %dr7
        value   29
        movq    %rax, %cr2
        movl    %edi, %eax
        andl    $4, %eax
        shrl    $2, %eax
        incl    %eax
        movq    %rax, %cr8

        write_msr   0xC0000102, 30              # IA32_KERNEL_GS_BASE
        write_msr   0xC0000081, 31              # IA32_STAR
        write_msr   0xC0000082, 32              # IA32_LSTAR
        write_msr   0xC0000083, 33              # IA32_CSTAR
        write_msr32 0xC0000084, 34              # IA32_FMASK
        write_msr32 0xC0000103, 35              # IA32_TSC_AUX
        write_msr32 0x174, 36                   # IA32_SYSENTER_CS
        write_msr   0x175, 37                   # IA32_SYSENTER_ESP
        write_msr   0x176, 38                   # IA32_SYSENTER_EIP
        write_msr   kFsBase, 39
        write_msr   kGsBase, 40
        movl    $0x277, %ecx                    # IA32_PAT
        movl    $0x00070406, %eax
        movl    $0x00070406, %edx
        testb   $4, %dil
        jz      3f
        movl    $0x00070106, %edx
3:      wrmsr
        ret

# uint32_t pattern_check(uint64_t seed): 0, or the number of the class that differs.
pattern_check:
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, %rbp
        subq    $kBuffer, %rsp
        andq    $-32, %rsp

        xorl    %ecx, %ecx
        xgetbv
        movl    $42, %esi
        movl    %edi, %edx
        andl    $1, %edx
        leal    3(, %rdx, 4), %edx
        cmpl    %eax, %edx
        jne     pattern_broken

        .irp    i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movups  %xmm\i, (%rsp)
        value   (\i + 1)
        movl    $(\i + 1), %esi
        cmpq    %rax, (%rsp)
        jne     pattern_broken
        cmpq    %rax, 8(%rsp)
        jne     pattern_broken
        .endr
        testb   $1, %dil
        jz      1f
        .irp    i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        vextractf128 $1, %ymm\i, (%rsp)
        value   (\i + 1)
        movl    $(\i + 1), %esi
        cmpq    %rax, (%rsp)
        jne     pattern_broken
        cmpq    %rax, 8(%rsp)
        jne     pattern_broken
        .endr

1:      .irp    i, 0, 1, 2, 3, 4, 5, 6, 7      # each out and back in, then the next one on top
        fistpq  (%rsp)
        fildq   (%rsp)
        fincstp
        value   (\i + 17)
        movl    $(\i + 17), %esi
        cmpq    %rax, (%rsp)
        jne     pattern_broken
        .endr
        stmxcsr (%rsp)
        movl    %edi, %eax
        andl    $3, %eax
        movl    %eax, %edx
        shll    $13, %eax
        movl    (%rsp), %ecx
        andl    $0x6000, %ecx
        movl    $41, %esi
        cmpl    %eax, %ecx
        jne     pattern_broken
        fnstcw  (%rsp)
        shll    $10, %edx
        orl     $0x037F, %edx
        cmpw    %dx, (%rsp)
        jne     pattern_broken

        movl    $25, %esi
        value   25
        movq    %dr0, %rdx
        cmpq    %rax, %rdx
        jne     pattern_broken
        value   26
        movq    %dr1, %rdx
        cmpq    %rax, %rdx
        jne     pattern_broken
        value   27
        movq    %dr2, %rdx
        cmpq    %rax, %rdx
        jne     pattern_broken
        value   28
        movq    %dr3, %rdx
        cmpq    %rax, %rdx
        jne     pattern_broken
        movl    $28, %esi
        movq    %dr6, %rax
        xorl    %edi, %eax
        testb   $15, %al
        jne     pattern_broken
        movq    %dr7, %rax
        shrl    $6, %eax
        xorl    %edi, %eax
        testb   $4, %al
        jne     pattern_broken
        movl    $29, %esi
        value   29
        movq    %cr2, %rdx
        cmpq    %rax, %rdx
        jne     pattern_broken
        movq    %cr8, %rdx
        movl    %edi, %eax
        andl    $4, %eax
        shrl    $2, %eax
        incl    %eax
        cmpq    %rax, %rdx
        jne     pattern_broken

        check_msr   0xC0000102, 30
        check_msr   0xC0000081, 31
        check_msr   0xC0000082, 32
        check_msr   0xC0000083, 33
        check_msr32 0xC0000084, 34
        check_msr32 0xC0000103, 35
        check_msr32 0x174, 36
        check_msr   0x175, 37
        check_msr   0x176, 38
        check_msr   kFsBase, 39
        check_msr   kGsBase, 40
        movl    $43, %esi
        movl    $0x277, %ecx
        rdmsr
        cmpl    $0x00070406, %eax
        jne     pattern_broken
        movl    $0x00070406, %eax
        testb   $4, %dil
        jz      2f
        movl    $0x00070106, %eax
2:      cmpl    %eax, %edx
        jne     pattern_broken

        .irp    r, rbx, r8, r9, r10, r11, r12, r13, r14, r15
        value   44
        movq    %rax, %\r
        .endr
        movl    $200, %ecx                      # a while in which the general registers alone hold it
3:      decl    %ecx
        jnz     3b
        movl    $44, %esi
        .irp    r, rbx, r8, r9, r10, r11, r12, r13, r14, r15
        value   44
        cmpq    %rax, %\r
        jne     pattern_broken
        .endr
        xorl    %esi, %esi
pattern_broken:
        movl    %esi, %eax
        movq    %rbp, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        ret
pattern_image_end:

        .section .note.GNU-stack, "", @progbits
