//! Files of versions 1 to 3 keep their bytes, whatever later versions add.

use bitspike_format::{Features, GateSpec, Pool, WordLengths, crc32c, example, quantise, write, write_integers};

/// Checksums of files as they were written before there was a version 3 (commit 1b948cb): with reals, and with integers.
#[test]
fn square_networks_are_the_same_files_as_ever() {
    let none = |_: usize, _: usize, _: &mut example::Numbers| GateSpec::None;
    let fixed = |t: usize, c: usize, n: &mut example::Numbers| GateSpec::Fixed(n.take(t * c));
    let chain =
        |pool, gate: example::GateOf<'_>| example::chain("8-33-P-5-P", [3, 9, 7], 3, Features::Average, pool, gate);
    let rows = [
        (example::tiny_spec(), [0x2f60_6a32, 0x955e_83d4]),
        (chain(Pool::Current, &none), [0x4a2e_011c, 0xad77_577e]),
        (chain(Pool::Spikes, &fixed), [0x4611_210f, 0x1fa3_f0d5]),
        (chain(Pool::MaxSpikes, &example::sample_gate), [0xbe42_e0ce, 0x34d3_fb83]),
        (
            example::residual("6-6-10", [2, 8, 6], 3, Features::Flatten, &example::sample_gate),
            [0xba56_78e9, 0x498c_c329],
        ),
    ];
    let found = rows.each_ref().map(|(spec, _)| {
        let integers = quantise(spec, &WordLengths::default()).unwrap().0;
        [crc32c(&write(spec).unwrap()), crc32c(&write_integers(&integers).unwrap())]
    });
    assert_eq!(found, rows.map(|(_, sums)| sums));
    assert_eq!(crc32c(&write(&example::vgg11(&example::sample_gate)).unwrap()), 0x05d3_4329);
}

/// The same of signals, as they were written before there was a version 4 (commit 67707b8).
#[test]
fn signals_are_the_same_files_as_ever() {
    let found = [Pool::Current, Pool::Spikes].map(|pool| {
        let chain = example::chain("8-33-P-5-P", [3, 1, 33], 3, Features::Average, pool, &example::sample_gate);
        let spec = example::one_row(chain);
        let integers = quantise(&spec, &WordLengths::default()).unwrap().0;
        [crc32c(&write(&spec).unwrap()), crc32c(&write_integers(&integers).unwrap())]
    });
    assert_eq!(found, [[0x8686_7fdb, 0xd85b_2337], [0xaf7f_f34b, 0xb910_5aa0]]);
}
