//! What was published about the samples of a set, for those who have not fetched it yet.

use crate::config::Views;
use crate::official;
use crate::{DataConfig, SetName};
use bitspike_events::dataset::EventSetName;

/// Shape and classes of samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleShape {
    /// Frames of a sample; 1 for a static image.
    pub frames: usize,
    /// `[C, H, W]` of a frame.
    pub shape: [usize; 3],
    /// Number of classes.
    pub classes: usize,
}

impl DataConfig {
    /// Shape and classes that [`load_frames`](crate::load_frames) would give with `steps` frames, without any file; `None` for
    /// sets of one's own, and where they depend on the recordings.
    ///
    /// ```
    /// use bitspike_data::{DataConfig, SetName};
    /// let cifar = DataConfig { set: SetName::Cifar100, ..DataConfig::default() }.published(4).unwrap();
    /// assert_eq!((cifar.frames, cifar.shape, cifar.classes), (1, [3, 32, 32], 100));
    /// ```
    pub fn published(&self, steps: usize) -> Option<SampleShape> {
        if let Some(known) = official::known(self.set) {
            let shape = match self.set {
                SetName::Cifar10 | SetName::Cifar100 => [3, 32, 32],
                _ => [1, 28, 28],
            };
            let frames = if self.views == Views::Mirrored { steps } else { 1 };
            return Some(SampleShape { frames, shape, classes: known.classes.len() });
        }
        let set = self.set.events()?;
        let classes = match set {
            EventSetName::NMnist | EventSetName::Cifar10Dvs => 10,
            EventSetName::Dvs128Gesture => 11,
            EventSetName::AslDvs => 24,
            EventSetName::NCaltech101 => 101,
            _ => return None,
        };
        let [height, width] = self.events.as_ref().and_then(|e| e.size).or(set.sensor())?;
        Some(SampleShape { frames: steps, shape: [set.channels(), height, width], classes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_frames;
    use bitspike_events::dataset::EventOptions;

    #[test]
    fn it_is_what_loading_gives() {
        for views in [Views::Same, Views::Mirrored] {
            let cfg = DataConfig { views, train_limit: Some(20), test_limit: Some(2), ..DataConfig::default() };
            let (published, data) = (cfg.published(3).unwrap(), load_frames(&cfg, 3).unwrap());
            assert_eq!(
                (published.frames, published.shape, published.classes),
                (data.steps(), data.shape(), data.classes())
            );
        }
    }

    #[test]
    fn sizes_of_event_sets() {
        let of = |set, size| {
            let events = Some(EventOptions { size, ..EventOptions::default() });
            DataConfig { set, events, ..DataConfig::default() }.published(5).map(|p| (p.frames, p.shape, p.classes))
        };
        assert_eq!(of(SetName::Cifar10Dvs, None), Some((5, [2, 128, 128], 10)));
        assert_eq!(of(SetName::Cifar10Dvs, Some([48, 40])), Some((5, [2, 48, 40], 10)));
        assert_eq!(of(SetName::NCaltech101, None), Some((5, [2, 180, 240], 101)));
        assert_eq!(of(SetName::NCaltech101, Some([9, 8])), Some((5, [2, 9, 8], 101)));
        assert_eq!(of(SetName::EventFolder, Some([9, 8])), None);
    }
}
