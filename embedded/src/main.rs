//! Runs stored samples on bare metal and prints logits and spikes, for comparison with the host.
//!
//! `scripts/test_embedded.sh` makes the case, builds this for Cortex-M, RISC-V and WebAssembly, and runs it. Two proofs are in
//! the link: the panic handler calls a symbol that nobody defines, so a program with any path to a panic does not link; and
//! no allocator is built at all.
#![no_std]
#![no_main]

use bitspike_format::Model;
use bitspike_infer::{Digest, run};

// The case: sizes, and where its files are.
include!(concat!(env!("BITSPIKE_CASE"), "/case.rs"));

#[cfg(target_arch = "arm")]
mod cortex_m;
#[cfg(target_arch = "riscv32")]
mod riscv;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(target_arch = "arm")]
use cortex_m as machine;
#[cfg(target_arch = "riscv32")]
use riscv as machine;
#[cfg(target_arch = "wasm32")]
use wasm as machine;

/// An array at an address that is a multiple of 16, as the format likes it.
#[repr(align(16))]
struct Aligned<const N: usize>([u8; N]);

static MODEL: Aligned<{ include_bytes!(concat!(env!("BITSPIKE_CASE"), "/model.bsnn")).len() }> =
    Aligned(*include_bytes!(concat!(env!("BITSPIKE_CASE"), "/model.bsnn")));
static SAMPLES: &[u8] = include_bytes!(concat!(env!("BITSPIKE_CASE"), "/samples.f32"));

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        /// Defined nowhere.
        fn a_path_to_a_panic_is_left() -> !;
    }
    // SAFETY: never linked.
    unsafe { a_path_to_a_panic_is_left() }
}

/// Writes eight hexadecimal digits.
fn hex(value: u32) {
    let mut text = [b' '; 9];
    for (i, digit) in text.iter_mut().take(8).enumerate() {
        let nibble = (value >> (28 - 4 * i)) as u8 & 15;
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    }
    machine::write(&text);
}

/// All samples: a line each with the number of spikes, their digest, and the bits of the logits. False if anything failed.
fn all(arena: &mut [u32; ARENA_WORDS], sample: &mut [f32; INPUTS]) -> bool {
    let model = match Model::parse(&MODEL.0) {
        Ok(model) => model,
        Err(_) => {
            machine::write(b"the model was refused\n");
            return false;
        }
    };
    let (values, _) = SAMPLES.as_chunks::<4>();
    for values in values.chunks_exact(INPUTS) {
        for (to, from) in sample.iter_mut().zip(values) {
            *to = f32::from_le_bytes(*from);
        }
        let mut logits = [0.0; CLASSES];
        let mut digest = Digest::default();
        if run(&model, arena, sample, &mut logits, &mut digest).is_err() {
            machine::write(b"a sample was refused\n");
            return false;
        }
        hex(digest.spikes);
        hex(digest.hash);
        logits.iter().for_each(|logit| hex(logit.to_bits()));
        machine::write(b"\n");
    }
    true
}
