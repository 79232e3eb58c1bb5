# The guests that the KVM judge runs: position-fixed code at 0x1000, one global label at each end.
# Port 0x10 takes what a guest has to say, port 0x11 gives it a number, port 0x12 ends it, port 0x13 marks a place.

        .set    LOAD, 0x1000
        .set    CODE32, 0x08
        .set    DATA, 0x10
        .set    CODE64, 0x18
        .set    USER_DATA, 0x2B
        .set    USER_CODE, 0x33
        .set    APIC, 0xFEE00000

        .text

# Real mode: a sum, an interrupt through the vector table, string I/O in both directions, 32-bit operands.
        .code16
        .globl  guest_real, guest_real_end
guest_real:
        xorl    %eax, %eax
        movw    $10, %cx
1:      addw    %cx, %ax
        loop    1b
        outl    %eax, $0x10
        movw    $(real_handler - guest_real + LOAD), 0x21 * 4
        movw    $0, 0x21 * 4 + 2
        int     $0x21
        movw    $0x11, %dx
        movw    $0x9000, %di
        movw    $3, %cx
        cld
        rep insl
        movw    $0x10, %dx
        movw    $0x9000, %si
        movw    $3, %cx
        rep outsl
        movw    $0x1234, %ax
        movw    %ax, %es
        movb    $0x5A, %es:0x10
        xorl    %eax, %eax
        movw    $0x1000, %bx
        movw    %bx, %ds
        movb    0x2350, %al
        outl    %eax, $0x10
        outb    %al, $0x12
real_handler:
        movl    $0xCAFE21, %eax
        outl    %eax, $0x10
        iretw
guest_real_end:

# From real to protected to long mode by itself, telling the mode registers on the way, and back to real mode.
        .globl  guest_climb, guest_climb_end
guest_climb:
        cli
        lgdtl   climb_gdtr - guest_climb + LOAD
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $CODE32, $(climb32 - guest_climb + LOAD)
        .balign 8
climb_gdtr:
        .word   0x7F
        .long   0x6000
        .code32
climb32:
        movl    $DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $0x7000, %esp
        movl    %cr0, %eax
        andl    $1, %eax
        outl    %eax, $0x10
        movl    %cr4, %eax
        orl     $0x20, %eax
        movl    %eax, %cr4
        movl    $0x10000, %eax
        movl    %eax, %cr3
        movl    $0xC0000080, %ecx
        rdmsr
        orl     $0x100, %eax
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        movl    %eax, %cr0
        ljmpl   $CODE64, $(climb64 - guest_climb + LOAD)
        .code64
climb64:
        movl    $0xC0000080, %ecx
        rdmsr
        andl    $0x500, %eax
        outl    %eax, $0x10
        movabsq $0x123456789ABCDEF0, %rax
        pushq   %rax
        popq    %rbx
        shrq    $32, %rbx
        movl    %ebx, %eax
        outl    %eax, $0x10
        pushq   $CODE32
        pushq   $(climb_down - guest_climb + LOAD)
        lretq
        .code32
climb_down:
        movl    %cr0, %eax
        andl    $0x7FFFFFFF, %eax
        movl    %eax, %cr0
        movl    $0xC0000080, %ecx
        rdmsr
        andl    $0x500, %eax
        outl    %eax, $0x10
        ljmpl   $0x38, $(climb16 - guest_climb + LOAD)
        .code16
climb16:
        movl    $0x40, %eax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    %cr0, %eax
        andb    $0xFE, %al
        movl    %eax, %cr0
        ljmpw   $0, $(climb_real - guest_climb + LOAD)
climb_real:
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movl    $0x8EA1, %eax
        outl    %eax, $0x10
        outb    %al, $0x12
guest_climb_end:

# 32-bit paging by 4 KiB: page faults that the guest repairs, and a divide error.
        .code32
        .globl  guest_fault, guest_fault_end
