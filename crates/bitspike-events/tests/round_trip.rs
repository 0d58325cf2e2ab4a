//! What the writers make is read back as it was, and a file has its name only when it is whole.

mod common;

use bitspike_events::{Event, EventError, EventReader, EventWriter, Format, ReadOptions};
use common::{drain, plain, written};
use proptest::prelude::*;

const WRITTEN: [Format; 4] = [Format::Evt3, Format::Es, Format::Npz, Format::Csv];

#[test]
fn no_events_are_a_file_too() {
    for format in WRITTEN {
        let (events, error) = drain(&written(&[], format), None);
        assert!(events.is_empty() && error.is_none(), "{}: {error:?}", format.name());
    }
}

#[test]
fn long_pauses_and_turns_of_the_counter_survive() {
    let times = [0, 5, 4_095, 4_096, 20_000_000, 20_000_000, 100_000_000, 3_600_000_000];
    let events: Vec<Event> = times.iter().map(|t| Event::new(*t, 1, 2, true)).collect();
    for format in WRITTEN {
        assert_eq!(drain(&written(&events, format), None).0, events, "{}", format.name());
    }
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    for format in WRITTEN {
        let folder = tempfile::tempdir().unwrap();
        let mut w = EventWriter::create(&folder.path().join("events"), format, (128, 128)).unwrap();
        w.write(&plain(100)).unwrap();
        drop(w);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{}", format.name());
    }
}

#[test]
fn an_old_file_stays_until_the_new_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    std::fs::write(&path, "old").unwrap();
    let mut w = EventWriter::create(&path, Format::Csv, (128, 128)).unwrap();
    w.write(&plain(3)).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(w.events(), 3);
    w.finish().unwrap();
    assert_eq!(EventReader::open(&path, &ReadOptions::default()).unwrap().read_all().unwrap(), plain(3));
}

#[test]
fn what_a_format_cannot_hold_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let ok = Event::new(9_000_000, 5, 5, true);
    for (format, event, what) in [
        (Format::Evt3, Event::new(-1, 0, 0, true), "t"),
        (Format::Evt3, Event::new(9_000_000, 2048, 0, true), "x"),
        (Format::Evt3, Event::new(9_000_000, 0, 2048, true), "y"),
        (Format::Evt3, Event::new(0, 0, 0, true), "t"),
        (Format::Es, Event::new(8_999_999, 0, 0, true), "t"),
        (Format::Es, Event::new(9_000_000, 128, 0, true), "place"),
    ] {
        let mut w = EventWriter::create(&path, format, (128, 128)).unwrap();
        match w.write(&[ok, event]) {
            Err(EventError::Unwritable { index: 1, what: found, .. }) => assert_eq!(found, what),
            other => panic!("{} {event:?}: {other:?}", format.name()),
        }
    }
    let unknown = EventWriter::create(&path, Format::Dat, (1, 1)).unwrap_err();
    assert!(matches!(unknown, EventError::Option { key: "format", .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any events in order of time, in every format that is written.
    #[test]
    fn events_survive(steps in prop::collection::vec((0i64..30_000, 0u16..128, 0u16..128, any::<bool>()), 0..300)) {
        let mut t = 0;
        let events: Vec<Event> = steps.iter().map(|(dt, x, y, p)| { t += dt; Event::new(t, *x, *y, *p) }).collect();
        for format in WRITTEN {
            let (got, error) = drain(&written(&events, format), Some(format));
            prop_assert!(error.is_none(), "{}: {error:?}", format.name());
            prop_assert_eq!(&got, &events, "{}", format.name());
        }
    }

    /// Times out of order and beyond: npz and CSV hold anything.
    #[test]
    fn anything_survives_in_npz_and_csv(
        rows in prop::collection::vec((any::<i64>(), any::<u16>(), any::<u16>(), any::<bool>()), 0..100)
    ) {
        let events: Vec<Event> = rows.iter().map(|(t, x, y, p)| Event::new(*t, *x, *y, *p)).collect();
        for format in [Format::Npz, Format::Csv] {
            prop_assert_eq!(drain(&written(&events, format), None).0, events.clone(), "{}", format.name());
        }
    }
}

#[test]
fn writers_of_one_target_do_not_meet_and_files_of_others_stay() {
    for format in [Format::Csv, Format::Es, Format::Evt3, Format::Npz] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        // The name that writers once had for their temporary files.
        let other = folder.path().join("events.tmp");
        std::fs::write(&other, "of somebody else").unwrap();
        let events = [Event::new(1, 2, 3, true), Event::new(9, 3, 2, false)];
        let mut first = EventWriter::create(&path, format, (128, 128)).unwrap();
        let mut second = EventWriter::create(&path, format, (128, 128)).unwrap();
        first.write(&events).unwrap();
        second.write(&events[..1]).unwrap();
        first.finish().unwrap();
        let read = || EventReader::open(&path, &ReadOptions::default()).unwrap().read_all().unwrap();
        assert_eq!(read(), events, "{}", format.name());
        second.finish().unwrap();
        assert_eq!(read(), events[..1], "{}", format.name());
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "of somebody else");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "{}", format.name());
    }
}
