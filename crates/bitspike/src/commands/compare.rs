//! `bitspike compare` and `bitspike sweep`: methods × seeds, and points of a grid, one table and one page.

use super::budget::Footprint;
use super::shared::{bytes, device, odd, recipe, threads, warn};
use super::{classics, select};
use crate::args::{Budget, CompareArgs, SweepArgs};
use crate::error::CliError;
use crate::progress::Progress;
use crate::{interrupt, output};
use bitspike_report::{Comparison, MethodResult};
use bitspike_run::{REPORT_FILE, RUNS_FILE, RunFolder};
use bitspike_train::recipe::Recipe;
use bitspike_train::recipe::method::Method;
use bitspike_train::run::compare::{Job, State, jobs, parallel_within, run as run_jobs, state};
use bitspike_train::run::memory::available;
use bitspike_train::run::shelf::Shelf;
use std::path::{Path, PathBuf};

pub fn run(args: &CompareArgs) -> Result<bool, CliError> {
    let recipe = recipe(&args.recipe, None)?;
    let methods = methods(&args.methods)?;
    let seeds = seeds(&args.seeds)?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("runs/compare-{}", recipe.name)));
    let jobs = jobs(&recipe, &methods, &seeds, &out);
    interrupt::install()?;
    carry_out(args, &jobs, &Shelf::default(), &out, &format!("{} methods, {} seeds", methods.len(), seeds.len()))?;
    Ok(true)
}

/// `bitspike sweep`: every point of a grid, every method, every seed.
pub fn sweep(args: &SweepArgs) -> Result<bool, CliError> {
    let plain = recipe(&args.compare.recipe, None)?;
    let methods = methods(&args.compare.methods)?;
    let seeds = seeds(&args.compare.seeds)?;
    let out = args.compare.out.clone().unwrap_or_else(|| PathBuf::from(format!("runs/sweep-{}", plain.name)));
    let at = |keys: Vec<String>| -> Result<Point, CliError> {
        let mut with = args.compare.recipe.clone();
        with.sets.extend(keys.iter().cloned());
        Ok(Point { recipe: recipe(&with, None)?, keys })
    };
    let points = points(&args.grid)?.into_iter().map(at).collect::<Result<Vec<_>, _>>()?;
    let shelf = Shelf::default();
    let points = if args.budget.is_set() { affordable(&args.budget, points, &shelf)? } else { points };
    interrupt::install()?;
    if args.select.is_some() {
        let select_seeds = self::seeds(args.select_seeds.as_deref().unwrap_or("2"))?;
        return select::run(args, &points, &methods, [&select_seeds, &seeds], &shelf, &out);
    }
    let all = all(&points, &methods, &seeds, &out);
    let what = format!("{} points, {} methods, {} seeds", points.len(), methods.len(), seeds.len());
    if let Some(comparison) = carry_out(&args.compare, &all, &shelf, &out, &what)?
        && !args.compare.run.json
    {
        for front in COSTS.iter().map(|cost| front(&comparison, cost)).filter(|front| !front.is_empty()) {
            output::result(&front)?;
        }
    }
    Ok(true)
}

/// A point of a grid: its `key=value` pairs, and the recipe with them.
pub(super) struct Point {
    pub keys: Vec<String>,
    pub recipe: Recipe,
}

impl Point {
    /// `optim.lr=0.1,agmm.pool=hw`.
    pub fn name(&self) -> String {
        self.keys.join(",")
    }
}

/// Every method at every point and seed. Seeds outside, so that an interrupted sweep has every point at the first seed.
pub(super) fn all(points: &[Point], methods: &[Method], seeds: &[u64], out: &Path) -> Vec<Job> {
    let pairs = seeds.iter().flat_map(|seed| points.iter().map(move |point| (seed, point)));
    pairs.flat_map(|(&seed, point)| jobs(&point.recipe, methods, &[seed], &out.join(point.name()))).collect()
}

/// Runs the jobs, then shows them side by side, if none is left to another machine.
pub(super) fn carry_out(
    args: &CompareArgs,
    jobs: &[Job],
    shelf: &Shelf,
    out: &Path,
    what: &str,
) -> Result<Option<Comparison>, CliError> {
    let Some(comparison) = train(args, jobs, shelf, out, what)? else { return Ok(None) };
    if args.run.json {
        json(jobs)?;
    } else {
        output::result(&bitspike_report::text(&comparison))?;
    }
    output::note(&format!("report: {}", out.join(REPORT_FILE).display()));
    Ok(Some(comparison))
}

