//! `bitspike new FOLDER`: a recipe for data of one's own, with an honest split, and what is in it.

use super::shared::toml_string;
use super::{budget, data, parts};
use crate::args::NewArgs;
use crate::error::CliError;
use crate::output;
use bitspike_data::{DataSet, Inspection};
use bitspike_run::write_text_atomic;
use bitspike_sensors::{Findings, Signal, Split, propose};
use bitspike_train::recipe::{Preset, Recipe};
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

/// Share of the training windows that are held out for validation.
const VALIDATION: f64 = 0.15;

/// A recipe in the making.
struct Draft {
    preset: Preset,
    /// Lines of `[data]` and its tables, after set and path.
    data: String,
    set: &'static str,
    /// Reasons, to stand as comments.
    why: Vec<String>,
}

pub fn run(args: &NewArgs) -> Result<bool, CliError> {
    let folder = &args.folder;
    if !folder.is_dir() {
        return Err(CliError::Usage(format!("{}: expected a folder with recordings or images", folder.display())));
    }
    let name = folder.canonicalize().ok().and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
    let name = name.filter(|n| !n.starts_with('.')).unwrap_or_else(|| "mine".to_owned());
    let to = args.out.clone().unwrap_or_else(|| format!("{name}.toml").into());
    if to.exists() && !args.force {
        let text = format!("{} exists; --force replaces it, --out FILE writes another", to.display());
        return Err(CliError::Usage(text));
    }
    let preset = args.preset.as_deref().map(preset).transpose()?;
    let draft = match data::kind(folder, args.labels.as_deref())? {
        data::Found::Sensors(found) => sensors(&found, preset, args)?,
        data::Found::Images(found) => Draft {
            preset: preset.unwrap_or(Preset::Images),
            data: image_lines(&found),
            set: "image-folder",
            why: Vec::new(),
        },
        data::Found::Events => events(folder, preset)?,
    };
    let (mut text, data) = validated(&name, folder, draft)?;
    if args.budget.is_set() {
        let recipe = Recipe::parse(&text, "the recipe to be written")?;
        let (width, takes) = budget::widest(&args.budget, &recipe, &data)?;
        output::note(&format!("on a device, without code: {takes}"));
        if width < 1.0 {
            text += &format!(
                "\n# The widest that fits into {}: {takes}.\n[network]\nwidth = {}\n",
                args.budget,
                width * recipe.network.width
            );
        }
    }
    let summary = parts::text(&data);
    output::note(&summary);
    super::shared::odd(&data);
    if !args.yes && asked(&format!("Write {}?", to.display()), "yes")?.to_lowercase().starts_with('n') {
        return Ok(true);
    }
    write_text_atomic(&to, &text)?;
    let to = to.display();
    output::result(&format!(
        "{to} is written. Next:\n  bitspike inspect {to}                          layers, bits, memory\n  \
         bitspike compare {to} --methods bsnn,agmm --seeds 3    networks beside classic classifiers, a table and a page"
    ))?;
    Ok(true)
}

fn preset(name: &str) -> Result<Preset, CliError> {
    let found = Preset::ALL.into_iter().find(|preset| preset.as_str() == name);
    let names = || Preset::ALL.map(Preset::as_str).join(", ");
    found.ok_or_else(|| CliError::Usage(format!("--preset {name}: expected one of {}", names())))
}

/// The answer to a question; the usual one without a terminal, or if nothing is typed.
fn asked(question: &str, usual: &str) -> Result<String, CliError> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Ok(usual.to_owned());
    }
    write!(std::io::stderr(), "{question} [{usual}] ")?;
    let mut line = String::new();
    input.lock().read_line(&mut line)?;
    let line = line.trim();
    Ok(if line.is_empty() { usual.to_owned() } else { line.to_owned() })
}

