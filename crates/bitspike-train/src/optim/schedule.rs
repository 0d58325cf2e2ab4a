//! Learning rate over training.
//!
//! ```text
//! warm-up:  lr · (k + 1) / W                      for the first W steps
//! cosine:   lr · ½ (1 + cos(π (k − W) / (K − W)))
//! step:     lr · factor^⌊e / step_epochs⌋          e: epoch, from 0
//! constant: lr
//! ```
//!
//! k counts steps from 0, K is their total. The rate changes at every step, except `step`, which changes at epochs.

use serde::{Deserialize, Serialize};

/// Shape of the schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Half a cosine, down to zero.
    #[default]
    Cosine,
    /// Multiplied by a factor every few epochs.
    Step,
    /// The same throughout.
    Constant,
}

/// Configuration of the schedule: the `[schedule]` table of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// Shape.
    pub kind: ScheduleKind,
    /// Epochs of linear warm-up; may be a fraction.
    pub warmup_epochs: f64,
    /// Epochs between two changes of `step`.
    pub step_epochs: u64,
    /// Factor of each change of `step`.
    pub factor: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { kind: ScheduleKind::Cosine, warmup_epochs: 0.0, step_epochs: 30, factor: 0.1 }
    }
}

impl Schedule {
    /// Learning rate of step `k` (from 0), with `per_epoch` steps in each of `epochs` epochs.
    ///
    /// ```
    /// use bitspike_train::optim::Schedule;
    /// let s = Schedule::default();
    /// assert_eq!(s.lr(0.1, 0, 10, 4), 0.1);
    /// assert!((s.lr(0.1, 20, 10, 4) - 0.05).abs() < 1e-12);
    /// ```
    pub fn lr(&self, lr: f64, k: u64, per_epoch: u64, epochs: u64) -> f64 {
        let (k_f, total) = (k as f64, (per_epoch * epochs) as f64);
        let warm = (self.warmup_epochs * per_epoch as f64).round().min(total);
        if k_f < warm {
            return lr * (k_f + 1.0) / warm;
        }
        match self.kind {
            ScheduleKind::Constant => lr,
            ScheduleKind::Cosine => {
                let part = (k_f - warm) / (total - warm).max(1.0);
                lr * 0.5 * (1.0 + (std::f64::consts::PI * part).cos())
            }
            ScheduleKind::Step => lr * self.factor.powi((k / per_epoch.max(1) / self.step_epochs.max(1)) as i32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_at_hand_computed_points() {
        let s = |kind, warmup_epochs| Schedule { kind, warmup_epochs, step_epochs: 2, factor: 0.1 };
        // (schedule, step, expected) with 5 steps in each of 6 epochs, lr = 1
        let rows = [
            (s(ScheduleKind::Constant, 0.0), 29, 1.0),
            (s(ScheduleKind::Constant, 1.0), 0, 0.2),
            (s(ScheduleKind::Constant, 1.0), 4, 1.0),
            (s(ScheduleKind::Step, 0.0), 9, 1.0),
            (s(ScheduleKind::Step, 0.0), 10, 0.1),
            (s(ScheduleKind::Step, 0.0), 20, 0.01),
            (s(ScheduleKind::Cosine, 0.0), 0, 1.0),
            (s(ScheduleKind::Cosine, 0.0), 15, 0.5),
            (s(ScheduleKind::Cosine, 1.0), 5, 1.0),
        ];
        for (schedule, k, expected) in rows {
            let lr = schedule.lr(1.0, k, 5, 6);
            assert!((lr - expected).abs() < 1e-12, "{schedule:?} step {k}: {lr}, expected {expected}");
        }
    }
}
