//! Images that stay in their files until a batch needs them: for sets that memory does not hold.
//!
//! Shapes: a sample is `[C, H, W]` bytes, decoded and scaled each time it is asked for; a random crop is taken from the whole
//! image in the file, not from what evaluation sees of it.

use crate::DataError;
use crate::augment::Rectangle;
use crate::format::image_file::{Target, read};
use std::path::PathBuf;

/// Images in files, all of one shape once decoded. Made by [`load`](crate::load) with
/// [`DataConfig::on_demand`](crate::DataConfig::on_demand).
#[derive(Clone, Debug, PartialEq)]
pub struct ImageFiles {
    target: Target,
    paths: Vec<PathBuf>,
}

impl ImageFiles {
    pub(crate) fn new(target: Target, paths: Vec<PathBuf>) -> Self {
        Self { target, paths }
    }

    /// Number of samples.
    pub(crate) fn samples(&self) -> usize {
        self.paths.len()
    }

    /// Bytes of all samples, once decoded.
    pub(crate) fn len(&self) -> usize {
        self.samples().saturating_mul(self.target.shape.iter().product())
    }

    /// Bytes of memory that the names take.
    pub(crate) fn memory(&self) -> u64 {
        self.paths.iter().map(|p| (size_of::<PathBuf>() + p.as_os_str().len()) as u64).sum()
    }

    /// Keeps the first `n` samples and returns the others.
    pub(crate) fn split_off(&mut self, n: usize) -> Self {
        Self { target: self.target.clone(), paths: self.paths.split_off(n) }
    }

    /// A sample in `to`, `[C, H, W]`: the rectangle that `cut` chooses in an image of a height and a width; without one, the
    /// middle.
    ///
    /// # Errors
    /// [`DataError`] if the file is gone or damaged.
    ///
    /// # Panics
    /// If there is no such sample.
    pub(crate) fn read(
        &self,
        sample: usize,
        cut: impl FnOnce([u32; 2]) -> Option<Rectangle>,
        to: &mut Vec<u8>,
    ) -> Result<(), DataError> {
        let path = &self.paths[sample];
        to.resize(self.target.shape.iter().product(), 0);
        self.target.decode(path, &read(path)?, cut, to)
    }
}

#[cfg(test)]
mod tests {
    use crate::format::folder::tests::put;
    use crate::{
        AugmentConfig, Batch, DataConfig, DataError, DataSet, Loader, LoaderOptions, Normalize, Pipeline, SetName,
        Values, load,
    };
    use image::{ExtendedColorType, ImageEncoder};

