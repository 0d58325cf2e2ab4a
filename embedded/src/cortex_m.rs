//! Cortex-M4F: vector table, reset, and semihosting for output (QEMU's machine mps2-an386, or a debugger).

use crate::{ARENA_WORDS, INPUTS, all};
use core::arch::asm;
use core::ptr::addr_of_mut;

static mut ARENA: [u32; ARENA_WORDS] = [0; ARENA_WORDS];
static mut SAMPLE: [f32; INPUTS] = [0.0; INPUTS];

unsafe extern "C" {
    static mut STACK_BOTTOM: u32;
    static mut STACK_TOP: u32;
    static mut BSS_START: u32;
    static mut BSS_END: u32;
}

/// What an unused word of the stack holds.
const PAINT: u32 = 0x5AFE_C0DE;

#[repr(C)]
struct Vectors {
    stack: *const u32,
    reset: unsafe extern "C" fn() -> !,
    faults: [unsafe extern "C" fn() -> !; 14],
}

// SAFETY: constants in flash, read by the processor only.
unsafe impl Sync for Vectors {}

#[unsafe(link_section = ".vectors")]
#[used]
static VECTORS: Vectors = Vectors { stack: &raw const STACK_TOP, reset, faults: [fault; 14] };

/// A semihosting call.
///
/// # Safety
/// As the call `operation` asks for its argument.
unsafe fn semihosting(operation: u32, argument: usize) {
    // SAFETY: the debugger or emulator answers the break point and returns.
    unsafe { asm!("bkpt 0xab", inout("r0") operation => _, in("r1") argument) };
}

/// Writes text to the debugger.
pub(crate) fn write(text: &[u8]) {
    for byte in text {
        // SAFETY: SYS_WRITEC takes the address of a byte.
        unsafe { semihosting(3, byte as *const u8 as usize) };
    }
}

fn exit(ok: bool) -> ! {
    // SAFETY: SYS_EXIT takes a reason: ADP_Stopped_ApplicationExit, or a run-time error.
    unsafe { semihosting(0x18, if ok { 0x2_0026 } else { 0x2_0023 }) };
    loop {}
}

unsafe extern "C" fn fault() -> ! {
    write(b"fault\n");
    exit(false)
}

unsafe extern "C" fn reset() -> ! {
    // SAFETY: the first code to run, alone: memory between the linker's symbols belongs to it, and the stack grows down from
    // STACK_TOP, of which 1 KB is left alone here. CPACR at 0xE000_ED88 turns on the FPU.
    unsafe {
        core::ptr::write_volatile(0xE000_ED88 as *mut u32, 0x00F0_0000);
        asm!("dsb", "isb");
        let mut word = addr_of_mut!(BSS_START);
        while word < addr_of_mut!(BSS_END) {
            word.write_volatile(0);
            word = word.add(1);
        }
        let mut word = addr_of_mut!(STACK_BOTTOM);
        while word < addr_of_mut!(STACK_TOP).wrapping_sub(256) {
            word.write_volatile(PAINT);
            word = word.add(1);
        }
    }
    // SAFETY: only this function touches the two, once.
    let ok = unsafe { all(&mut *addr_of_mut!(ARENA), &mut *addr_of_mut!(SAMPLE)) };
    let mut untouched = 0;
    // SAFETY: inside the stack.
    unsafe {
        let mut word = addr_of_mut!(STACK_BOTTOM);
        while word < addr_of_mut!(STACK_TOP) && word.read_volatile() == PAINT {
            untouched += 4;
            word = word.add(1);
        }
    }
    write(b"stack ");
    let size = addr_of_mut!(STACK_TOP) as usize - addr_of_mut!(STACK_BOTTOM) as usize;
    crate::hex((size - untouched) as u32);
    write(b"\n");
    exit(ok)
}
