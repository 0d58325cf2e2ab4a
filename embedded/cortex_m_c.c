/* Start-up of the exported C's test on QEMU's mps2-an386: vector table, FPU, memory, newlib's semihosting. */
#include <stdint.h>
#include <stdlib.h>

extern uint32_t DATA_START, DATA_END, DATA_SOURCE, BSS_START, BSS_END, STACK_TOP;
extern void initialise_monitor_handles(void);
extern int main(void);
void reset(void);
void fault(void);

/* newlib's exit calls these. */
void _init(void);
void _fini(void);
void _init(void) {}
void _fini(void) {}

void fault(void) {
    for (;;) {}
}

void reset(void) {
    uint32_t *from = &DATA_SOURCE, *to;
    /* CPACR: the FPU on. */
    *(volatile uint32_t *)0xE000ED88u = 0x00F00000u;
    __asm__ volatile("dsb\n isb");
    for (to = &DATA_START; to < &DATA_END; to++) { *to = *from++; }
    for (to = &BSS_START; to < &BSS_END; to++) { *to = 0u; }
    initialise_monitor_handles();
    exit(main());
}

typedef void (*vector_t)(void);
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    vector_t reset, faults[14];
} VECTORS = {&STACK_TOP, reset,
             {fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault}};