fn sensors(found: &Findings, preset: Option<Preset>, args: &NewArgs) -> Result<Draft, CliError> {
    let signal = match preset {
        None => None,
        Some(Preset::Motion) => Some(Signal::Motion),
        Some(Preset::Audio) => Some(Signal::Audio),
        Some(Preset::Vibration) => Some(Signal::Vibration),
        Some(_) => {
            let text = "--preset: expected motion, audio or vibration: the folder holds recordings of sensors";
            return Err(CliError::Usage(text.into()));
        }
    };
    let mut proposal = propose(found, signal)?;
    for error in &found.errors {
        output::note(&format!("warning: not read: {error}"));
    }
    if let Split::Group(split) = &mut proposal.config.split {
        if args.test.is_empty() {
            if !args.yes {
                let answer = asked("Groups that test and are never trained on, with commas?", &split.test.join(","))?;
                split.test = answer.split(',').map(|t| t.trim().to_owned()).collect();
            }
        } else {
            split.test.clone_from(&args.test);
        }
    } else if !args.test.is_empty() {
        let text = "--test names groups, as persons or machines; file names or columns show none here: edit the recipe's split";
        return Err(CliError::Usage(text.into()));
    }
    let mut why = proposal.why;
    why.extend(found.guesses.iter().map(|guess| format!("a guess: {guess}")));
    let preset = match proposal.signal {
        Signal::Motion => Preset::Motion,
        Signal::Audio => Preset::Audio,
        Signal::Vibration => Preset::Vibration,
    };
    let mut data = format!("[data.sensors]\n{}", proposal.config.lines());
    if proposal.config.window.limit == Some(1) && proposal.signal != Signal::Audio {
        why.push(
            "a window is a whole recording, begun on purpose: it is neither moved nor stretched in training".into(),
        );
        data += "\n[augment.signals]\nshift = 0.0\nstretch = 0.0\n";
    }
    Ok(Draft { preset, data, set: "sensors", why })
}

/// Recordings of events: folders of classes, or one long recording a class.
fn events(folder: &Path, preset: Option<Preset>) -> Result<Draft, CliError> {
    let read = |source| CliError::Read { path: folder.to_owned(), source };
    let names: Vec<(String, bool)> = std::fs::read_dir(folder)
        .map_err(read)?
        .map(|e| e.map(|e| (e.file_name().to_string_lossy().to_lowercase(), e.path().is_dir())))
        .collect::<Result<_, _>>()
        .map_err(read)?;
    let has = |name: &str| names.iter().any(|(n, is_folder)| *is_folder && n == name);
    if folder.join("Train/0").is_dir() {
        let why = vec!["the folders of N-MNIST".into()];
        return Ok(Draft { preset: preset.unwrap_or(Preset::Events), data: String::new(), set: "n-mnist", why });
    }
    let (set, lines, why) = match (names.iter().any(|n| n.1), has("train") && has("test")) {
        (false, _) => (
            "event-windows",
            "window_ms = 200\ngap_ms = 1000\n",
            "one long recording a class: its first 70 % train and its end tests, so both are of the same recording",
        ),
        (true, true) => ("event-folder", "", "the recordings come in a training and a test part"),
        (true, false) => (
            "event-folder",
            "split = \"random-4-1\"\n",
            "a fifth of the recordings of each class tests. If they are of several persons or places, \
             make folders train and test yourself: the test part should have somebody new",
        ),
    };
    Ok(Draft {
        preset: preset.unwrap_or(Preset::Events),
        data: format!("[data.events]\n{lines}size = [32, 32]\n"),
        set,
        why: vec![why.into(), "frames of 32x32: pixels that fall together are added".into()],
    })
}

/// A size that the images of a folder are brought to.
fn image_lines(found: &Inspection) -> String {
    let shapes: Vec<[usize; 3]> = found.parts.iter().filter_map(|p| p.shape).collect();
    let same = shapes.len() == found.parts.len() && shapes.windows(2).all(|w| w[0] == w[1]);
    match shapes.first() {
        Some([_, h, w]) if same && (16..=64).contains(h) && (16..=64).contains(w) => String::new(),
        _ => "size = [32, 32]\n".to_owned(),
    }
}

