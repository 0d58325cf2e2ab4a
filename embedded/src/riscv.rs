//! RISC-V (QEMU's machine virt): output to its UART, exit through its test device.

use crate::{ARENA_WORDS, INPUTS, all};
use core::ptr::addr_of_mut;

static mut ARENA: [u32; ARENA_WORDS] = [0; ARENA_WORDS];
static mut SAMPLE: [f32; INPUTS] = [0.0; INPUTS];

core::arch::global_asm!(
    ".section .vectors, \"ax\"",
    ".globl _start",
    "_start:",
    "la sp, STACK_TOP",
    "la t0, BSS_START",
    "la t1, BSS_END",
    "1: bgeu t0, t1, 2f",
    "sw zero, 0(t0)",
    "addi t0, t0, 4",
    "j 1b",
    "2: j start"
);

/// Writes text to the UART.
pub(crate) fn write(text: &[u8]) {
    for byte in text {
        // SAFETY: the transmit register of the machine's UART.
        unsafe { core::ptr::write_volatile(0x1000_0000 as *mut u8, *byte) };
    }
}

#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    // SAFETY: only this function touches the two, once.
    let ok = unsafe { all(&mut *addr_of_mut!(ARENA), &mut *addr_of_mut!(SAMPLE)) };
    // SAFETY: the machine's test device: pass, or fail with code 1.
    unsafe { core::ptr::write_volatile(0x0010_0000 as *mut u32, if ok { 0x5555 } else { 0x1_3333 }) };
    loop {}
}
