//! A baseline without a network for sets of frames: ridge regression on the mean frame of a sample.
//!
//! ```text
//! cargo run --release -p bitspike-data --example frame_baseline -- RECIPE FOLDER
//! ```
//!
//! RECIPE is a recipe whose `[data]` table names the set, FOLDER its files. Features are the C·H·W values of the mean over the
//! T frames, each brought to mean 0 and standard deviation 1 on the training part (a constant one stays 0); with X of them and
//! Y one-hot less its mean, class = argmax x Xᵀ (X Xᵀ + λ I)⁻¹ Y + mean, λ = number of features. No random numbers.
#![allow(clippy::print_stdout)] // It is what the program is for.

use bitspike_data::{DataConfig, ImageSet, load_frames};
use bitspike_sensors::solve;

/// Mean frames, one per sample.
fn features(set: &ImageSet) -> Vec<Vec<f64>> {
    let frame = set.frame_len();
    let sample = |i: usize| {
        let values: Vec<f64> = match (set.image(i), set.floats(i)) {
            (Some(bytes), _) => bytes.iter().map(|v| f64::from(*v)).collect(),
            (None, floats) => floats.unwrap_or_default().iter().map(|v| f64::from(*v)).collect(),
        };
        let mean = |k: usize| values.iter().skip(k).step_by(frame).sum::<f64>() / set.steps as f64;
        (0..frame).map(mean).collect()
    };
    (0..set.len()).map(sample).collect()
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
    let (mut train, mut test) = (features(&data.train), features(&data.test));
    let (n, d, classes) = (train.len(), train[0].len(), data.classes());
    for k in 0..d {
        let mean = train.iter().map(|x| x[k]).sum::<f64>() / n as f64;
        let std = (train.iter().map(|x| (x[k] - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
        let scale = if std > 0.0 { 1.0 / std } else { 0.0 };
        train.iter_mut().chain(&mut test).for_each(|x| x[k] = (x[k] - mean) * scale);
    }
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut kernel: Vec<Vec<f64>> = train.iter().map(|a| train.iter().map(|b| dot(a, b)).collect()).collect();
    kernel.iter_mut().enumerate().for_each(|(i, row)| row[i] += d as f64);
    let counts = data.train.class_counts();
    let share: Vec<f64> = counts.iter().map(|c| *c as f64 / n as f64).collect();
    let one_hot = |label: u32| (0..classes).map(|c| f64::from(u8::from(c == label as usize)) - share[c]).collect();
    let weights = solve(kernel, data.train.labels.iter().map(|label| one_hot(*label)).collect());
    let predict = |x: &[f64]| {
        let mut scores = share.clone();
        for (a, w) in train.iter().zip(&weights) {
            let k = dot(x, a);
            scores.iter_mut().zip(w).for_each(|(s, w)| *s += k * w);
        }
        (0..classes).fold(0, |best, c| if scores[c] > scores[best] { c } else { best })
    };
    let correct = test.iter().zip(&data.test.labels).filter(|(x, label)| predict(x) == **label as usize).count();
    let largest = (0..classes).max_by_key(|c| counts[*c]).unwrap_or(0);
    let majority = data.test.labels.iter().filter(|label| **label as usize == largest).count();
    let percent = |count: usize| 100.0 * count as f64 / test.len() as f64;
    println!("{}: {n} to train, {} to test, {d} features", data.name, test.len());
    println!("ridge {:.2} %, most frequent class {:.2} %", percent(correct), percent(majority));
    Ok(())
}
