//! What is loaded: frames with their classes.

/// Frames of one part of a set.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Part<V> {
    /// Shape `[N, T, C, H, W]`.
    pub samples: Vec<V>,
    /// Class of each sample.
    pub labels: Vec<u32>,
}

/// A data set of events as frames.
///
/// Channel 0 is OFF, channel 1 is ON; sets without polarity, and voxel grids, have one channel.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FrameSet<V> {
    /// T.
    pub steps: usize,
    /// `[C, H, W]`.
    pub shape: [usize; 3],
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Training part.
    pub train: Part<V>,
    /// How many of the last training samples are held out for validation.
    pub validation: usize,
    /// Test part.
    pub test: Part<V>,
    /// Name of the split.
    pub split: String,
    /// SHA-256 of the list: which recordings stand in which part.
    pub list_sha256: String,
    /// The frames come from a cache.
    pub cached: bool,
}

/// Frames of bytes: spikes or counts.
pub type EventSet = FrameSet<u8>;

/// Frames of f32: voxel grids and time surfaces.
pub type FloatSet = FrameSet<f32>;
