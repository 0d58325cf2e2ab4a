//! Random numbers from a seed and a purpose, the same on every machine.

use bitspike_random::Random;

/// The stream of a seed for one purpose, as the number of a sample.
///
/// ```
/// use bitspike_events::random;
/// assert_eq!(random(1, 2), random(1, 2));
/// assert_ne!(random(1, 2), random(1, 3));
/// ```
pub fn random(seed: u64, purpose: u64) -> Random {
    let key = Random::from_state(seed).next_u64();
    Random::from_state(key ^ purpose.wrapping_mul(0xd134_2543_de82_ef95))
}
