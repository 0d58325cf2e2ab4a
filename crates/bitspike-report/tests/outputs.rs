//! Text, Markdown, JSON and the page: shape, safety, and what is missing.

use std::{fs, io::Write, path::PathBuf};

use bitspike_report::{Comparison, csv, html, json, markdown, text, write};
use bitspike_run::{EpochRecord, Record, RunFolder, Status};

#[path = "../examples/fabricate/mod.rs"]
mod fabricate;
use fabricate::{Fake, run};

fn several(methods: &[&'static str]) -> Vec<Fake> {
    methods
        .iter()
        .flat_map(|method| {
            (1..=3).map(|seed| Fake {
                method,
                seed,
                gate: (*method != "bsnn").then_some(0.5),
                alpha: true,
                ..Fake::default()
            })
        })
        .collect()
}

fn compare(fakes: &[Fake]) -> Comparison {
    let home = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = fakes.iter().map(|fake| run(home.path(), fake)).collect();
    Comparison::from_runs(&paths).unwrap()
}

/// Every element is closed in order; returns how many there are. `meta`, `!doctype` and self-closed ones have no end.
fn check_markup(page: &str) -> usize {
    let (mut open, mut count) = (Vec::new(), 0);
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("every < has its >");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let name = tag.split_whitespace().next().unwrap_or_default().trim_end_matches('/');
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "before {:.80}", rest);
        } else if !tag.ends_with('/') && !matches!(name, "meta" | "!doctype" | "br") {
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            open.push(name.to_owned());
            count += 1;
        }
    }
    assert!(open.is_empty(), "{open:?}");
    count
}

#[test]
fn the_page_is_well_formed_and_loads_nothing() {
    for fakes in [
        several(&["bsnn"])[..1].to_vec(),
        several(&["bsnn", "agmm"]),
        several(&["bsnn", "agmm", "a", "b", "c", "d", "e", "f", "g", "h"]),
        vec![Fake { status: Status::Interrupted, ..Fake::default() }],
        vec![Fake { epochs: 1, ..Fake::default() }],
    ] {
        let page = html(&compare(&fakes));
        assert!(check_markup(&page) > 100);
        for word in ["http", "url(", "src=", "@import", "<script", "NaN", "inf ", "inf\"", "-inf"] {
            assert!(!page.contains(word), "{word} in a page of {} runs", fakes.len());
        }
        for id in ["result", "accuracy", "flips", "spikes", "cost", "runs", "glossary"] {
            assert!(page.contains(&format!("id=\"{id}\"")) && page.contains(&format!("href=\"#{id}\"")), "{id}");
        }
    }
}

#[test]
fn strings_from_runs_are_escaped() {
    let nasty = "<script>alert('x')</script>\"&|*_`";
    let home = tempfile::tempdir().unwrap();
    let path = run(home.path(), &Fake::default());
    let folder = RunFolder::open(&path).unwrap();
    let mut info = folder.read_info().unwrap();
    info.method = nasty.into();
    info.name = nasty.into();
    info.command.push(nasty.into());
    info.dataset.name = nasty.into();
    info.dataset.split = nasty.into();
    info.dataset.classes = vec![nasty.into()];
    info.dataset.files[0].path = nasty.into();
    info.versions.insert(nasty.into(), nasty.into());
    info.machine.cpu = nasty.into();
    info.network.layers[0].name = nasty.into();
    info.started = nasty.into();
    folder.write_info(&info).unwrap();
    let mut summary = folder.read_summary().unwrap().unwrap();
    summary.energy.as_mut().unwrap().assumptions = nasty.into();
    folder.write_summary(&summary).unwrap();
    folder.write_recipe(&format!("x = '''{nasty}'''\n")).unwrap();
    let mut log = folder.read_metrics().unwrap();
    for record in &mut log.records {
        if let Record::Epoch(epoch) = record {
            epoch.evaluated_on = nasty.into();
            epoch.layers.iter_mut().for_each(|layer| layer.name = format!("{nasty}{}", layer.name));
        }
    }
    fs::remove_file(path.join("metrics.jsonl")).unwrap();
    let mut metrics = folder.append_metrics().unwrap();
    log.records.iter().for_each(|record| metrics.append(record).unwrap());
    drop(metrics);

    let c = Comparison::from_runs(&[path]).unwrap();
    let page = html(&c);
    assert!(!page.contains("<script") && !page.contains("alert('"), "unescaped");
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)"));
    check_markup(&page);
    assert!(!markdown(&c).contains("<script"));
    for line in markdown(&c).lines().filter(|line| line.starts_with("| ")) {
        let bars = line.replace("\\|", "").matches('|').count();
        assert!((3..=10).contains(&bars), "{bars} in {line}");
    }
}

