//! Which class was taken for which, and how many of each class were found.
//!
//! The confusion matrix counts samples, `[K, K]`: rows are the classes they are of, columns those that were predicted. With a class's
//! place on the diagonal d, the sum r of its row and the sum c of its column:
//!
//! ```text
//! recall = d / r    precision = d / c    F1 = 2 d / (r + c)
//! balanced accuracy, macro F1: means over the classes that have samples, so that a rare class counts as much as a frequent one
//! ```

use bitspike_run::csv_line;
use serde::Serialize;

/// Up to so many classes a matrix is shown and kept; beyond that nobody reads it.
pub const SHOWN_CLASSES: usize = 20;

/// A confusion matrix.
///
/// ```
/// use bitspike_train::measure::confusion::Confusion;
/// let confusion = Confusion::of(3, [(0, 0), (0, 2), (1, 1)]);
/// assert_eq!((confusion.correct(), confusion.samples()), (2, 3));
/// assert_eq!(confusion.recall(), [Some(0.5), Some(1.0), None]);
/// assert_eq!(confusion.precision(), [Some(1.0), Some(1.0), Some(0.0)]);
/// assert_eq!(confusion.balanced_accuracy(), Some(0.75));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Confusion {
    counts: Vec<Vec<u64>>,
}

/// As JSON in a file of its own.
#[derive(Serialize)]
pub struct Named<'a> {
    classes: &'a [String],
    recall: Vec<Option<f64>>,
    precision: Vec<Option<f64>>,
    f1: Vec<Option<f64>>,
    balanced_accuracy: Option<f64>,
    macro_f1: Option<f64>,
    confusion: &'a Confusion,
}

/// Mean of those that are there.
fn mean(values: &[Option<f64>]) -> Option<f64> {
    let there: Vec<f64> = values.iter().copied().flatten().collect();
    (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64)
}

impl Confusion {
    /// Of pairs of true and predicted class; classes that do not exist are left out.
    pub fn of(classes: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut all = Self { counts: vec![vec![0; classes]; classes] };
        all.count(pairs);
        all
    }

    /// Counts more such pairs.
    pub fn count(&mut self, pairs: impl IntoIterator<Item = (usize, usize)>) {
        for (class, predicted) in pairs {
            if let Some(count) = self.counts.get_mut(class).and_then(|row| row.get_mut(predicted)) {
                *count += 1;
            }
        }
    }

    /// Of counts, a row for each class; of a row that is too short what is missing is 0.
    pub fn from_rows(mut counts: Vec<Vec<u64>>) -> Self {
        let classes = counts.len();
        counts.iter_mut().for_each(|row| row.resize(classes, 0));
        Self { counts }
    }