guest_fault:
        movl    $(0x9000 | 2), 0x14000 - 0x4000 + 0x1000 + 4 * 0x40
        movl    $0x11223344, 0x40010
        movl    0x9010, %eax
        outl    %eax, $0x10
        movl    0x7FFFF000, %eax
        outl    %eax, $0x10
        xorl    %edx, %edx
        xorl    %ecx, %ecx
        movl    $5, %eax
        divl    %ecx
after_divide:
        outl    %eax, $0x10
        outb    %al, $0x12
        .globl  fault_page, fault_divide
fault_page:                             # tells CR2 and the error code, then maps the page at 0x9000
        pushl   %eax
        pushl   %ebx
        movl    %cr2, %eax
        outl    %eax, $0x10
        movl    8(%esp), %eax
        outl    %eax, $0x10
        movl    %cr2, %eax
        cmpl    $0x7FFFF000, %eax
        je      1f
        shrl    $12, %eax
        movl    $(0x9000 | 3), 0x11000(, %eax, 4)
        invlpg  0x40010
        jmp     2f
1:      movl    $(0x12000 | 3), 0x10000 + 4 * (0x7FFFF000 >> 22)
        movl    $(0x9000 | 3), 0x12000 + 4 * ((0x7FFFF000 >> 12) & 1023)
2:      popl    %ebx
        popl    %eax
        addl    $4, %esp
        iretl
fault_divide:
        movl    $0xD1, %eax
        outl    %eax, $0x10
        movl    $(after_divide - guest_fault + LOAD), (%esp)
        iretl
guest_fault_end:

# Long mode: CPUID, MSRs, SSE2, the time-stamp counter, ring 3 and back by SYSCALL, a fault at ring 3.
        .code64
        .globl  guest_long, guest_long_end
guest_long:
        movl    $0x40000000, %eax
        cpuid
        movl    %ebx, %eax
        outl    %eax, $0x10
        movl    $0xC0000102, %ecx       # KERNEL_GS_BASE
        movl    $0x89ABCDEF, %eax
        movl    $0x00002BCD, %edx
        wrmsr
        swapgs
        movl    $0xC0000101, %ecx
        rdmsr
        outl    %eax, $0x10
        movl    %edx, %eax
        outl    %eax, $0x10
        movabsq $0x0000000500000003, %rax
        movq    %rax, %xmm1
        paddd   %xmm1, %xmm1
        movq    %xmm1, %rax
        outl    %eax, $0x10
        rdtsc
        shlq    $32, %rdx
        orq     %rax, %rdx
        movq    %rdx, %rbx
        rdtsc
        shlq    $32, %rdx
        orq     %rax, %rdx
        xorl    %eax, %eax
        cmpq    %rbx, %rdx
        seta    %al
        outl    %eax, $0x10
        movl    $0xC0000081, %ecx       # STAR
        xorl    %eax, %eax
        movl    $(0x00230018), %edx
        wrmsr
        movl    $0xC0000082, %ecx       # LSTAR
        movl    $(long_syscall - guest_long + LOAD), %eax
        xorl    %edx, %edx
        wrmsr
        movl    $0xC0000084, %ecx       # FMASK
        movl    $0x200, %eax
        wrmsr
        movl    $0xC0000080, %ecx
        rdmsr
        orl     $1, %eax
        wrmsr
        movl    $(long_user - guest_long + LOAD), %ecx
        movl    $0x3002, %r11d          # IOPL 3: the ports are open to ring 3
        sysretq
long_user:
        movl    %cs, %eax
        outl    %eax, $0x10
        movl    $7, %edi
        syscall
        outl    %eax, $0x10
        hlt                             # #GP at ring 3
long_syscall:
        leal    (%rdi, %rdi, 4), %eax
        sysretq
        .globl  long_protection
long_protection:
        movl    $0x6B, %eax
        outl    %eax, $0x10
        movq    (%rsp), %rax            # error code
        outl    %eax, $0x10
        movq    16(%rsp), %rax          # CS of the fault
        outl    %eax, $0x10
        outb    %al, $0x12
guest_long_end:

# Device memory at 0xD0000000: every size, a read-modify-write, and strings both ways.
        .globl  guest_mmio, guest_mmio_end
guest_mmio:
        movl    $0xD0000000, %ebx
        movb    $0x11, (%rbx)
        movw    $0xA222, 2(%rbx)
        movl    $0x33333333, 4(%rbx)
        movabsq $0x4444444455555555, %rax
        movq    %rax, 8(%rbx)
        movl    4(%rbx), %eax
        outl    %eax, $0x10
        movzbl  9(%rbx), %eax
        outl    %eax, $0x10
        movswl  2(%rbx), %eax
        outl    %eax, $0x10
        addl    $5, 0x20(%rbx)
        movl    $6, %eax
        xchgl   %eax, 0x20(%rbx)
        outl    %eax, $0x10
        lock orl $0x100, 0x20(%rbx)
        movl    $0x9000, %esi
        movl    $0xAABBCCDD, (%rsi)
        leaq    0x30(%rbx), %rdi
        movl    $1, %ecx
        rep movsl
        movl    %ebx, %esi
        movl    $0x9100, %edi
        movl    $2, %ecx
        rep movsl
        movl    0x9104, %eax
        outl    %eax, $0x10
        outb    %al, $0x12
guest_mmio_end:

# Counts at 0x9000 for ever; events tell themselves: vector 0x30 adds one to 0x9008, #GP tells its code, NMI blocks.
        .globl  guest_spin, guest_spin_end, spin_vector, spin_protection, spin_nmi, spin_debug
guest_spin:
        movl    $0x9000, %ebx
1:      incq    (%rbx)
        cmpq    $0, 0x18(%rbx)
        je      1b
        movl    8(%rbx), %eax
        outl    %eax, $0x10
        outb    %al, $0x12
        jmp     1b
spin_vector:
        incq    8(%rbx)
        outb    %al, $0x13
        iretq
spin_protection:
        pushq   %rax
        movl    8(%rsp), %eax
        outl    %eax, $0x10
        popq    %rax
        addq    $8, %rsp
        iretq
spin_nmi:
        pushq   %rax
        incq    0x10(%rbx)
        movl    0x10(%rbx), %eax
        outl    %eax, $0x10
        popq    %rax
        iretq
spin_debug:
        iretq
guest_spin_end:

# Interrupts closed, then open for one instruction at a time, then a HLT that only an interrupt ends.
        .globl  guest_window, guest_window_end, window_vector
guest_window:
        cli
        movl    $0x9000, %ebx
        movl    $1, %eax
        outl    %eax, $0x10
        outb    %al, $0x13
        nop
        movl    $2, %eax
        outl    %eax, $0x10
        sti
        nop
        nop
        cli
        movl    $3, %eax
        outl    %eax, $0x10
        sti
        hlt
        movl    $4, %eax
        outl    %eax, $0x10
        outb    %al, $0x12
window_vector:
        pushq   %rax
        movl    $0x30, %eax
        outl    %eax, $0x10
        popq    %rax
        iretq
guest_window_end:

# The two 8259s and channel 0 of the 8254 in the kernel: ten ticks, each with its own EOI.
        .globl  guest_ticks, guest_ticks_end, ticks_vector
guest_ticks:
        movl    $0x9000, %ebx
        movb    $0x11, %al
        outb    %al, $0x20
        movb    $0x20, %al
        outb    %al, $0x21
        movb    $0x04, %al
        outb    %al, $0x21
        movb    $0x01, %al
        outb    %al, $0x21
        movb    $0xFE, %al
        outb    %al, $0x21
        movb    $0x34, %al
        outb    %al, $0x43
        movb    $0xA9, %al              # 1193: a millisecond
        outb    %al, $0x40
        movb    $0x04, %al
        outb    %al, $0x40
        sti
1:      hlt
        cmpl    $10, (%rbx)
        jb      1b
        cli
        movl    (%rbx), %eax
        outl    %eax, $0x10
        outb    %al, $0x12