#[test]
fn text_is_ascii_and_at_most_120_wide() {
    let long = "a_method_with_a_name_that_is_far_too_long_for_any_table_in_a_terminal_of_120_columns_µ";
    for fakes in [several(&["bsnn", "agmm", "const"]), several(&["bsnn", long]), several(&["agmm"])[..1].to_vec()] {
        let out = text(&compare(&fakes));
        assert!(out.is_ascii());
        for line in out.lines() {
            assert!(line.len() <= 120, "{} in {line}", line.len());
        }
        assert!(out.contains("flips per weight") && out.contains("finished"));
    }
}

#[test]
fn text_tables_line_up() {
    let out = text(&compare(&several(&["bsnn", "agmm"])));
    let lines: Vec<&str> = out.lines().collect();
    let rule = lines.iter().position(|line| line.starts_with("----")).unwrap();
    let width = lines[rule].len();
    // Right-aligned last column: header and rows end where the rule ends.
    assert_eq!(lines[rule - 1].len(), width, "{out}");
    assert_eq!(lines[rule + 1].len(), width, "{out}");
}

#[test]
fn json_has_every_method_and_seed() {
    let c = compare(&several(&["bsnn", "agmm"]));
    let value: serde_json::Value = serde_json::from_str(&json(&c)).unwrap();
    assert_eq!(value["schema"], 1);
    assert_eq!(value["baseline"], "bsnn");
    let runs = value["runs"].as_array().unwrap();
    let keys: Vec<(&str, u64)> =
        runs.iter().map(|run| (run["method"].as_str().unwrap(), run["seed"].as_u64().unwrap())).collect();
    assert_eq!(keys, [("bsnn", 1), ("bsnn", 2), ("bsnn", 3), ("agmm", 1), ("agmm", 2), ("agmm", 3)]);
    assert!(runs.iter().all(|run| run["accuracy"].as_f64().is_some_and(|accuracy| accuracy < 1.0)));
    assert_eq!(value["methods"][1]["accuracy"]["n"], 3);
    assert_eq!(value["differences"][0]["figure"], "accuracy");
    assert!(value["differences"][0]["verdict"].is_string());
}

