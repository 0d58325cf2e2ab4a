/* A board for QEMU: a recording instead of a sensor, semihosting instead of a display. */
#include "board.h"

enum { WINDOWS = ALL_WINDOWS };
static const int16_t COUNTS[] = {ALL_COUNTS};
static uint32_t next;
extern uint32_t BSS_END, STACK_TOP;

static void semihost(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(uint32_t a, uint32_t b) {
    static const char DIGITS[] = "0123456789abcdef";
    char line[] = "0000 0000\n";
    uint32_t i;
    for (i = 0u; i < 4u; i++) {
        line[3u - i] = DIGITS[a >> (4u * i) & 15u];
        line[8u - i] = DIGITS[b >> (4u * i) & 15u];
    }
    semihost(0x04u, line); /* SYS_WRITE0 */
}

/* The stack is painted, and looked at when all is done. */
void board_start(void) {
    uint32_t *at, here;
    for (at = &BSS_END; at + 64 < &here; at++) { *at = 0xA5A5A5A5u; }
}

int board_read(int16_t *counts) {
    uint32_t c;
    if (next == sizeof COUNTS / sizeof *COUNTS) { return 0; }
    for (c = 0u; c < NET_CHANNELS; c++) { counts[c] = COUNTS[next++]; }
    return 1;
}

void board_answer(const net_result_t *result) {
    const uint32_t *at = &BSS_END;
    uint32_t i;
    if (result->window >= WINDOWS) { return; }
    print(result->window, result->best);
    if (result->window + 1u < WINDOWS) { return; }
    while (*at == 0xA5A5A5A5u) { at++; }
    semihost(0x04u, "stack ");
    i = (uint32_t)(&STACK_TOP - at) * 4u;
    print(i >> 16, i);
    semihost(0x18u, (const void *)0x20026u); /* SYS_EXIT */
}
