use super::*;

fn parse(text: &str) -> SensorConfig {
    toml::from_str(&format!("path = 'x'\n{text}")).unwrap_or_else(|e| panic!("{text}: {e}"))
}

const ALL: &[&str] = &[
    "",
    "files = ['*.dat']\nexclude = ['bad*']\nchannels = ['a']\nunits = { a = 'g' }\nrate_hz = 50.0\nclasses = ['x', 'y']",
    "missing = 'hold'\nlabel_map = { 'B*' = 'ball' }\ngroup_map = { '*' = 'all' }",
    "missing = { value = 0.5 }\nformat = { kind = 'csv', separator = ';', decimal = ',', skip_lines = 3 }",
    "format = { kind = 'csv', header = false, columns = ['a', 'b'], time_column = 'a', time_unit = 'ms' }",
    "format = { kind = 'csv', label_column = 'a', group_column = 'g' }\nlabels = { from = 'inside' }",
    "format = { kind = 'npy', axes = 'CL' }",
    "format = { kind = 'wav', mono = true }\nlabels = { from = 'name', pattern = '{label}_{group}_{take}.wav' }",
    "format = { kind = 'raw', number = 'i16be', columns = ['x', 'y'], scale = 0.5 }\nlabels = { from = 'index', rate_hz = 'r' }",
    "format = { kind = 'ts' }\nlabels = { from = 'inside' }",
    "labels = { from = 'folder', label_depth = 1, group_depth = 0 }",
    "window = { length = 10, hop = 5, short = 'pad-zero', limit = 3 }",
    "window = { length_s = 0.5, hop_s = 0.25, short = 'pad-edge' }",
    "split = { by = 'recording', test = ['a*'], cut = ['b'], cut_share = 0.5, cut_gap = 3 }",
    "split = { by = 'group', test = ['s1'], name = 'leave-s1-out' }",
    "split = { by = 'time', share = 0.7, gap = 0 }",
    "split = { by = 'files', train = ['*TRAIN*'], test = ['*TEST*'] }",
    "features = { kind = 'mel', frame = 200, hop = 80, fft = 256, mels = 20, low_hz = 50.0, high_hz = 4000.0, scale = 'slaney', bands = 'channels' }",
    "normalise = 'robust'\nencode = { kind = 'rate', steps = 4, gain = 0.5, signed = true, seed = 9 }",
    "normalise = 'min-max'\nencode = { kind = 'latency', steps = 4, silent_below = 0.1 }",
    "normalise = 'none'\nencode = { kind = 'delta', steps = 4, threshold = 0.1, max_count = 3 }",
    "encode = { kind = 'population', fields = 5, low = 0.0, high = 1.0, beta = 2.0, output = 'values' }",
    "encode = { kind = 'direct', steps = 16, segments = true }",
];

#[test]
fn every_table_round_trips_and_is_valid() {
    for text in ALL {
        let config = parse(text);
        config.validate().unwrap_or_else(|e| panic!("{text}: {e}"));
        let back = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<SensorConfig>(&back).unwrap(), config, "{back}");
    }
}

#[test]
fn unknown_keys_and_values_are_refused() {
    let rows = [
        "paths = 'x'",
        "missing = 'guess'",
        "missing = { val = 0.5 }",
        "format = { kind = 'csv', sep = ';' }",
        "format = { kind = 'csv', separator = ';;' }",
        "format = { kind = 'ts', x = 1 }",
        "format = { kind = 'excel' }",
        "format = { kind = 'npy', axes = 'cl' }",
        "labels = { from = 'folder', depth = 1 }",
        "labels = { from = 'inside', pattern = 'x' }",
        "window = { len = 10 }",
        "split = { by = 'random' }",
        "split = { by = 'group', tests = ['s1'] }",
        "features = { kind = 'raw', mels = 3 }",
        "features = { kind = 'mel', n_mels = 3 }",
        "normalise = 'zscore'",
        "encode = { kind = 'direct', gain = 1.0 }",
    ];
    let read: Vec<_> =
        rows.iter().filter(|text| toml::from_str::<SensorConfig>(&format!("path = 'x'\n{text}")).is_ok()).collect();
    assert!(read.is_empty(), "{read:?}");
}

