use super::*;
use std::fs;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

/// Path, label and group.
type Row = (String, Option<String>, Option<String>);

fn listed(dir: &tempfile::TempDir, text: &str) -> Result<Vec<Row>, SensorError> {
    let mut config: SensorConfig = toml::from_str(text).unwrap();
    config.path = dir.path().into();
    Ok(find(&config)?.0.into_iter().map(|e| (e.rel, e.label, e.group)).collect())
}

fn want(rows: &[(&str, &str, &str)]) -> Vec<Row> {
    let some = |s: &str| (!s.is_empty()).then(|| s.to_string());
    rows.iter().map(|(r, l, g)| (r.to_string(), some(l), some(g))).collect()
}

#[test]
fn folders_names_and_patterns() {
    let dir = folder(&[("s2/run/1.csv", ""), ("s1/walk/1.CSV", ""), ("s1/walk/.x.csv", ""), ("s1/run/bad.csv", "")]);
    let got =
        listed(&dir, "exclude = ['*bad*']\nlabels = { from = 'folder', label_depth = 1, group_depth = 0 }").unwrap();
    let both = want(&[("s1/walk/1.CSV", "walk", "s1"), ("s2/run/1.csv", "run", "s2")]);
    assert_eq!(got, both);
    let got = listed(&dir, "files = ['s*/*/1.*']\nlabels = { from = 'name', pattern = '{group}/{label}/{n}.{e}' }");
    assert_eq!(got.unwrap(), both);
    assert!(matches!(listed(&dir, "labels = { from = 'folder', label_depth = 2 }"), Err(SensorError::Name { .. })));
    assert!(matches!(listed(&dir, "files = ['*.wav']"), Err(SensorError::Empty { .. })));
    let missing: SensorConfig = toml::from_str("path = 'there/is/no/such/folder'").unwrap();
    assert!(matches!(find(&missing), Err(SensorError::Io { .. })));
}

#[test]
fn an_index_and_what_can_be_wrong_with_it() {
    let good = "file,label,person,hz,k,n\nb.raw,x,p,100,0.5,3\na.raw,y,q,200,1,4\n";
    let key = "format = { kind = 'raw' }\nlabels = { from = 'index', index = 'd/i.csv', group = 'person', rate_hz = 'hz', \
               scale = 'k', samples = 'n' }";
    let dir = folder(&[("d/a.raw", ""), ("d/b.raw", ""), ("d/i.csv", good)]);
    assert_eq!(listed(&dir, key).unwrap(), want(&[("d/a.raw", "y", "q"), ("d/b.raw", "x", "p")]));
    let mut config: SensorConfig = toml::from_str(key).unwrap();
    config.path = dir.path().into();
    let (all, index) = find(&config).unwrap();
    assert_eq!((all[0].rate_hz, all[0].scale, all[0].samples), (Some(200.0), Some(1.0), Some(4)));
    assert_eq!(index.unwrap().path, "d/i.csv");

    let rows = [
        ("file,label,person,hz,k\nb.raw,x,p,100,0.5\n", 1, 0, "header"),
        ("file,label,person,hz,k,n\nb.raw,x,p,100\n", 2, 0, "row"),
        ("file,label,person,hz,k,n\nb.raw,x,p,0,0.5,3\n", 2, 4, "rate"),
        ("file,label,person,hz,k,n\nb.raw,x,p,100,x,3\n", 2, 5, "scale"),
        ("file,label,person,hz,k,n\nb.raw,x,p,100,1,-3\n", 2, 6, "samples"),
        ("file,label,person,hz,k,n\nb.raw,,p,100,1,3\n", 2, 2, "label"),
        ("file,label,person,hz,k,n\nb.raw,x,p,100,1,3\nb.raw,x,p,100,1,3\n", 3, 1, "file"),
        ("file,label,person,hz,k,n\nb.raw,x,p,1,1,3\na.raw,x,p,1,1,3\nc.raw,x,p,1,1,3\n", 4, 0, "file"),
    ];
    for (text, want_line, want_field, want) in rows {
        fs::write(dir.path().join("d/i.csv"), text).unwrap();
        match listed(&dir, key) {
            Err(SensorError::Text { line, field, what, .. }) => {
                assert_eq!((line, field, what), (want_line, want_field, want), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    fs::write(dir.path().join("d/i.csv"), "file,label,person,hz,k,n\nb.raw,x,p,100,1,3\n").unwrap();
    assert!(matches!(listed(&dir, key), Err(SensorError::Name { name, .. }) if name == "d/a.raw"));
    fs::remove_file(dir.path().join("d/i.csv")).unwrap();
    assert!(matches!(listed(&dir, key), Err(SensorError::Io { .. })));
}

#[test]
fn maps_need_exactly_one_name() {
    let map = |rows: &[(&str, &str)]| rows.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
    assert_eq!(renamed("k", &map(&[]), "a").unwrap(), "a");
    assert_eq!(renamed("k", &map(&[("B*", "ball"), ("*7", "ball"), ("I*", "inner")]), "B7").unwrap(), "ball");
    assert!(renamed("k", &map(&[("B*", "ball"), ("*7", "seven")]), "B7").is_err());
    assert!(renamed("k", &map(&[("B*", "ball")]), "x").is_err());
}
