//! `bitspike sweep --select validation`: each method's point of the grid by the validation part, then the test part once.
//!
//! ```text
//! OUT/select/POINT/METHOD-seedN   every point and method, few seeds, train.test = "never"
//!     → of each method the point with the largest mean accuracy on the validation part after the last epoch
//! OUT/final/POINT/METHOD-seedN    that point, all seeds, data.validation = 0, train.test = "end"
//! OUT/report.html, OUT/runs.csv   of the latter; OUT/select has those of the former
//! ```
//!
//! Of equal means the point named first wins. A method chooses for itself, so none is compared at a point that suits another.

use super::compare::{Point, all, carry_out, train};
use crate::args::SweepArgs;
use crate::error::CliError;
use crate::output;
use bitspike_data::SetName;
use bitspike_report::Comparison;
use bitspike_train::recipe::method::Method;
use bitspike_train::recipe::{Recipe, TestAt};
use bitspike_train::run::compare::{Job, jobs};
use bitspike_train::run::shelf::Shelf;
use std::path::Path;

pub fn run(
    args: &SweepArgs,
    points: &[Point],
    methods: &[Method],
    [few, seeds]: [&[u64]; 2],
    shelf: &Shelf,
    out: &Path,
) -> Result<bool, CliError> {
    // A folder of images may have a validation part of its own.
    if points.iter().any(|p| p.recipe.data.validation == 0 && p.recipe.data.set != SetName::ImageFolder) {
        let text = "--select validation: the recipe holds out no samples; add --set data.validation=N, such as a tenth of the \
                    training part";
        return Err(CliError::Usage(text.to_owned()));
    }
    let candidates: Vec<Point> = points.iter().map(|p| with(p, |r| r.train.test = TestAt::Never)).collect();
    let folder = out.join("select");
    let what = format!("to choose among {} points, {} methods, {} seeds", points.len(), methods.len(), few.len());
    // The second part of the work depends on all of the first.
    let Some(comparison) = train(&args.compare, &all(&candidates, methods, few, &folder), shelf, &folder, &what)?
    else {
        return Ok(true);
    };
    let chosen = methods.iter().map(|method| choose(&comparison, &candidates, *method, few, &folder));
    let chosen: Vec<Choice> = chosen.collect::<Result<_, _>>()?;
    let text = told(points, methods, &chosen, few.len());
    match args.compare.run.json {
        true => output::note(&text),
        false => output::result(&text)?,
    }
    let finals: Vec<Point> =
        points.iter().map(|p| with(p, |r| (r.data.validation, r.train.test) = (0, TestAt::End))).collect();
    let pairs = seeds.iter().flat_map(|seed| methods.iter().zip(&chosen).map(move |pair| (seed, pair)));
    let job = |(seed, (method, choice)): (&u64, (&Method, &Choice))| {
        let point = &finals[choice.point];
        jobs(&point.recipe, &[*method], &[*seed], &out.join("final").join(point.name()))
    };
    let second: Vec<Job> = pairs.flat_map(job).collect();
    let what = format!("what was chosen of {} methods, {} seeds", methods.len(), seeds.len());
    carry_out(&args.compare, &second, shelf, out, &what)?;
    Ok(true)
}

fn with(point: &Point, change: impl Fn(&mut Recipe)) -> Point {
    let mut recipe = point.recipe.clone();
    change(&mut recipe);
    Point { keys: point.keys.clone(), recipe }
}

/// The point of a method, and the mean accuracies of all its points.
#[derive(Debug, PartialEq)]
struct Choice {
    point: usize,
    means: Vec<f64>,
}

/// By the mean accuracy on the validation part at each point.
fn choose(runs: &Comparison, points: &[Point], method: Method, seeds: &[u64], out: &Path) -> Result<Choice, CliError> {
    let accuracy = |job: Job| {
        let run = runs.runs.iter().find(|run| run.folder == job.folder && run.counted);
        let accuracy = run.filter(|run| run.accuracy_on.as_deref() == Some("validation")).and_then(|run| run.accuracy);
        accuracy.ok_or_else(|| {
            CliError::Usage(format!("{}: no accuracy on the validation part to choose by", job.folder.display()))
        })
    };
    let mean = |point: &Point| -> Result<f64, CliError> {
        let jobs = jobs(&point.recipe, &[method], seeds, &out.join(point.name()));
        let all = jobs.into_iter().map(accuracy).collect::<Result<Vec<_>, _>>()?;
        Ok(all.iter().sum::<f64>() / all.len() as f64)
    };
    Ok(best(points.iter().map(mean).collect::<Result<_, _>>()?))
}