/// Runs the jobs, or one part of them, and writes page and table once all are finished; `None` before.
pub(super) fn train(
    args: &CompareArgs,
    all: &[Job],
    shelf: &Shelf,
    out: &Path,
    what: &str,
) -> Result<Option<Comparison>, CliError> {
    let share = args.part.map(|part| part.share(all));
    let jobs = share.as_deref().unwrap_or(all);
    let device = device(&args.run)?;
    warn(jobs.iter().map(|job| &job.recipe));
    let threads = threads(&args.run);
    // Kept by the shelf for the first run; where all are finished, it need not be there.
    if let Some(job) = jobs.iter().find(|job| !matches!(state(job), Ok(State::Done)))
        && let Ok(data) = shelf.get(&job.recipe)
    {
        odd(&data);
    }
    let fit = match (args.memory, available()) {
        (Some(limit), _) => parallel_within(jobs, shelf, limit.as_u64())?,
        // An estimate with a third on top does not forbid a single run; the run itself looks again.
        (None, Some(limit)) => parallel_within(jobs, shelf, limit).unwrap_or(1),
        (None, None) => usize::MAX,
    };
    let parallel = args.jobs.unwrap_or(threads).min(fit).clamp(1, jobs.len().max(1));
    let each = (threads / parallel).max(1);
    if !args.run.quiet {
        let part = args.part.map_or_else(String::new, |part| format!("part {part} of {}: ", all.len()));
        output::note(&format!(
            "{part}{} runs ({what}), {parallel} at a time with {each} thread(s) each, in {}",
            jobs.len(),
            out.display()
        ));
    }
    let command: Vec<String> = std::env::args().collect();
    let progress = Progress::new(jobs.len(), args.run.quiet);
    let folders = run_jobs(jobs, shelf, &device, parallel, each, &command, &progress)?;
    if folders.len() < jobs.len() {
        return Err(CliError::Interrupted { resume: "the same command again".to_owned() });
    }
    // Those of other parts: a folder of another recipe is an error here too.
    let states = all.iter().map(state).collect::<Result<Vec<_>, _>>()?;
    let left = states.iter().filter(|state| **state != State::Done).count();
    if left > 0 {
        let parts = "the same command, on any machine, goes on once they are; folders of other machines may be copied into this one";
        output::note(&format!("{left} of {} runs are not finished in {}: {parts}", all.len(), out.display()));
        return Ok(None);
    }
    let folders: Vec<PathBuf> = all.iter().map(|job| job.folder.clone()).collect();
    let mut comparison = Comparison::from_runs(&folders)?;
    if !args.no_classics
        && let Some(classics) = classics::of(all, shelf, out, threads, args.run.quiet)
    {
        comparison = comparison.with_classics(classics);
    }
    bitspike_report::write(&comparison, &out.join(REPORT_FILE), bitspike_report::html)?;
    bitspike_report::write(&comparison, &out.join(RUNS_FILE), bitspike_report::csv)?;
    Ok(Some(comparison))
}

/// Points of a grid whose network fits, of the method `agmm`; those that do not are named with what they take.
fn affordable(budget: &Budget, points: Vec<Point>, shelf: &Shelf) -> Result<Vec<Point>, CliError> {
    let (mut fit, mut smallest) = (Vec::new(), None::<Footprint>);
    for point in points {
        let recipe = point.recipe.with(Method::Agmm, point.recipe.seed);
        let found = Footprint::of(&recipe, &*shelf.get(&recipe)?)?;
        if budget.allows(&found) {
            output::note(&format!("{}: {found}", point.name()));
            fit.push(point);
        } else {
            output::note(&format!("{}: left out, beyond {budget}: {found}", point.name()));
            smallest = smallest.filter(|s| s.flash <= found.flash).or(Some(found));
        }
    }
    match (fit.is_empty(), smallest) {
        (true, Some(found)) => {
            let text = format!(
                "no point of the grid fits into {budget}; the smallest takes {found}; add a smaller one, as \
                                --grid network.width=0.25,0.5,1.0"
            );
            Err(CliError::Usage(text))
        }
        _ => Ok(fit),
    }
}

