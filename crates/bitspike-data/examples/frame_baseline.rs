//! Classics for sets of frames: what a linear classifier makes of the mean frame of a sample.
//!
//! ```text
//! cargo run --release -p bitspike-data --example frame_baseline -- RECIPE FOLDER
//! ```
//!
//! RECIPE is a recipe whose `[data]` table names the set, FOLDER its files. A sample is the C·H·W values of the mean over its T frames.
#![allow(clippy::print_stdout)] // It is what the program is for.

use bitspike_classics::{Classic, Windows, run};
use bitspike_data::{DataConfig, SampleSet, load_frames};

/// Mean frames, sample after sample.
fn means(set: &SampleSet) -> Vec<f32> {
    let frame = set.frame_len();
    let sample = |i: usize| {
        let values: Vec<f32> = match (set.image(i), set.floats(i)) {
            (Some(bytes), _) => bytes.iter().map(|v| f32::from(*v)).collect(),
            (None, floats) => floats.unwrap_or_default().to_vec(),
        };
        (0..frame).map(move |k| values.iter().skip(k).step_by(frame).sum::<f32>() / set.steps as f32)
    };
    (0..set.len()).flat_map(sample).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(recipe), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("name a recipe and the folder of its data set".into());
    };
    let mut recipe: toml::Table = toml::from_str(&std::fs::read_to_string(recipe)?)?;
    let steps = recipe.get("network").and_then(|n| n.get("T")?.as_integer()).unwrap_or(2);
    let mut config: DataConfig = recipe.remove("data").ok_or("the recipe has no table [data]")?.try_into()?;
    config.path = Some(folder.into());
    let data = load_frames(&config, usize::try_from(steps)?)?;
    let (train, test) = (means(&data.train), means(&data.test));
    let classes = data.classes();
    let train = Windows::new(&train, &data.train.labels, 1, data.train.frame_len(), classes)?;
    let test = Windows::new(&test, &data.test.labels, 1, data.test.frame_len(), classes)?;
    println!("{}: {} to train, {} to test", data.name, train.len(), test.len());
    for o in run(&[Classic::MostFrequent, Classic::RidgeValues], &train, &test, 1, 0)? {
        println!("{}: {:.2} % ({})", o.classic.about(), 100.0 * o.accuracy(), o.note);
    }
    Ok(())
}
