/* Vector table and start-up of a Cortex-M without a vendor's library. */
#include <stdint.h>

extern uint32_t DATA_START, DATA_END, DATA_SOURCE, BSS_START, BSS_END, STACK_TOP;
extern int main(void);
void reset(void);
void fault(void);

void fault(void) {
    for (;;) {}
}

void reset(void) {
    uint32_t *from = &DATA_SOURCE, *to;
#ifdef __ARM_FP
    /* CPACR: the FPU on. */
    *(volatile uint32_t *)0xE000ED88u = 0x00F00000u;
    __asm__ volatile("dsb\n isb");
#endif
    for (to = &DATA_START; to < &DATA_END; to++) { *to = *from++; }
    for (to = &BSS_START; to < &BSS_END; to++) { *to = 0u; }
    (void)main();
    fault();
}

typedef void (*vector_t)(void);
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    vector_t reset, faults[14];
} VECTORS = {&STACK_TOP, reset,
             {fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault}};
