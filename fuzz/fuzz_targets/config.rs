//! Configurations of data as TOML, and the table of labels beside recordings; the first byte says which. Whatever the text, a
//! configuration whose ranges hold, or an error that says what to do.
#![no_main]

use bitspike_data::{AugmentConfig, DataConfig};
use bitspike_fuzz::Folder;
use bitspike_sensors::{IndexLabels, Labels, SensorConfig, load};
use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;
use std::sync::LazyLock;

/// Four recordings of a channel, in a folder without a table.
static HOME: LazyLock<Folder> = LazyLock::new(|| {
    let home = Folder::new();
    for i in 0..4 {
        std::fs::write(home.path().join(format!("{i}.csv")), "a\n1\n2\n3\n4\n").unwrap();
    }
    home
});

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match first % 4 {
        0 => round_trip::<SensorConfig>(text, |c| c.validate().is_ok()),
        1 => round_trip::<DataConfig>(text, |c| c.validate().is_ok()),
        2 => round_trip::<AugmentConfig>(text, |_| true),
        _ => {
            let index = IndexLabels { group: Some("group".into()), ..IndexLabels::default() };
            let mut config: SensorConfig =
                toml::from_str("window = { length = 2 }\nexclude = [\"index.csv\"]\nsplit = { by = \"group\" }")
                    .unwrap();
            (config.path, config.labels) = (HOME.path().into(), Labels::Index(index));
            std::fs::write(HOME.path().join("index.csv"), text).unwrap();
            match load(&config) {
                Ok(set) => assert!(!set.classes.is_empty()),
                Err(e) => assert!(!e.hint().is_empty()),
            }
        }
    }
});

/// What is valid is the same after it was written and read.
fn round_trip<C: DeserializeOwned + serde::Serialize + PartialEq + std::fmt::Debug>(
    text: &str,
    valid: impl Fn(&C) -> bool,
) {
    let Ok(config) = toml::from_str::<C>(text) else { return };
    if valid(&config) {
        let written = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<C>(&written).unwrap(), config, "{written}");
    }
}
