# First instructions of the hypervisor: from multiboot2's 32-bit protected mode to hypervisor_start_up() in long mode.

        .set kMultibootMagic, 0xE85250D6

        .section .multiboot2, "a"
        .balign 8
multiboot2_header:
        .long   kMultibootMagic, 0, multiboot2_end - multiboot2_header
        .long   -(kMultibootMagic + (multiboot2_end - multiboot2_header))
        .short  6, 0                            # modules on page boundaries
        .long   8
        .short  0, 0                            # end tag
        .long   8
multiboot2_end:

        .text
        .code32
        .globl  start
        .type   start, @function
start:
        cld
        movl    $boot_stack_end, %esp
        movl    %eax, %esi
        movl    %ebx, %edi

        # Identity map of the first 4 GiB with 2 MiB pages; memory above is added by map_physical_memory().
        movl    $(host_pdpt + 3), host_pml4
        movl    $(host_directories + 3), %eax
        xorl    %ecx, %ecx
1:      movl    %eax, host_pdpt(, %ecx, 8)
        addl    $4096, %eax
        incl    %ecx
        cmpl    $4, %ecx
        jne     1b
        movl    $0x83, %eax                     # present, writable, 2 MiB
        xorl    %ecx, %ecx
2:      movl    %eax, host_directories(, %ecx, 8)
        addl    $0x200000, %eax
        incl    %ecx
        cmpl    $2048, %ecx
        jne     2b

        call    enter_long_mode
        ljmp    $0x08, $start64

        .globl  enter_long_mode
# Turns on PAE, long mode and paging with host_pml4. Shared by all processors.
enter_long_mode:
        movl    $host_pml4, %eax
        movl    %eax, %cr3
        movl    %cr4, %eax
        orl     $0x620, %eax                    # PAE, OSFXSR, OSXMMEXCPT
        movl    %eax, %cr4
        movl    $0xC0000080, %ecx               # IA32_EFER
        rdmsr
        orl     $0x900, %eax                    # LME, NXE
        wrmsr
        movl    %cr0, %eax
        andl    $~0x6000000C, %eax              # CD, NW, TS, EM off
        orl     $0x80010023, %eax               # PG, WP, NE, MP, PE
        movl    %eax, %cr0
        lgdt    boot_gdt_pointer
        ret

        .code64
start64:
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %ebp, %ebp
        movl    $boot_stack_end, %esp
        xchgl   %esi, %edi                      # hypervisor_start_up(magic, information)
        call    hypervisor_start_up
        ud2

        .section .rodata
        .balign 8
boot_gdt:
        .quad   0
        .quad   0x00AF9B000000FFFF              # 08: 64-bit code
        .quad   0x00CF93000000FFFF              # 10: data
boot_gdt_pointer:
        .word   boot_gdt_pointer - boot_gdt - 1
        .quad   boot_gdt

        .section .bss
        .balign 4096
        .globl  host_pml4, host_pdpt
host_pml4:              .skip 4096
host_pdpt:              .skip 4096
host_directories:       .skip 4 * 4096
boot_stack:             .skip 65536
        .globl  boot_stack_end
boot_stack_end:

        .section .note.GNU-stack, "", @progbits