ticks_vector:
        pushq   %rax
        incl    (%rbx)
        movb    $0x20, %al
        outb    %al, $0x20
        popq    %rax
        iretq
guest_ticks_end:

# The local APIC in the kernel: a periodic timer, the deadline timer, an interrupt to itself held back by CR8.
        .globl  guest_apic, guest_apic_end, apic_vector, apic_self
guest_apic:
        movl    $0x9000, %ebx
        movl    $APIC, %r8d
        movl    $0x1FF, 0xF0(%r8)
        movl    $0xB, 0x3E0(%r8)
        movl    $(0x20000 | 0x30), 0x320(%r8)
        movl    $100000, 0x380(%r8)
        sti
1:      hlt
        cmpl    $5, (%rbx)
        jb      1b
        movl    $0, 0x380(%r8)
        cli
        movl    (%rbx), %eax
        outl    %eax, $0x10
        movl    $(0x40000 | 0x30), 0x320(%r8)
        mfence
        rdtsc
        addl    $200000, %eax
        adcl    $0, %edx
        movl    $0x6E0, %ecx
        wrmsr
        sti
2:      hlt
        cmpl    $6, (%rbx)
        jb      2b
        movl    (%rbx), %eax
        outl    %eax, $0x10
        movl    $0xF, %eax
        movq    %rax, %cr8
        movl    $(0x40000 | 0x41), 0x300(%r8)
        nop
        nop
        movl    4(%rbx), %eax           # not yet
        outl    %eax, $0x10
        xorl    %eax, %eax
        movq    %rax, %cr8
        nop
        movl    4(%rbx), %eax           # now
        outl    %eax, $0x10
        outb    %al, $0x12
apic_vector:
        incl    (%rbx)
        movl    $0, 0xB0(%r8)
        iretq
apic_self:
        incl    4(%rbx)
        movl    $0, 0xB0(%r8)
        iretq
guest_apic_end:

# Two processors: the first starts the second by INIT and SIPI, both add to one number, the second interrupts the first.
        .globl  guest_pair, guest_pair_end, pair_vector, guest_second, guest_second_end
guest_pair:
        movl    $0x9000, %ebx
        movl    $APIC, %r8d
        movl    $0x1FF, 0xF0(%r8)
        movl    $(1 << 24), 0x310(%r8)
        movl    $0x4500, 0x300(%r8)
        movl    $(1 << 24), 0x310(%r8)
        movl    $0x4608, 0x300(%r8)
        movl    $20000, %ecx
1:      lock incl (%rbx)
        decl    %ecx
        jnz     1b
        sti
2:      pause
        cmpl    $1, 4(%rbx)             # set by the interrupt from the other
        jne     2b
        movl    (%rbx), %eax
        outl    %eax, $0x10
        movl    8(%rbx), %eax           # the other's APIC id
        outl    %eax, $0x10
        outb    %al, $0x12
pair_vector:
        movl    $1, 4(%rbx)
        movl    $0, 0xB0(%r8)
        iretq
        .code16
guest_second:                           # at 0x8000: real mode, then flat 32-bit for the APIC
        cli
        lgdtl   %cs:(second_gdtr - guest_second)
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $CODE32, $(second32 - guest_second + 0x8000)
        .balign 8
second_gdtr:
        .word   0x7F
        .long   0x6000
        .code32
second32:
        movl    $DATA, %eax
        movl    %eax, %ds
        movl    $20000, %ecx
1:      lock incl 0x9000
        decl    %ecx
        jnz     1b
        movl    $0x1FF, APIC + 0xF0
        movl    APIC + 0x20, %eax
        shrl    $24, %eax
        movl    %eax, 0x9008
2:      pause
        cmpl    $40000, 0x9000
        jb      2b
        movl    $0, APIC + 0x310
        movl    $0x4030, APIC + 0x300
3:      hlt
        jmp     3b
guest_second_end:
guest_pair_end:

        .section .note.GNU-stack, "", @progbits
