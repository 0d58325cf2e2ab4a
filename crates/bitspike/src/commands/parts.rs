//! What the parts of a data set hold, class by class.

use bitspike_data::{DataSet, SampleSet};

/// A line for each class with its samples in each part; classes that a part lacks are named.
pub(super) fn text(data: &DataSet) -> String {
    let parts: Vec<(&str, &SampleSet)> =
        [("train", Some(&*data.train)), ("validation", data.validation.as_deref()), ("test", Some(&*data.test))]
            .into_iter()
            .filter_map(|(name, set)| Some((name, set?)))
            .collect();
    let counts: Vec<Vec<usize>> = parts
        .iter()
        .map(|(_, set)| {
            let mut count = vec![0; set.classes.len()];
            set.labels.iter().for_each(|label| count[*label as usize] += 1);
            count
        })
        .collect();
    let row = |name: &str, cells: Vec<String>| {
        format!("{name:24}{}\n", cells.iter().map(|c| format!(" {c:>10}")).collect::<String>())
    };
    let mut text = row("class", parts.iter().map(|(name, _)| (*name).to_owned()).collect());
    for (i, class) in data.train.classes.iter().enumerate() {
        text += &row(class, counts.iter().map(|c| c[i].to_string()).collect());
    }
    text += &row("together", parts.iter().map(|(_, set)| set.len().to_string()).collect());
    for ((name, _), counts) in parts.iter().zip(&counts) {
        let missing: Vec<&str> =
            data.train.classes.iter().zip(counts).filter(|(_, n)| **n == 0).map(|(class, _)| class.as_str()).collect();
        if !missing.is_empty() {
            text += &format!("the {name} part has nothing of {}\n", missing.join(", "));
        }
    }
    text
}