    /// Rows.
    pub fn rows(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// Samples on the diagonal.
    pub fn correct(&self) -> u64 {
        self.counts.iter().enumerate().map(|(class, row)| row[class]).sum()
    }

    /// All samples.
    pub fn samples(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Share of each class that was found; `None` of classes without a sample.
    pub fn recall(&self) -> Vec<Option<f64>> {
        let share = |(class, row): (usize, &Vec<u64>)| {
            let samples = row.iter().sum::<u64>();
            (samples > 0).then(|| row[class] as f64 / samples as f64)
        };
        self.counts.iter().enumerate().map(share).collect()
    }

    /// Share of what was taken for each class that is of it; `None` of classes that nothing was taken for.
    pub fn precision(&self) -> Vec<Option<f64>> {
        let share = |class: usize| {
            let taken = self.column(class);
            (taken > 0).then(|| self.counts[class][class] as f64 / taken as f64)
        };
        (0..self.counts.len()).map(share).collect()
    }

    /// F1 of each class; `None` of classes without a sample.
    pub fn f1(&self) -> Vec<Option<f64>> {
        let f1 = |(class, row): (usize, &Vec<u64>)| {
            let samples = row.iter().sum::<u64>();
            (samples > 0).then(|| 2.0 * row[class] as f64 / (samples + self.column(class)) as f64)
        };
        self.counts.iter().enumerate().map(f1).collect()
    }

    /// Samples that were taken for a class.
    fn column(&self, class: usize) -> u64 {
        self.counts.iter().map(|row| row[class]).sum()
    }

    /// Mean recall of the classes that have samples; `None` without a sample.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        mean(&self.recall())
    }

    /// Mean F1 of the classes that have samples; `None` without a sample.
    pub fn macro_f1(&self) -> Option<f64> {
        mean(&self.f1())
    }

    /// The rows, if there are few enough to be shown.
    pub fn shown(&self) -> Option<&[Vec<u64>]> {
        (self.counts.len() <= SHOWN_CLASSES).then_some(&self.counts)
    }

    /// Recall, precision and F1 of each class and the matrix, and the means over classes, as lines of text; with more classes than are shown
    /// the means alone.
    pub fn text(&self, classes: &[String]) -> String {
        let percent =
            |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{:.1}", 100.0 * share));
        let means = [self.balanced_accuracy(), self.macro_f1()].map(percent);
        let means = format!("balanced accuracy {} %, macro F1 {} %\n", means[0], means[1]);
        let Some(rows) = self.shown() else { return means };
        let label = |class: usize| {
            let name = classes.get(class).map_or("", String::as_str);
            format!("{class} {}", name.chars().take(18).collect::<String>())
        };
        let count = |n: u64| n.to_string().len();
        let width = rows.iter().flatten().map(|n| count(*n)).max().unwrap_or(1).max(count(rows.len() as u64)) + 1;
        let first = (0..rows.len()).map(|class| label(class).chars().count()).max().unwrap_or(0).max(5);
        let mut text = format!("{:first$}  recall, %  precision, %  F1, % ", "class");
        text.extend((0..rows.len()).map(|class| format!("{class:>width$}")));
        text += "  (rows: true, columns: predicted)\n";
        let figures = self.recall().into_iter().zip(self.precision()).zip(self.f1());
        for ((class, row), ((recall, precision), f1)) in rows.iter().enumerate().zip(figures) {
            let [recall, precision, f1] = [recall, precision, f1].map(percent);
            text += &format!("{:first$}  {recall:>9}  {precision:>12}  {f1:>5} ", label(class));
            text.extend(row.iter().map(|n| format!("{n:>width$}")));
            text.push('\n');
        }
        text + &means
    }

    /// As CSV: class, samples, recall, precision, F1, and a column for each predicted class.
    pub fn csv(&self, classes: &[String]) -> String {
        let name = |class: usize| classes.get(class).cloned().unwrap_or_else(|| class.to_string());
        let first = ["class", "samples", "recall", "precision", "f1"].map(str::to_owned);
        let mut text = csv_line(first.into_iter().chain((0..self.counts.len()).map(name)));
        let figures = self.recall().into_iter().zip(self.precision()).zip(self.f1());
        for ((class, row), ((recall, precision), f1)) in self.counts.iter().enumerate().zip(figures) {
            let [recall, precision, f1] =
                [recall, precision, f1].map(|v| v.map_or_else(String::new, |v| v.to_string()));
            let first = [name(class), row.iter().sum::<u64>().to_string(), recall, precision, f1];
            text += &csv_line(first.into_iter().chain(row.iter().map(u64::to_string)));
        }
        text
    }

    /// With names and recalls, for JSON.
    pub fn named<'a>(&'a self, classes: &'a [String]) -> Named<'a> {
        Named {
            classes,
            recall: self.recall(),
            precision: self.precision(),
            f1: self.f1(),
            balanced_accuracy: self.balanced_accuracy(),
            macro_f1: self.macro_f1(),
            confusion: self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["cat", "dog, small", "emu"].map(str::to_owned).into()
    }

    #[test]
    fn counts_add_up_and_what_does_not_exist_is_left_out() {
        let mut all = Confusion::of(3, [(0, 0), (0, 1), (1, 1), (3, 0), (0, 3)]);
        all.count([(0, 0), (1, 2)]);
        assert_eq!(all.rows(), [vec![2, 1, 0], vec![0, 1, 1], vec![0, 0, 0]]);
        assert_eq!((all.correct(), all.samples()), (3, 5));
        assert_eq!(all.recall(), [Some(2.0 / 3.0), Some(0.5), None]);
        assert_eq!(Confusion::from_rows(all.rows().to_vec()), all);
        assert_eq!(Confusion::from_rows(vec![vec![1], vec![]]).rows(), [vec![1, 0], vec![0, 0]]);
    }

    #[test]
    fn text_csv_and_json_say_the_same() {
        let all = Confusion::of(3, [(0, 0), (0, 1), (1, 1), (1, 1)]);
        let text = all.text(&names());
        let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["0", "cat", "50.0", "100.0", "66.7", "1", "1", "0"]);
        assert_eq!(rows[1][3..], ["100.0", "66.7", "80.0", "0", "2", "0"]);
        assert_eq!(rows[2], ["2", "emu", "-", "-", "-", "0", "0", "0"]);
        assert!(text.ends_with("balanced accuracy 75.0 %, macro F1 73.3 %\n"), "{text}");
        let csv = all.csv(&names());
        let wanted = "class,samples,recall,precision,f1,cat,\"dog, small\",emu\ncat,2,0.5,1,0.6666666666666666,1,1,0\n\
             \"dog, small\",2,1,0.6666666666666666,0.8,0,2,0\nemu,0,,,,0,0,0\n";
        assert_eq!(csv, wanted);
        let json = serde_json::to_value(all.named(&names())).unwrap();
        assert_eq!(json["confusion"], serde_json::json!([[1, 1, 0], [0, 2, 0], [0, 0, 0]]));
        assert_eq!((&json["recall"], &json["classes"][2]), (&serde_json::json!([0.5, 1.0, null]), &"emu".into()));
    }

    #[test]
    fn too_many_classes_are_not_shown() {
        let many = Confusion::of(SHOWN_CLASSES + 1, [(0, 0)]);
        assert_eq!((many.shown(), many.text(&[])), (None, "balanced accuracy 100.0 %, macro F1 100.0 %\n".to_owned()));
        assert_eq!(many.csv(&[]).lines().count(), SHOWN_CLASSES + 2);
        assert!(Confusion::of(SHOWN_CLASSES, [(0, 0)]).shown().is_some());
    }
}
