//! The documents hold: links lead somewhere, commands and their options exist, and those that take seconds run.
//!
//! Commands are the lines of `sh` blocks in every Markdown file of the repository, and for their options also those within a
//! line. They run in a folder that has what the documents speak of: `my.toml`, `recordings/`, runs of both, ...

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A recipe that trains in about a second.
const IMAGES: &str = "name = 'my'\n[data]\ntrain_limit = 256\ntest_limit = 60\n[network]\nlayers = '8-P-16-P-12'\n\
                      [train]\nepochs = 1\nbatch_size = 32\nlog_every = 100\ndiagnose_every = 100\n";
/// The same on the recordings of [`recordings`].
const SENSORS: &str = "name = 'recordings'\n[data]\nset = 'sensors'\npath = 'recordings'\n[data.sensors]\n\
                       rate_hz = 50\nformat = { kind = 'csv' }\nlabels = { from = 'folder' }\n\
                       window = { length = 32, hop = 32 }\nsplit = { by = 'recording' }\n\
                       [network]\nlayers = '8-16'\n[train]\nepochs = 1\nbatch_size = 16\n";

/// What stands for something of the reader's own, and what stands here in its place.
const STANDS_FOR: [(&str, &str); 4] = [
    ("cargo run --release -- ", "bitspike "),
    ("target/release/bitspike ", "bitspike "),
    ("--data fashion-mnist ", "--data fashion-mnist-mini "),
    (" PATH ", " events.csv "),
];