/// The recipe's text, once it reads the data; with a validation part, if the data allow one.
fn validated(name: &str, folder: &Path, draft: Draft) -> Result<(String, DataSet), CliError> {
    let path = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let text = |validation: usize, batch: Option<usize>| {
        let why: String = draft.why.iter().map(|why| format!("# - {why}\n")).collect();
        let preset = draft.preset.as_str();
        let held = if validation > 0 { format!("validation = {validation}\n") } else { String::new() };
        let batch = batch.map_or(String::new(), |n| format!("\n[train]\nbatch_size = {n}\n"));
        let (own, tables) = match draft.data.find('[') {
            Some(0) => ("", draft.data.as_str()),
            _ => (draft.data.as_str(), ""),
        };
        format!(
            "# Data of {}, as `bitspike new` found them:\n{why}\
             # Keys that do not stand here are those of the preset: `bitspike recipe FILE` prints all. docs/reference/recipe.md explains them.\n\
             name = {}\nmethod = \"agmm\"\npreset = \"{preset}\"\n\n[data]\nset = \"{}\"\npath = {}\n{held}{own}\n{tables}{batch}",
            folder.display(),
            toml_string(name),
            draft.set,
            toml_string(&path.display().to_string())
        )
    };
    let load =
        |text: &str| -> Result<DataSet, CliError> { Ok(Recipe::parse(text, "the recipe to be written")?.load_data()?) };
    let plain = text(0, None);
    let data = load(&plain)?;
    if data.validation.is_some() {
        return Ok((text(0, batch(data.train.len())), data));
    }
    let n = data.train.len() as f64;
    // Whole groups may leave much more than was asked for, or not so much: what comes nearest.
    let tries = [1.0, 0.6, 0.3].map(|part| ((n * VALIDATION * part).ceil() as usize).max(1));
    let share = |data: &DataSet| data.validation.as_ref().map_or(0.0, |set| set.len() as f64 / n);
    let tries = tries.into_iter().filter_map(|asked| Some((load(&text(asked, None)).ok()?, asked)));
    let nearest = tries.min_by(|a, b| {
        let far = |data: &DataSet| (share(data) - VALIDATION).abs();
        far(&a.0).total_cmp(&far(&b.0))
    });
    if let Some((data, asked)) = nearest {
        return Ok((text(asked, batch(data.train.len())), data));
    }
    output::note("warning: no validation part: the training part has too few groups or recordings to hold some out");
    Ok((text(0, batch(data.train.len())), data))
}

/// Samples of a step for so few that the preset's would leave less than four steps of a pass.
fn batch(samples: usize) -> Option<usize> {
    (samples < 128).then(|| (samples / 4).max(1).next_power_of_two().clamp(4, 32).min(samples))
}

#[cfg(test)]
mod tests {
    use super::{Preset, Signal, batch, propose};
    use bitspike_sensors::Features;

    #[test]
    fn few_samples_have_small_batches() {
        assert_eq!([1, 3, 10, 24, 50, 127].map(batch), [1, 3, 4, 8, 16, 32].map(Some));
        assert_eq!(batch(128), None);
    }
    /// The recipe that is written names its features, since frames go by the rate; the rest must be the preset's.
    #[test]
    fn sound_has_the_features_of_its_preset() {
        let folder = tempfile::tempdir().unwrap();
        for label in ["walk", "run"] {
            let rows: String = (0..400).map(|i| format!("{},{}\n", i * 20, i % 11)).collect();
            std::fs::create_dir(folder.path().join(label)).unwrap();
            std::fs::write(folder.path().join(label).join("1.csv"), format!("time_ms,ax\n{rows}")).unwrap();
        }
        let found = bitspike_sensors::examine(folder.path()).unwrap().unwrap();
        let Features::Mel(mut own) = propose(&found, Some(Signal::Audio)).unwrap().config.features else { panic!() };
        let preset: toml::Table = Preset::Audio.toml().parse().unwrap();
        let Features::Mel(mel) = preset["data"]["sensors"]["features"].clone().try_into().unwrap() else { panic!() };
        (own.frame, own.hop) = (mel.frame, mel.hop);
        assert_eq!(own, mel);
    }
}
