# The child guest of the tour: 64-bit code that runs at guest-physical 0x10000 under an identity map.
#
# It reports by writing its step number to port 0x10, whose intercept brings the parent here with the result in RBX.

        .set kReportPort,       0x10
        .set kGuestOsId,        0x40000000
        .set kHypercallMsr,     0x40000001
        .set kHypercallPage,    0x5000
        .set kInputPage,        0x6000
        .set kOutputPage,       0x7000
        .set kCounter,          0x8000
        .set kFast,             0x10000
        .set kCreatePartition,  0x40
        .set kFinalizePartition, 0x42
        .set kDeletePartition,  0x43
        .set kFlushEventLog,    0x68

        .section .rodata.child, "a"
        .balign 16
        .globl  child_image, child_image_end
child_image:
        .code64
        # Step 1: the sum of the squares below 1000.
        xorl    %ebx, %ebx
        xorl    %ecx, %ecx
1:      movq    %rcx, %rax
        imulq   %rcx, %rax
        addq    %rax, %rbx
        incl    %ecx
        cmpl    $1000, %ecx
        jne     1b
        movl    $1, %eax
        outb    %al, $kReportPort

        # An open-source guest without a name turns its hypercall page on.
        movl    $kGuestOsId, %ecx
        movl    $0x00010000, %eax
        movl    $0x80000000, %edx
        wrmsr
        movl    $kHypercallMsr, %ecx
        movl    $(kHypercallPage + 1), %eax
        xorl    %edx, %edx
        wrmsr
        movl    $kHypercallPage, %r15d

        # Step 2: the event log is the root's alone.
        movl    $(kFast + kFlushEventLog), %ecx
        movl    $1, %edx
        call    *%r15
        movq    %rax, %rbx
        movl    $2, %eax
        outb    %al, $kReportPort

        # Step 3: nobody finalizes himself. The parent has put our partition identifier into R14.
        movl    $(kFast + kFinalizePartition), %ecx
        movq    %r14, %rdx
        call    *%r15
        movq    %rax, %rbx
        movl    $3, %eax
        outb    %al, $kReportPort

        # Step 4: a partition of our own; the input page is zero.
        movl    $kCreatePartition, %ecx
        movl    $kInputPage, %edx
        movl    $kOutputPage, %r8d
        call    *%r15
        movq    %rax, %rbx
        movl    $4, %eax
        outb    %al, $kReportPort

        # Step 5: and its end, before it was ever initialized.
        movl    $(kFast + kDeletePartition), %ecx
        movq    kOutputPage, %rdx
        call    *%r15
        movq    %rax, %rbx
        movl    $5, %eax
        outb    %al, $kReportPort

        # From here on it only counts, with interrupts off, until it is finalized.
        cli
2:      incq    kCounter
        jmp     2b
child_image_end:

        .section .note.GNU-stack, "", @progbits
