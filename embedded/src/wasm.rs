//! WebAssembly: `main` runs all samples; output goes through the imported function `host.put(byte)`.

use crate::{ARENA_WORDS, INPUTS, all};
use core::ptr::addr_of_mut;

static mut ARENA: [u32; ARENA_WORDS] = [0; ARENA_WORDS];
static mut SAMPLE: [f32; INPUTS] = [0.0; INPUTS];

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    fn put(byte: u32);
}

/// Writes text to the host.
pub(crate) fn write(text: &[u8]) {
    for byte in text {
        // SAFETY: takes a number.
        unsafe { put(u32::from(*byte)) };
    }
}

/// Returns 0 if all went well.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    // SAFETY: only this function touches the two, and WebAssembly has one thread.
    i32::from(!unsafe { all(&mut *addr_of_mut!(ARENA), &mut *addr_of_mut!(SAMPLE)) })
}