#[test]
fn missing_pieces_are_shown_as_missing() {
    let home = tempfile::tempdir().unwrap();
    let base = run(home.path(), &Fake::default());
    let cut = run(home.path(), &Fake { method: "agmm", status: Status::Running, ..Fake::default() });
    fs::remove_file(cut.join("recipe.toml")).unwrap();
    fs::OpenOptions::new().append(true).open(cut.join("metrics.jsonl")).unwrap().write_all(b"{\"kind\":\"ep").unwrap();
    let empty = home.path().join("empty");
    let folder = RunFolder::create(&empty).unwrap();
    folder.write_info(&bitspike_run::RunInfo { method: "agmm".into(), seed: 9, ..Default::default() }).unwrap();

    let c = Comparison::from_runs(&[base, cut, empty]).unwrap();
    let page = html(&c);
    check_markup(&page);
    for words in ["has not finished (or was killed)", "was cut short", "No readable recipe: ", "0 of 2"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(text(&c).contains("running"));
}

#[test]
fn figures_that_are_not_finite_draw_nothing_and_break_nothing() {
    let home = tempfile::tempdir().unwrap();
    let path = run(home.path(), &Fake::default());
    let folder = RunFolder::open(&path).unwrap();
    let mut metrics = folder.append_metrics().unwrap();
    let broken = EpochRecord {
        epoch: 31,
        step: 31 * 469,
        train_loss: f64::NAN,
        firing_rate: f64::INFINITY,
        held_out_accuracy: Some(f64::NAN),
        ..EpochRecord::default()
    };
    metrics.append(&Record::Epoch(broken)).unwrap();
    drop(metrics);
    let mut summary = folder.read_summary().unwrap().unwrap();
    summary.flips_per_weight = f64::NAN;
    summary.energy.as_mut().unwrap().compute_pj = f64::NAN;
    folder.write_summary(&summary).unwrap();
    let c = Comparison::from_runs(&[path]).unwrap();
    assert_eq!(c.runs[0].flips_per_weight, None);
    let page = html(&c);
    check_markup(&page);
    assert!(!page.contains("NaN"));
    assert!(serde_json::from_str::<serde_json::Value>(&json(&c)).is_ok());
}

#[test]
fn the_same_runs_give_the_same_bytes() {
    let home = tempfile::tempdir().unwrap();
    let mut paths: Vec<PathBuf> =
        several(&["bsnn", "agmm", "const"]).iter().map(|fake| run(home.path(), fake)).collect();
    let first = html(&Comparison::from_runs(&paths).unwrap());
    paths.reverse();
    assert!(first == html(&Comparison::from_runs(&paths).unwrap()), "the order of the arguments changed the page");
    let target = home.path().join("report.html");
    write(&Comparison::from_runs(&paths).unwrap(), &target, html).unwrap();
    assert!(fs::read_to_string(target).unwrap() == first);
}

/// A line per run with everything that one's own statistics need; what differs between recipes is a column.
#[test]
fn csv_has_a_line_per_run_with_its_figures() {
    let home = tempfile::Builder::new().prefix("a,b\"c").tempdir().unwrap();
    let mut fakes = several(&["bsnn", "agmm"]);
    fakes.iter_mut().filter(|fake| fake.seed == 2).for_each(|fake| fake.recipe = "width = \"two\"");
    fakes.push(Fake { status: Status::Interrupted, seed: 9, ..fakes[0].clone() });
    let paths: Vec<PathBuf> = fakes.iter().map(|fake| run(home.path(), fake)).collect();
    let c = Comparison::from_runs(&paths).unwrap();
    let text = csv(&c);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + fakes.len());
    let header: Vec<&str> = lines[0].split(',').collect();
    let at = |name: &str| header.iter().position(|h| *h == name).unwrap_or_else(|| panic!("{name} in {header:?}"));
    for (line, run) in lines[1..].iter().zip(&c.runs) {
        // The folder is last, and has a comma and a quote in its name.
        let (cells, folder) = line.split_once(",\"").unwrap();
        let cells: Vec<&str> = cells.split(',').collect();
        assert_eq!(cells.len() + 1, header.len());
        assert_eq!(folder.trim_end_matches('"').replace("\"\"", "\""), run.folder.display().to_string());
        assert_eq!((cells[at("method")], cells[at("seed")]), (run.method.as_str(), run.seed.to_string().as_str()));
        assert_eq!(cells[at("width")], if run.seed == 2 { "two" } else { "" });
        assert_eq!(cells[at("accuracy")].parse().ok(), run.accuracy);
        assert_eq!(cells[at("flips_per_weight")].parse().ok(), run.flips_per_weight);
        assert_eq!(cells[at("status")], run.status.to_string());
    }
}