/// The largest mean, the first of equals.
fn best(means: Vec<f64>) -> Choice {
    let point = (0..means.len()).fold(0, |best, i| if means[i] > means[best] { i } else { best });
    Choice { point, means }
}

/// A line for each method, and a warning where a better value may lie beyond the grid.
fn told(points: &[Point], methods: &[Method], chosen: &[Choice], seeds: usize) -> String {
    let mut text = format!(
        "Chosen by accuracy on the validation part after the last epoch, mean of {seeds} seed{}, among {} points:\n",
        if seeds == 1 { "" } else { "s" },
        points.len()
    );
    for (method, choice) in methods.iter().zip(chosen) {
        let mean = |i: usize| format!("{:.2} %", 100.0 * choice.means[i]);
        let others = (0..points.len()).filter(|i| *i != choice.point);
        let second = others.max_by(|a, b| choice.means[*a].total_cmp(&choice.means[*b]));
        let second = second.map_or_else(String::new, |i| format!("; next {} with {}", points[i].name(), mean(i)));
        text += &format!("  {method}: {} with {}{second}\n", points[choice.point].name(), mean(choice.point));
        for key in edges(points, choice.point) {
            text += &format!("    {key} is the last of its values: better ones may lie beyond\n");
        }
    }
    text
}

/// Keys of a point whose number is the smallest or largest of three or more in the grid.
fn edges(points: &[Point], point: usize) -> Vec<&String> {
    let number = |pair: &str| -> Option<f64> { pair.split_once('=')?.1.parse().ok() };
    let at_edge = |axis: usize, pair: &str| {
        let mut values: Vec<f64> = points.iter().filter_map(|p| number(p.keys.get(axis)?)).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let own = number(pair);
        values.len() > 2 && (values.first() == own.as_ref() || values.last() == own.as_ref())
    };
    points[point].keys.iter().enumerate().filter(|(axis, pair)| at_edge(*axis, pair)).map(|(_, pair)| pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(pairs: &[[&str; 2]]) -> Vec<Point> {
        pairs.iter().map(|keys| Point { keys: keys.map(str::to_owned).into(), recipe: Recipe::default() }).collect()
    }

    #[test]
    fn the_first_of_the_largest_is_chosen() {
        assert_eq!(best(vec![0.5, 0.7, 0.6, 0.7]).point, 1);
        assert_eq!(best(vec![0.2]).point, 0);
    }

    #[test]
    fn edges_of_a_grid_are_named() {
        let points = grid(&[
            ["optim.lr=0.4", "network.T=2"],
            ["optim.lr=0.1", "network.T=2"],
            ["optim.lr=0.2", "network.T=4"],
            ["optim.lr=1e-2", "agmm.pool=hw"],
        ]);
        let found: Vec<_> = (0..4).map(|i| edges(&points, i)).collect();
        let (low, high) = (vec!["optim.lr=1e-2"], vec!["optim.lr=0.4"]);
        assert_eq!(found, [high, vec![], vec![], low], "two values have no inside, words no order");
    }

    #[test]
    fn what_was_chosen_is_said_with_the_next() {
        let points = grid(&[["a=1", "b=x"], ["a=2", "b=x"], ["a=3", "b=x"]]);
        let text = told(&points, &[Method::default()], &[best(vec![0.5, 0.25, 0.75])], 2);
        assert!(text.contains("mean of 2 seeds, among 3 points"), "{text}");
        assert!(text.contains("a=3,b=x with 75.00 %; next a=1,b=x with 50.00 %"), "{text}");
        assert!(text.contains("a=3 is the last of its values"), "{text}");
    }
}