    /// PNG of 3 channels by a function of row, column and channel.
    fn png(height: u32, width: u32, f: impl Fn(u32, u32, u32) -> u8) -> Vec<u8> {
        let mut pixels = Vec::new();
        for y in 0..height {
            pixels.extend((0..width).flat_map(|x| [f(y, x, 0), f(y, x, 1), f(y, x, 2)]));
        }
        let mut out = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut out);
        encoder.write_image(&pixels, width, height, ExtendedColorType::Rgb8).unwrap();
        out
    }

    /// Two classes with five images of differing sizes to train and two to test.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (part, n) in [("train", 5), ("val", 2)] {
            for (class, i) in ["a", "b"].into_iter().flat_map(|c| (0..n).map(move |i| (c, i))) {
                let (h, w) = (9 + 3 * i, 21 - 2 * i);
                let image = png(h, w, |y, x, c| (y * 11 + x * 7 + c * 90 + i * 13) as u8);
                put(dir.path(), &format!("{part}/{class}/{i}.png"), &image);
            }
        }
        dir
    }

    fn config(dir: &tempfile::TempDir, on_demand: bool) -> DataConfig {
        let path = Some(dir.path().into());
        DataConfig { set: SetName::ImageFolder, path, size: Some([8, 10]), margin: 3, on_demand, ..Default::default() }
    }

    fn loader(data: &DataSet, augment: &AugmentConfig, workers: usize) -> Loader {
        let augment = Pipeline::train(augment, data).unwrap();
        let options = LoaderOptions { batch_size: 3, seed: 5, augment, workers, ..Default::default() };
        Loader::new(data.train.clone(), options).unwrap()
    }

    fn batches(loader: &Loader, epoch: u64) -> Vec<Batch> {
        loader.epoch(epoch, 0).map(Result::unwrap).collect()
    }

    #[test]
    fn batches_are_those_of_images_in_memory() {
        let dir = folder();
        for channels in [1, 3] {
            let of = |on_demand| {
                let cfg = DataConfig { channels: Some(channels), validation: 2, ..config(&dir, on_demand) };
                load(&cfg).unwrap()
            };
            let (memory, files) = (of(false), of(true));
            assert!(matches!(files.train.values, Values::Files(_)) && files.bytes() < 14 * 300);
            assert_eq!((files.train.len(), files.validation.as_ref().unwrap().len(), files.test.len()), (8, 2, 4));
            assert_eq!(files.channel_mean, memory.channel_mean);
            assert_eq!(files.channel_std, memory.channel_std);
            assert_ne!(files.files[0].sha256, memory.files[0].sha256, "sizes are not hashes");
            assert_eq!(files.files[0].bytes, memory.files[0].bytes);
            assert!(files.split.contains("read on demand"), "{}", files.split);
            let augment = AugmentConfig { random_crop: 2, flip: true, cutout: 3, ..Default::default() };
            let want = batches(&loader(&memory, &augment, 0), 1);
            for workers in [0, 1, 3] {
                assert_eq!(batches(&loader(&files, &augment, workers), 1), want);
            }
            for i in 0..4 {
                assert_eq!(files.test.read_image(i).unwrap(), memory.test.read_image(i).unwrap());
                assert_eq!((files.test.image(i), memory.test.image(i).is_some()), (None, true));
            }
            assert_eq!(files.test.read_image(4).unwrap(), None);
        }
    }

    #[test]
    fn a_margin_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        // A frame of one pixel around each image.
        let framed = png(6, 8, |y, x, _| if y % 5 == 0 || x % 7 == 0 { 255 } else { 9 });
        for name in ["train/a/0.png", "test/a/0.png"] {
            put(dir.path(), name, &framed);
        }
        for on_demand in [false, true] {
            let cfg = DataConfig { size: Some([4, 6]), margin: 2, ..config(&dir, on_demand) };
            assert!(load(&cfg).unwrap().test.read_image(0).unwrap().unwrap().iter().all(|p| *p == 9));
            let whole = DataConfig { size: Some([6, 8]), margin: 0, ..cfg };
            assert_eq!(load(&whole).unwrap().test.read_image(0).unwrap().unwrap()[0], 255);
        }
    }

    /// A crop of an image in a file is of the whole image; of an image in memory it is of what was kept.
    #[test]
    fn crops_reach_all_of_a_file() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["train/a/0.png", "test/a/0.png"] {
            put(dir.path(), name, &png(40, 120, |_, x, _| (x * 2) as u8));
        }
        let augment =
            AugmentConfig { random_resized_crop: 0.05, normalize: Normalize::None, ..AugmentConfig::default() };
        let reach = |on_demand| {
            let data = load(&DataConfig { size: Some([20, 20]), margin: 0, ..config(&dir, on_demand) }).unwrap();
            let loader = loader(&data, &augment, 1);
            let all: Vec<f32> = (0..200).flat_map(|epoch| batches(&loader, epoch).remove(0).values).collect();
            assert_eq!(batches(&loader, 3), batches(&loader, 3));
            assert_ne!(batches(&loader, 3), batches(&loader, 4));
            let ends = all.iter().fold([1.0f32, 0.0], |[l, h], v| [l.min(*v), h.max(*v)]);
            ends.map(|v| (v * 255.0).round() as u8)
        };
        let ([low, high], [first, last]) = (reach(true), reach(false));
        assert!(low < 20 && high > 218, "{low} to {high}");
        assert!(first >= 78 && last <= 162, "the middle third: {first} to {last}");
    }

    #[test]
    fn a_file_that_goes_away_is_an_error_of_its_batch() {
        let dir = folder();
        let data = load(&config(&dir, true)).unwrap();
        let loader = |workers| loader(&data, &AugmentConfig::default(), workers);
        let whole = batches(&loader(0), 0);
        let gone = dir.path().join("train/b/2.png");
        let bytes = std::fs::read(&gone).unwrap();
        std::fs::write(&gone, &bytes[..bytes.len() / 2]).unwrap();
        for workers in [0, 2] {
            let after: Vec<_> = loader(workers).epoch(0, 0).collect();
            assert_eq!(after.len(), whole.len());
            let wrong: Vec<&DataError> = after.iter().filter_map(|b| b.as_ref().err()).collect();
            assert!(matches!(wrong[..], [DataError::Decode { path, .. }] if *path == gone), "{wrong:?}");
            assert!(after.iter().zip(&whole).all(|(a, b)| a.as_ref().map_or(true, |a| a == b)));
        }
        std::fs::remove_file(&gone).unwrap();
        assert!(matches!(data.train.read_image(5), Err(DataError::Io { path, .. }) if path == gone));
        // Found at once where it is looked at for the statistics, by the same name whatever the threads.
        put(dir.path(), "train/b/2.png", &bytes[..9]);
        assert!(matches!(load(&config(&dir, true)), Err(DataError::Decode { path, .. }) if path == gone));
    }
}
