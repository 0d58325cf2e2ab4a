//! Progress on standard error: bars on a terminal, one line per epoch elsewhere.

use crate::interrupt;
use crate::output::note;
use bitspike_run::EpochRecord;
use bitspike_train::run::compare::{Job, State, Watch};
use bitspike_train::run::trainer::{Control, Event};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;

/// Shows runs by index.
pub struct Progress {
    bars: MultiProgress,
    runs: Mutex<Vec<Option<(String, ProgressBar)>>>,
    terminal: bool,
    quiet: bool,
}

impl Progress {
    /// For this many runs.
    pub fn new(runs: usize, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal() && !quiet;
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), runs: Mutex::new(vec![None; runs]), terminal, quiet }
    }

    /// A run begins or goes on.
    pub fn start(&self, index: usize, label: &str, (batches, epochs): (usize, u64), done: u64) {
        let style = ProgressStyle::with_template("{prefix:22} {wide_bar} {pos}/{len} {elapsed} left {eta} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.bars.add(ProgressBar::new(batches as u64 * epochs).with_style(style));
        bar.set_prefix(label.to_owned());
        bar.set_position(batches as u64 * done);
        bar.reset_eta();
        if let Some(slot) = self.runs.lock().unwrap_or_else(|e| e.into_inner()).get_mut(index) {
            *slot = Some((label.to_owned(), bar));
        }
    }

    fn show(&self, index: usize, event: &Event<'_>) {
        let runs = self.runs.lock().unwrap_or_else(|e| e.into_inner());
        let Some(Some((label, bar))) = runs.get(index) else { return };
        match event {
            Event::Step { .. } => bar.inc(1),
            Event::Epoch(r) => {
                bar.set_message(format!("epoch {} {}", r.epoch, accuracy(r)));
                if Some(bar.position()) == bar.length() {
                    bar.finish();
                }
                if !self.terminal && !self.quiet {
                    note(&line(label, r));
                }
            }
            _ => {}
        }
    }
}

fn accuracy(r: &EpochRecord) -> String {
    r.held_out_accuracy.map_or_else(String::new, |a| format!("{:.2} %", 100.0 * a))
}

fn line(label: &str, r: &EpochRecord) -> String {
    let evaluated = match r.held_out_accuracy {
        Some(_) => format!(" {} {} rate {:.3}", r.evaluated_on, accuracy(r), r.firing_rate),
        None => String::new(),
    };
    format!(
        "{label}: epoch {} loss {:.4} train {:.2} %{evaluated} flips/weight {:.4} {:.1} s",
        r.epoch,
        r.train_loss,
        100.0 * r.train_accuracy,
        r.flips.per_weight,
        r.seconds
    )
}

/// Progress of a single run.
pub struct Single(pub Progress);

impl Control for Single {
    fn event(&mut self, event: Event<'_>) {
        self.0.show(0, &event);
    }

    fn stop(&mut self) -> bool {
        interrupt::requested()
    }
}

impl Watch for Progress {
    fn begin(&self, index: usize, job: &Job, state: State, length: (usize, u64), done: u64) {
        let label = format!("{} seed {}", job.recipe.method, job.recipe.seed);
        if state == State::Done {
            if !self.quiet {
                note(&format!("{label}: finished earlier, kept"));
            }
            return;
        }
        self.start(index, &label, length, done);
    }

    fn event(&self, index: usize, event: Event<'_>) {
        self.show(index, &event);
    }

    fn stop(&self) -> bool {
        interrupt::requested()
    }
}
