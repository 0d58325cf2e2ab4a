use super::*;
use proptest::prelude::*;

fn config(more: &str) -> SensorConfig {
    toml::from_str(&format!("path = '.'\n{more}")).unwrap()
}

fn fitted(channels: &[&str], window: usize, rate_hz: Option<f64>) -> Fitted {
    let scaler = Scaler { centre: vec![0.0; channels.len()], scale: vec![1.0; channels.len()] };
    Fitted { channels: channels.iter().map(|c| (*c).into()).collect(), window, rate_hz, scaler }
}

fn all(text: &[u8], config: &SensorConfig, fitted: Fitted) -> Result<(Vec<StreamWindow>, u64), SensorError> {
    let mut stream = Streamed::new("s".as_ref(), text, config, fitted)?;
    let mut out = vec![];
    while let Some(window) = stream.next()? {
        out.push(window);
    }
    Ok((out, stream.gaps()))
}

fn floats(window: &StreamWindow) -> &[f32] {
    match &window.input {
        Encoded::Floats(v) => v,
        Encoded::Bytes(_) => panic!("bytes"),
    }
}

proptest! {
    /// A stream gives the windows of the same file read whole, for every length and hop.
    #[test]
    fn windows_are_those_of_the_file(n in 1usize..40, length in 1usize..9, hop in 1usize..13) {
        let text: String = (0..n).map(|i| format!("{i},{}\n", 100 + i)).collect();
        let text = format!("a,b\n{text}");
        let config = config(&format!("window = {{ length = {length}, hop = {hop} }}"));
        let (got, _) = all(text.as_bytes(), &config, fitted(&["b", "a"], length, None)).unwrap();
        let starts: Vec<usize> = (0..n).step_by(hop).take_while(|s| s + length <= n).collect();
        prop_assert_eq!(got.len(), starts.len());
        for (window, s) in got.iter().zip(starts) {
            let want: Vec<f32> = (s..s + length).map(|i| 100.0 + i as f32).chain((s..s + length).map(|i| i as f32)).collect();
            prop_assert_eq!((window.first, floats(window)), (s as u64, &want[..]));
        }
    }

    /// Arbitrary bytes give windows or an error.
    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), raw in any::<bool>()) {
        let format = if raw { "format = { kind = 'raw', number = 'f32le', columns = ['a', 'b'] }" } else { "" };
        let config = config(&format!("missing = 'hold'\nwindow = {{ length = 2 }}\n{format}"));
        let text = if raw { bytes } else { [b"a,b\n".to_vec(), bytes].concat() };
        let _ = all(&text, &config, fitted(&["a"], 2, None));
    }
}

#[test]
fn a_set_read_whole_and_its_files_as_streams_agree() {
    let dir = tempfile::tempdir().unwrap();
    let text = |slope: f64| {
        let rows: String = (0..40).map(|i| format!("{i},{},{}\n", slope * f64::from(i), f64::from(i % 7))).collect();
        format!("i,a,b\n{rows}")
    };
    for (name, slope) in [("up_x", 1.0), ("up_y", 1.5), ("down_x", -1.0), ("down_y", -1.5)] {
        std::fs::write(dir.path().join(format!("{name}.csv")), text(slope)).unwrap();
    }
    for more in [
        "encode = { kind = 'direct', steps = 2, segments = true }",
        "encode = { kind = 'delta', steps = 4, threshold = 0.5 }",
        "encode = { kind = 'population', steps = 4 }",
        "features = { kind = 'mel', frame = 8, hop = 4, mels = 2 }",
    ] {
        let mut config = config(&format!(
            "rate_hz = 50.0\nchannels = ['b', 'a']\nlabels = {{ from = 'name', pattern = '{{label}}_{{group}}.csv' }}\n\
             window = {{ length_s = 0.32, hop = 5 }}\nsplit = {{ by = 'group', test = ['y'] }}\n{more}"
        ));
        config.path = dir.path().into();
        let set = crate::prepare(&config).unwrap();
        let fitted = Fitted {
            channels: set.channels().to_vec(),
            window: set.window_len(),
            rate_hz: set.rate_hz(),
            scaler: set.scaler().clone(),
        };
        // The test part is down_y, then up_y.
        let streams = [-1.5, 1.5].map(|slope| all(text(slope).as_bytes(), &config, fitted.clone()).unwrap().0);
        let got: Vec<&StreamWindow> = streams.iter().flatten().collect();
        let test = set.encode_test(0).unwrap();
        assert_eq!(got.len(), test.len(), "{more}");
        for (window, origin) in got.iter().zip(&test.origins) {
            assert_eq!(window.first, origin.start as u64);
        }
        let joined = match &test.samples {
            Encoded::Bytes(all) => {
                let part = |w: &&StreamWindow| match &w.input {
                    Encoded::Bytes(v) => v.clone(),
                    Encoded::Floats(_) => panic!("floats"),
                };
                got.iter().flat_map(part).collect::<Vec<u8>>() == *all
            }
            Encoded::Floats(all) => got.iter().flat_map(|w| floats(w).to_vec()).collect::<Vec<f32>>() == *all,
        };
        assert!(joined, "{more}");
    }
}

