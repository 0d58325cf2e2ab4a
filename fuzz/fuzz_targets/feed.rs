//! The section FEED by itself, within a file whose checksums fit: whatever its bytes, a typed error or names and a chain that
//! fit the network, and C sources, or the reason why there are none.
#![no_main]

use bitspike_format::Model;
use bitspike_fuzz::models;
use bitspike_infer::c99;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(models::fed);

fuzz_target!(|bytes: &[u8]| {
    let Some((first, section)) = bytes.split_first() else { return };
    let file = models::with_feed(&FILES[usize::from(*first) % FILES.len()], section);
    let Ok(model) = Model::parse(&file) else { return };
    let (feed, n) = (model.feed().unwrap(), model.network());
    assert_eq!(feed.classes.iter().count(), n.classes);
    let control = |name: &str| name.chars().any(char::is_control);
    assert!(!feed.classes.iter().any(control));
    if let Some(signal) = &feed.signal {
        assert!(!signal.channels.iter().any(control));
        let rows = signal.channels.len() * signal.chain.rows() as usize;
        assert_eq!((signal.centre.iter().count(), signal.scale.iter().count()), (rows, rows));
    }
    match c99::stream(&model, "net", None) {
        Ok(sources) => assert!(sources.ram_bytes > 0 && sources.source.is_ascii() && sources.header.is_ascii()),
        Err(e) => assert!(!e.hint().is_empty()),
    }
});
