//! HDF5 files that h5py wrote: `tests/data/make_hdf5.py` makes them and prints the numbers below.
#![cfg(feature = "hdf5")]

use bitspike_events::dataset::{EventConfig, EventSetName, Split, Values, list, load};
use bitspike_events::{ErrorKind, EventError, EventReader, Format, ReadOptions, SpikeLists, Summary, TimeUnit};
use std::path::{Path, PathBuf};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

#[test]
fn spike_lists_of_old_new_plain_and_packed_files() {
    // Per sample: spikes, sum of microseconds, sum of units.
    type Sample = (usize, i64, u64);
    let files: [(&str, &[Sample]); 4] = [
        (
            "shd_train.h5",
            &[
                (41, 19937112, 15556),
                (58, 30732551, 18923),
                (0, 0, 0),
                (52, 23584836, 17711),
                (8, 2324005, 2931),
                (55, 26875410, 18079),
            ],
        ),
        ("shd_test.h5", &[(36, 18815369, 11477), (31, 14892533, 9679), (0, 0, 0)]),
        (
            "newest.h5",
            &[
                (16, 6613645, 5834),
                (47, 22887112, 16559),
                (0, 0, 0),
                (29, 12173461, 12607),
                (23, 10364546, 7197),
                (30, 15237393, 11638),
            ],
        ),
        (
            "chunked.h5",
            &[
                (17, 7302336, 4430),
                (6, 3225798, 2673),
                (0, 0, 0),
                (11, 5214943, 4177),
                (36, 15533610, 13365),
                (28, 15040404, 11031),
            ],
        ),
    ];
    for (name, samples) in files {
        let f = SpikeLists::open(&data(name)).unwrap();
        assert_eq!(f.len(), samples.len(), "{name}");
        assert_eq!(f.keys().unwrap(), ["zero", "one", "eins"]);
        for (i, (n, t, units)) in samples.iter().enumerate() {
            let e = f.events(i).unwrap();
            let got = (e.len(), e.iter().map(|e| e.t).sum(), e.iter().map(|e| u64::from(e.x)).sum());
            // numpy rounds after the sum, so by less than half a microsecond a spike.
            assert_eq!((got.0, got.2), (*n, *units), "{name} {i}");
            let sum: i64 = got.1;
            assert!((sum - t).unsigned_abs() as usize <= n / 2 + 1, "{name} {i}: {sum} {t}");
            assert!(e.iter().all(|e| e.p && e.y == 0) && e.is_sorted_by_key(|e| e.t));
            assert_eq!(f.labels()[i], i as u32 % 3);
            assert_eq!(f.speakers().unwrap()[i], i as u32 % 4);
        }
        assert!(matches!(f.events(samples.len()), Err(EventError::Option { .. })));
    }
}

#[test]
fn recordings_of_both_layouts_are_the_same_events() {
    let mut compound = EventReader::open(&data("compound.h5"), &ReadOptions::default()).unwrap();
    assert_eq!(compound.format(), Format::Hdf5);
    let s = compound.summarise().unwrap();
    assert_eq!((s.events, s.t_first, s.t_last, s.sum_t), (300, Some(30), Some(7684), 1152547));
    assert_eq!((s.sum_x, s.sum_y, s.on), (93766, 72016, 163));
    let told = ReadOptions::default().with_time_unit(TimeUnit::Seconds);
    let mut columns = EventReader::open(&data("columns.h5"), &told).unwrap();
    let mut parts = Summary::new();
    let mut batch = [bitspike_events::Event::default(); 7];
    while let n @ 1.. = columns.read(&mut batch).unwrap() {
        parts.add(&batch[..n]);
    }
    assert_eq!(parts.sha256(), s.sha256());

    let untold = EventReader::open(&data("columns.h5"), &ReadOptions::default()).unwrap_err();
    assert!(untold.to_string().starts_with("time_unit: expected s, ms, us or ns"), "{untold}");
    let lists = EventReader::open(&data("newest.h5"), &ReadOptions::default()).unwrap_err();
    assert_eq!(lists.kind(), ErrorKind::Unsupported);
    assert!(lists.hint().contains("shd or ssc"), "{}", lists.hint());
    assert!(SpikeLists::open(&data("compound.h5")).is_err());
}

#[test]
fn shd_is_a_data_set_of_one_channel() {
    let mut c = EventConfig::new(EventSetName::Shd, data(""));
    (c.steps, c.options.values, c.options.size) = (4, Values::Counts, Some([1, 70]));
    let l = list(&c).unwrap();
    assert_eq!(
        (l.classes.clone(), l.train.len(), l.test.len()),
        (vec!["zero".into(), "one".into(), "eins".into()], 6, 3)
    );
    assert_eq!((l.train[4].entry, l.train[4].label), (Some(4), 1));
    let set = load(&c).unwrap();
    assert_eq!(set.shape, [1, 1, 70]);
    let sums: Vec<u32> = set.train.samples.chunks(4 * 70).map(|s| s.iter().map(|v| u32::from(*v)).sum()).collect();
    assert_eq!(sums, [41, 58, 0, 52, 8, 55], "every spike is counted once");
    c.options.split = Some(Split::First(1));
    let l = list(&c).unwrap();
    assert_eq!((l.train.len(), l.test.len()), (3, 3));
    let missing = list(&EventConfig::new(EventSetName::Ssc, data(""))).unwrap_err();
    assert!(matches!(&missing, EventError::Missing { missing, .. } if missing[0] == "ssc_train.h5"), "{missing}");
}

/// Reads all there is to read.
fn drain(bytes: &[u8]) -> Result<usize, EventError> {
    let name = Path::new("damaged.h5");
    match SpikeLists::from_bytes(name, bytes.to_vec()) {
        Ok(f) => (0..f.len()).map(|i| f.events(i).map(|e| e.len())).sum(),
        Err(_) => {
            let options = ReadOptions::default().with_format(Format::Hdf5).with_time_unit(TimeUnit::Micros);
            EventReader::from_bytes(name, bytes.to_vec(), &options)?.read_all().map(|e| e.len())
        }
    }
}

#[test]
fn files_cut_anywhere_and_damaged_anywhere_end_in_an_error_or_in_events() {
    for name in ["shd_train.h5", "newest.h5", "chunked.h5", "compound.h5", "columns.h5"] {
        let good = std::fs::read(data(name)).unwrap();
        let whole = drain(&good).unwrap();
        for n in (0..good.len()).step_by(if name == "compound.h5" { 3 } else { 29 }) {
            match drain(&good[..n]) {
                // The space at the end of a file may be unused.
                Ok(events) => assert!(events == whole && n > good.len() / 2, "{name} cut at {n}: {events}"),
                Err(e) => assert!(!matches!(e.kind(), ErrorKind::Invalid | ErrorKind::Missing), "{name} {n}: {e}"),
            }
        }
        let mut r = bitspike_events::random(1, 1);
        for _ in 0..500 {
            let mut bad = good.clone();
            for _ in 0..=r.below(3) {
                bad[r.below(good.len() as u64) as usize] = r.next_u64() as u8;
            }
            if let Ok(events) = drain(&bad) {
                assert!(events <= 1 << 20, "{name}: {events} events of {} bytes", bad.len());
            }
        }
    }
}