#[test]
fn raw_numbers_of_the_channels_that_are_asked_for() {
    let config = config(
        "format = { kind = 'raw', number = 'i16le', columns = ['x', 'y'], scale = 0.5 }\nwindow = { length = 2 }",
    );
    let bytes: Vec<u8> = [1i16, 2, 3, 4, 5, 6].iter().flat_map(|v| v.to_le_bytes()).collect();
    let (got, _) = all(&bytes, &config, fitted(&["y"], 2, None)).unwrap();
    assert_eq!((got.len(), floats(&got[0])), (1, &[1.0, 2.0][..]));
    let e = all(&bytes[..7], &config, fitted(&["y"], 2, None)).unwrap_err();
    assert!(matches!(e, SensorError::Truncated { offset: 4, found: 3, expected: 4, .. }), "{e}");
}

#[test]
fn a_gap_in_time_begins_a_new_window() {
    let config = config("format = { kind = 'csv', time_column = 't', time_unit = 'ms' }\nwindow = { length = 2 }");
    let text = b"t,a\n0,1\n100,2\n200,3\n400,4\n500,5\n90,6\n190,7\n";
    let (got, gaps) = all(text, &config, fitted(&["a"], 2, Some(10.0))).unwrap();
    let got: Vec<_> = got.iter().map(|w| (w.first, floats(w).to_vec())).collect();
    assert_eq!((got, gaps), (vec![(0, vec![1.0, 2.0]), (3, vec![4.0, 5.0]), (5, vec![6.0, 7.0])], 2));
}

#[test]
fn missing_values() {
    let text = b"a,b\n,1\n2,NaN\n3,4\n";
    let with = |missing: &str| config(&format!("missing = {missing}\nwindow = {{ length = 1 }}"));
    let run = |missing: &str| all(text, &with(missing), fitted(&["a", "b"], 1, None));
    let values = |missing: &str| run(missing).unwrap().0.iter().map(|w| floats(w).to_vec()).collect::<Vec<_>>();
    assert_eq!(values("'hold'"), [vec![2.0, 1.0], vec![3.0, 4.0]]);
    assert_eq!(values("{ value = 0.0 }"), [vec![0.0, 1.0], vec![2.0, 0.0], vec![3.0, 4.0]]);
    let e = run("'error'").unwrap_err();
    assert!(matches!(&e, SensorError::MissingText { line: 2, field: 1, channel, .. } if channel == "a"), "{e}");
    assert!(matches!(run("'linear'").unwrap_err(), SensorError::Config { key, .. } if key == "missing"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let one = || fitted(&["a"], 2, None);
    let windows = "window = { length = 2 }";
    let refused = |text: &[u8], more: &str| all(text, &config(more), one()).unwrap_err().to_string();
    assert!(refused(b"b\n1\n", windows).contains("a column \"a\""));
    assert!(refused(b"a\n1\nx\n", windows).contains("line 3, field 1"), "{}", refused(b"a\n1\nx\n", windows));
    assert!(refused(b"a\n1,2\n", windows).contains("1 fields"));
    assert!(refused(b"a\n1\n", "window = { length = 3 }").contains("window.length"));
    assert!(refused(b"a\n\xff\n", windows).contains("line 2"));
    assert!(refused(b"", "format = { kind = 'wav' }").contains("cannot be read as it comes"));
    assert!(refused(b"", "features = { kind = 'mel' }").contains("rate_hz"));
    let scaler = Scaler { centre: vec![], scale: vec![] };
    let e = all(b"a\n", &config(windows), Fitted { scaler, ..one() }).unwrap_err();
    assert!(e.to_string().contains("centres"), "{e}");
}