/// What a network costs, in words, and how it is read off and written.
type Cost = (&'static str, fn(&MethodResult) -> Option<f64>, fn(f64) -> String);

const COSTS: [Cost; 3] = [
    ("flips per weight", |m| Some(m.flips_per_weight.map_or(0.0, |f| f.mean)), |v| format!("{v:.3} flips per weight")),
    ("bytes", |m| Some(m.bytes_1bit as f64), |v| bytes(v as u64)),
    ("energy", |m| Some(m.energy_with_memory_pj?.mean), |v| format!("{:.3} µJ", v / 1e6)),
];

/// What no other group beats in both accuracy and a cost, of those that learned; nothing where all cost the same.
fn front(comparison: &Comparison, (name, cost, show): &Cost) -> String {
    let figures: Vec<(&str, f64, f64)> = comparison
        .methods
        .iter()
        .filter(|m| comparison.doubts(m).is_empty())
        .filter_map(|m| Some((m.label.as_str(), m.accuracy?.mean, cost(m)?)))
        .collect();
    if figures.windows(2).all(|pair| pair[0].2 == pair[1].2) {
        return String::new();
    }
    let mut text = format!("Not beaten in both accuracy and {name}:\n");
    for (label, accuracy, cost) in &figures {
        let beaten = figures.iter().any(|(_, a, c)| a >= accuracy && c <= cost && (a > accuracy || c < cost));
        if !beaten {
            text.push_str(&format!("  {label}: {:.2} %, {}\n", accuracy * 100.0, show(*cost)));
        }
    }
    text
}

/// Every combination of the values of a grid, as `key=value` pairs.
fn points(grid: &[String]) -> Result<Vec<Vec<String>>, CliError> {
    let mut points = vec![Vec::new()];
    for axis in grid {
        let bad =
            || CliError::Usage(format!("--grid is {axis:?}; expected KEY=VALUE,VALUE,... such as optim.lr=0.05,0.1"));
        let (key, values) = axis.split_once('=').ok_or_else(bad)?;
        let key = key.trim();
        let values: Vec<&str> = values.split(',').map(str::trim).collect();
        if key.is_empty() || values.iter().any(|v| v.is_empty() || v.contains(['/', '\\'])) {
            return Err(bad());
        }
        // A grid over the data set would compare what cannot be compared.
        if key.starts_with("data.") || matches!(key, "data" | "seed" | "method" | "name") {
            let how = "the recordings are the same for all runs, and --methods and --seeds have flags of their own";
            return Err(CliError::Usage(format!("--grid cannot go over {key}: {how}")));
        }
        let with = |point: &Vec<String>, value: &str| [point.as_slice(), &[format!("{key}={value}")]].concat();
        points = points.iter().flat_map(|p| values.iter().map(move |v| with(p, v))).collect();
    }
    Ok(points)
}

fn methods(names: &[String]) -> Result<Vec<Method>, CliError> {
    match names.is_empty() {
        true => Ok(Method::COMPARED.to_vec()),
        false => Ok(names.iter().map(|m| m.parse()).collect::<Result<Vec<Method>, _>>()?),
    }
}

/// One object per method and seed.
fn json(jobs: &[Job]) -> Result<(), CliError> {
    for job in jobs {
        if let Some(summary) = RunFolder::open(&job.folder)?.read_summary()? {
            output::json(&summary)?;
        }
    }
    Ok(())
}

/// `3` is 1, 2, 3; `4,9` is a list.
fn seeds(text: &str) -> Result<Vec<u64>, CliError> {
    let bad = || {
        CliError::Usage(format!("--seeds is {text:?}; expected a number of seeds such as 3, or a list such as 1,5,9"))
    };
    let numbers: Vec<u64> = text.split(',').map(|s| s.trim().parse().map_err(|_| bad())).collect::<Result<_, _>>()?;
    match (numbers.as_slice(), text.contains(',')) {
        ([n], false) if (1..=1000).contains(n) => Ok((1..=*n).collect()),
        (list, true) if !list.is_empty() => {
            let mut sorted = list.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            Ok(sorted)
        }
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::{points, seeds};

    #[test]
    fn seeds_are_a_number_or_a_list() {
        assert_eq!(seeds("3").unwrap(), [1, 2, 3]);
        assert_eq!(seeds("9,4,4").unwrap(), [4, 9]);
        for bad in ["0", "", "x", "1,", "-1"] {
            assert!(seeds(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_grid_is_every_combination_of_its_axes() {
        let axes = ["optim.lr=0.1, 0.2".to_owned(), "agmm.pool=hw,chw".to_owned()];
        let found = points(&axes).unwrap();
        let values = [["0.1", "hw"], ["0.1", "chw"], ["0.2", "hw"], ["0.2", "chw"]];
        assert_eq!(found, values.map(|[lr, pool]| [format!("optim.lr={lr}"), format!("agmm.pool={pool}")]));
        for bad in ["optim.lr", "=1", "optim.lr=", "optim.lr=1,,2", "data.set=mnist", "seed=1,2"] {
            assert!(points(&[bad.to_owned()]).is_err(), "{bad:?}");
        }
    }
}