/// Commands that are not run, only held against `--help`, and why.
const NOT_RUN: [(&str, &str); 15] = [
    (" DIR", "needs data that is not here"),
    (" FILE", "needs recordings that are not here"),
    (" recipes/", "of the repository, not of the folder of the test"),
    (" --nir ", "needs a run without a gate; deploy.rs has one"),
    ("bitspike import", "needs a graph that is not here; deploy.rs has one"),
    (" start/recipe.toml", "needs what an import made"),
    ("--set neuron.reset=hard", "trains for minutes"),
    (" chain.bsnn", "of a network that trains for minutes"),
    (" whole", "the default network, on the whole test set"),
    ("bitspike compare", "takes minutes; cli.rs runs small ones"),
    ("bitspike sweep", "takes minutes; cli.rs runs small ones"),
    ("bitspike bench train", "measures"),
    ("bitspike bench kernels", "measures"),
    ("bitspike bench ", "measures: only a file, below, is run"),
    ("infer my.bsnn --follow", "says two kinds of sets at once; sensors.md has one that runs"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every Markdown file of the repository but the change log, which speaks of what was.
fn documents() -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            let kind = entry.file_type().unwrap();
            let others = ["target", "runs", "book", "venv", "node_modules", "corpus", "artifacts", "shared"];
            if kind.is_dir() && !name.starts_with('.') && !others.contains(&&*name) {
                collect(&path, found);
            } else if kind.is_file() && name.ends_with(".md") && name != "CHANGELOG.md" {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(&root(), &mut found);
    found.sort();
    found
}

/// A line outside blocks of code, or one of a block with the block's language.
enum Line<'a> {
    Text(&'a str),
    Code(&'a str, &'a str),
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let (mut fence, mut out) = (None, Vec::new());
    for line in text.lines() {
        let start = line.trim_start();
        match fence {
            Some(_) if start.starts_with("```") => fence = None,
            Some(language) => out.push(Line::Code(language, line)),
            None if start.starts_with("```") => fence = Some(start.trim_start_matches('`').trim()),
            None => out.push(Line::Text(line)),
        }
    }
    out
}

/// A line without its spans of code, and the spans.
fn spans(line: &str) -> (String, Vec<&str>) {
    let (mut rest, mut code) = (String::new(), Vec::new());
    for (i, part) in line.split('`').enumerate() {
        if i % 2 == 0 { rest += part } else { code.push(part) }
    }
    (rest, code)
}

/// The anchor of a heading, as GitHub and mdBook make it.
fn slug(heading: &str) -> String {
    let text = heading.replace('`', "");
    // Of a link only its text is in the anchor.
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("](") {
        plain += before;
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    plain += rest;
    let kept = plain.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap();
    let (mut found, mut count) = (BTreeSet::new(), BTreeMap::new());
    for line in lines(&text) {
        let Line::Text(line) = line else { continue };
        let level = line.bytes().take_while(|b| *b == b'#').count();
        if (1..=6).contains(&level) && line[level..].starts_with(' ') {
            let slug = slug(&line[level..]);
            let n = count.entry(slug.clone()).and_modify(|n| *n += 1).or_insert(0);
            found.insert(if *n == 0 { slug } else { format!("{slug}-{n}") });
        }
        for mark in ["id=\"", "name=\""] {
            found.extend(line.split(mark).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    found
}

/// Targets of the links and pictures of a line.
fn targets(line: &str) -> Vec<String> {
    let (text, _) = spans(line);
    let mut found: Vec<String> = Vec::new();
    found.extend(text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()).map(str::to_owned));
    for mark in ["src=\"", "href=\""] {
        found.extend(text.split(mark).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }
    if text.starts_with('[')
        && let Some((_, target)) = text.split_once("]: ")
    {
        found.extend(target.split_whitespace().next().map(str::to_owned));
    }
    found
}

/// `a/./b/../c` as `a/c`: the folder may not be there.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[test]
fn links_lead_somewhere() {
    let (mut broken, mut checked) = (Vec::new(), 0);
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for line in lines(&text) {
            let Line::Text(line) = line else { continue };
            for target in targets(line) {
                let outside = ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme));
                if outside {
                    continue;
                }
                checked += 1;
                let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
                let file = if file.is_empty() { path.clone() } else { plain(&path.parent().unwrap().join(file)) };
                let there = file.exists() && file.starts_with(root());
                let anchored = || file.extension().is_none_or(|e| e != "md") || anchors(&file).contains(anchor);
                if !there || !anchor.is_empty() && !anchored() {
                    broken.push(format!("{}: {target}", path.strip_prefix(root()).unwrap().display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 20, "only {checked} links were found");
}

#[test]
fn anchors_are_those_of_github() {
    for (heading, anchor) in [
        ("Your own images", "your-own-images"),
        ("From raw samples to a class", "from-raw-samples-to-a-class"),
        ("The `.bsnn` file, 1×1", "the-bsnn-file-11"),
        ("Why [this](there.md)?", "why-this"),
    ] {
        assert_eq!(slug(heading), anchor);
    }
}

/// The commands of this program in a piece of shell, without comments.
fn commands(line: &str) -> Vec<String> {
    let code = line.split(" #").next().unwrap_or_default();
    let mut code = format!("{} ", code.trim());
    for (from, to) in STANDS_FOR {
        code = code.replace(from, to);
    }
    let parts = code.split("&&").flat_map(|part| part.split('|'));
    parts.map(|part| part.trim().to_owned()).filter(|part| part.starts_with("bitspike ")).collect()
}

fn bitspike(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bitspike"));
    command.current_dir(folder).args(args).stdin(Stdio::null()).output().expect("the program starts")
}

/// A document in which commands that go on in the next line stand in one.
fn whole_lines(path: &Path) -> String {
    fs::read_to_string(path).unwrap().replace("\\\n", " ")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What `--help` says of a command and, where it has them, of the named part of it.
fn help(words: &[&str], known: &mut BTreeMap<String, Option<String>>) -> Option<String> {
    let Some(first) = words.first() else { return known.get("").cloned().flatten() };
    let mut ask = |name: &[&str]| {
        let key = name.join(" ");
        let entry = known.entry(key).or_insert_with(|| {
            let out = bitspike(Path::new("."), &[name, &["--help"]].concat());
            out.status.success().then(|| text(&out.stdout))
        });
        entry.clone()
    };
    let outer = ask(&[first])?;
    let parts = outer.split("Commands:").nth(1).unwrap_or_default();
    let named = words.get(1).filter(|word| parts.lines().any(|line| line.split_whitespace().next() == Some(word)));
    match named {
        Some(second) => ask(&[first, second]),
        None => Some(outer),
    }
}

#[test]
fn commands_and_their_options_exist() {
    let (mut wrong, mut checked, mut known) = (Vec::new(), 0, BTreeMap::new());
    for path in documents() {
        let content = whole_lines(&path);
        let mut found = Vec::new();
        for line in lines(&content) {
            match line {
                Line::Code("sh", line) => found.extend(commands(line)),
                Line::Code(..) => {}
                Line::Text(line) => found.extend(spans(line).1.into_iter().flat_map(commands)),
            }
        }
        for command in found {
            checked += 1;
            let words: Vec<&str> = command.split_whitespace().skip(1).collect();
            let of = |what: String| format!("{}: `{command}`: {what}", path.strip_prefix(root()).unwrap().display());
            let names: Vec<&str> = words.iter().copied().take_while(|word| !word.starts_with('-')).collect();
            if names.is_empty() {
                continue;
            }
            let Some(help) = help(&names, &mut known) else {
                wrong.push(of("no such command".into()));
                continue;
            };
            let options = words.iter().filter(|word| word.starts_with("--") && word.len() > 2);
            for option in options.map(|word| word.split('=').next().unwrap_or(word)) {
                let option = option.trim_end_matches([',', '.', ';', ':', ')']);
                let is = |word: &str| word.trim_end_matches(['=', ',', ']', '.']) == option;
                if !help.split_whitespace().any(is) {
                    wrong.push(of(format!("no option {option}")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(checked > 20, "only {checked} commands were found");
}

/// Recordings of two classes that differ in their frequency, and one of events.
fn recordings(folder: &Path) {
    for (class, step) in [("still", 0.02f64), ("shaking", 0.9)] {
        let of_class = folder.join("recordings").join(class);
        fs::create_dir_all(&of_class).unwrap();
        for take in 0..6 {
            let row = |i: usize| {
                let angle = step * i as f64 + f64::from(take);
                format!("{:.4},{:.4}\n", angle.sin(), angle.cos())
            };
            let rows: String = (0..160).map(row).collect();
            fs::write(of_class.join(format!("{take}.csv")), format!("ax,ay\n{rows}")).unwrap();
        }
    }
    fs::copy(folder.join("recordings/still/0.csv"), folder.join("new.csv")).unwrap();
    let row = |i: usize| format!("{},{},{},{}\n", 130 * i, i % 34, 7 * i % 34, i % 2);
    fs::write(folder.join("events.csv"), format!("t_us,x,y,p\n{}", (0..400).map(row).collect::<String>())).unwrap();
}

#[test]
fn commands_that_take_seconds_run() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let run = |command: &str| {
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        if command.contains("--follow -") {
            let mut follow = Command::new(env!("CARGO_BIN_EXE_bitspike"));
            follow.current_dir(folder).args(words).stdin(fs::File::open(folder.join("new.csv")).unwrap());
            return follow.output().unwrap();
        }
        bitspike(folder, &words)
    };
    let must = |command: &str| {
        let out = run(command);
        assert!(out.status.success(), "`{command}`: {}{}", text(&out.stdout), text(&out.stderr));
    };
    recordings(folder);
    fs::write(folder.join("my.toml"), IMAGES).unwrap();
    fs::write(folder.join("mine.toml"), IMAGES).unwrap();
    fs::write(folder.join("recordings.toml"), SENSORS).unwrap();
    for (recipe, out) in [
        ("my.toml", "runs/my-agmm-seed1"),
        ("my.toml", "run"),
        ("recordings.toml", "runs/mine-seed1"),
        ("recordings.toml", "runs/compare-recordings/agmm-seed1"),
    ] {
        must(&format!("bitspike train {recipe} --method agmm --seed 1 --out {out} --quiet"));
    }
    let (mut failed, mut ran) = (Vec::new(), BTreeSet::new());
    for path in documents() {
        // What a document before this one left.
        let _ = fs::remove_dir_all(folder.join("firmware"));
        must("bitspike export runs/my-agmm-seed1 -o my.bsnn");
        must("bitspike export runs/mine-seed1 -o mine.bsnn");
        let content = whole_lines(&path);
        for line in lines(&content) {
            let Line::Code("sh", line) = line else { continue };
            for command in commands(line) {
                let of_file =
                    command.starts_with("bitspike bench my.bsnn") || command.starts_with("bitspike bench mine.bsnn");
                let padded = format!("{command} ");
                if NOT_RUN.iter().any(|(part, _)| padded.contains(part)) && !of_file {
                    continue;
                }
                if command.starts_with("bitspike new ") {
                    fs::remove_file(folder.join("recordings.toml")).unwrap();
                }
                let out = run(&command);
                if !out.status.success() {
                    let name = path.strip_prefix(root()).unwrap().display().to_string();
                    failed.push(format!("{name}: `{command}`: {}{}", text(&out.stdout), text(&out.stderr)));
                }
                // What `new` writes trains for minutes.
                fs::write(folder.join("recordings.toml"), SENSORS).unwrap();
                ran.insert(command);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(ran.len() > 10, "only these were run: {ran:#?}");
}