#[test]
fn validate_names_the_key() {
    let rows = [
        ("channels = ['a', 'a']", "channels"),
        ("classes = ['a', 'a']", "classes"),
        ("rate_hz = 0.0", "rate_hz"),
        ("missing = { value = nan }", "missing"),
        ("format = { kind = 'csv', separator = '→' }", "format.separator"),
        ("format = { kind = 'csv', decimal = ',' }", "format.separator"),
        ("format = { kind = 'csv', quote = '→' }", "format.quote"),
        ("format = { kind = 'csv', decimal = ';' }", "format.decimal"),
        ("format = { kind = 'csv', header = false }", "format.columns"),
        ("format = { kind = 'csv', comment = '-' }", "format.comment"),
        ("format = { kind = 'csv', row_end = ',' }", "format.row_end"),
        ("format = { kind = 'csv', rows = 'series', time_column = 't' }", "format.time_column"),
        ("clip = -1.0", "clip"),
        ("format = { kind = 'csv', columns = ['a', 'a'] }", "format.columns"),
        ("format = { kind = 'raw', columns = [] }", "format.columns"),
        ("format = { kind = 'raw', scale = 0.0 }", "format.scale"),
        ("format = { kind = 'ts' }", "labels.from"),
        ("labels = { from = 'inside' }", "format.label_column"),
        ("format = { kind = 'csv', label_column = 'a' }", "labels.from"),
        ("labels = { from = 'name' }", "labels.pattern"),
        ("labels = { from = 'name', pattern = '{x}.csv' }", "labels.pattern"),
        ("labels = { from = 'index', separator = '→' }", "labels.separator"),
        ("window = { length = 0 }", "window.length"),
        ("window = { length = 1, length_s = 1.0 }", "window.length_s"),
        ("window = { hop_s = -1.0 }", "window.hop_s"),
        ("window = { limit = 0 }", "window.limit"),
        ("split = { by = 'recording', test_share = 1.0 }", "split.test_share"),
        ("split = { by = 'recording', cut_share = 0.0 }", "split.cut_share"),
        ("split = { by = 'group' }", "split.test"),
        ("split = { by = 'time', share = 1.5 }", "split.share"),
        ("split = { by = 'files', test = ['a'] }", "split.train"),
        ("split = { by = 'files', train = ['a'] }", "split.test"),
        ("features = { kind = 'mel', frame = 1 }", "features.frame"),
        ("features = { kind = 'mel', hop = 0 }", "features.hop"),
        ("features = { kind = 'mel', fft = 100 }", "features.fft"),
        ("features = { kind = 'mel', mels = 0 }", "features.mels"),
        ("features = { kind = 'mel', low_hz = -1.0 }", "features.low_hz"),
        ("features = { kind = 'mel', low_hz = 100.0, high_hz = 100.0 }", "features.high_hz"),
        ("features = { kind = 'mel', floor = 0.0 }", "features.floor"),
        ("encode = { kind = 'direct', steps = 0 }", "encode.steps"),
        ("encode = { kind = 'rate', gain = 0.0 }", "encode.gain"),
        ("encode = { kind = 'latency', silent_below = 2.0 }", "encode.silent_below"),
        ("encode = { kind = 'delta', threshold = 0.0 }", "encode.threshold"),
        ("encode = { kind = 'delta', max_count = 0 }", "encode.max_count"),
        ("encode = { kind = 'population', fields = 2 }", "encode.fields"),
        ("encode = { kind = 'population', low = 2.0 }", "encode.high"),
        ("encode = { kind = 'population', beta = 0.0 }", "encode.beta"),
    ];
    let wrong: Vec<_> = rows
        .iter()
        .filter(|(text, want)| !matches!(parse(text).validate(), Err(SensorError::Config { key, .. }) if key == *want))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(matches!(SensorConfig::default().validate(), Err(SensorError::Config { key, .. }) if key == "path"));
}

#[cfg(not(feature = "parquet"))]
#[test]
fn parquet_needs_its_feature() {
    let e = parse("format = { kind = 'parquet' }").validate().unwrap_err();
    assert!(matches!(&e, SensorError::Config { key, .. } if key == "format.kind"), "{e}");
}
