//! From an architecture to the list of its convolutions with their shapes.

use super::config::{ConvPlan, NetworkOptions, Plan, PlanError};
use super::names::{Architecture, Body, Stage, Stem};
use super::spec::Part;
use super::types::{Family, Head, Junction, Pooling, Structure};
use crate::layers::Conv2dConfig;

/// Channels per head of attention (Zhou et al., 2023: 256 channels and 8 heads).
const HEAD: usize = 32;
/// Width of the hidden layer behind attention, in widths of the network.
const EXPANSION: usize = 4;
/// The largest number of channels of a layer.
const MAX_CHANNELS: usize = 65_536;

impl NetworkOptions {
    /// Checks the configuration against an input of `[C, H, W]` and a number of classes.
    ///
    /// ```
    /// use bitspike_nn::network::NetworkOptions;
    /// let plan = NetworkOptions::default().plan([1, 28, 28], 10).unwrap();
    /// assert_eq!(plan.convs.len(), 3);
    /// assert_eq!(plan.features, 128 * 7 * 7);
    /// ```
    ///
    /// # Errors
    /// [`PlanError`] names the key or layer, what was found and what was expected.
    pub fn plan(&self, input: [usize; 3], classes: usize) -> Result<Plan, PlanError> {
        self.check_ranges()?;
        if let Some(gate) = &self.gate {
            gate.check()?;
        }
        let architecture = self.network.architecture();
        let mut layout = Layout::new(self, input);
        let structure = layout.body(&architecture)?;
        let Layout { convs, channels, map, source, .. } = layout;
        let features = match architecture.head {
            Head::Average => channels,
            Head::Flatten => channels * map[0] * map[1],
        };
        let last = source.unwrap_or_default();
        let frames = 1;
        Ok(Plan {
            options: self.clone(),
            input,
            frames,
            structure,
            convs,
            head: architecture.head,
            last,
            features,
            classes,
        })
    }
}

/// The convolutions so far, and what the last one gives.
pub(super) struct Layout<'a> {
    options: &'a NetworkOptions,
    input: [usize; 3],
    pub convs: Vec<ConvPlan>,
    pub channels: usize,
    pub map: [usize; 2],
    /// Name under which the spikes, or sums of spikes, that go on are observed.
    pub source: Option<String>,
    /// Their largest value in units of their grid: 1 for spikes, 0 for real numbers.
    counts: usize,
}

impl<'a> Layout<'a> {
    pub fn new(options: &'a NetworkOptions, input: [usize; 3]) -> Self {
        let [channels, rows, columns] = input;
        Self { options, input, convs: Vec::new(), channels, map: [rows, columns], source: None, counts: 0 }
    }

    /// Lays out all of it.
    pub fn body(&mut self, architecture: &Architecture) -> Result<Structure, PlanError> {
        match &architecture.body {
            Body::Chain { family, parts } => self.chain(*family, parts, architecture.stem),
            Body::Residual { junction, stem, stages } => {
                self.residual(*junction, architecture.stem, self.scaled(*stem)?, stages)
            }
            Body::Spikformer { width, blocks } => self.spikformer(*width, *blocks),
        }
    }

    /// A channel count times `network.width`.
    fn scaled(&self, channels: usize) -> Result<usize, PlanError> {
        let width = self.options.network.width;
        let scaled = (channels as f64 * width).round().max(1.0) as usize;
        if scaled <= MAX_CHANNELS {
            return Ok(scaled);
        }
        Err(PlanError::Range {
            key: "network.width",
            found: width.to_string(),
            expected: "a factor that leaves every layer at most 65536 channels",
        })
    }

    /// Whether the input has one row: a signal, with one-dimensional kernels and poolings.
    fn signal(&self) -> bool {
        self.input[1] == 1
    }

    /// Refuses to halve a map of one row or column.
    fn can_halve(&self, layer: &str, map: [usize; 2]) -> Result<(), PlanError> {
        if map.iter().all(|&s| s >= 2) {
            return Ok(());
        }
        let [height, width] = map;
        let (key, layer) = (self.options.network.key(), layer.to_owned());
        Err(PlanError::TooSmall { key, layer, height, width, input: self.input })
    }

    /// The plan of one convolution from what goes on to `channels`.
    fn conv(&self, name: &str, channels: usize, kernel: usize, stride: usize) -> Result<ConvPlan, PlanError> {
        if stride > 1 {
            self.can_halve(name, self.map)?;
        }
        let stem = self.convs.is_empty();
        let conv = Conv2dConfig::same([self.channels, channels], kernel).with_stride(stride);
        let conv = if self.signal() { conv.one_row() } else { conv };
        let output = self.map.map(|s| (s - 1) / stride + 1);
        Ok(ConvPlan {
            name: name.to_owned(),
            conv: conv.with_precision(self.options.precision),
            binary: !stem && !self.options.full_precision,
            flattens: None,
            input: self.map,
            output,
            map: output,
            pooled: false,
            projected: false,
            neurons: true,
            source: self.source.clone(),
            counts: self.counts,
        })
    }

    /// Goes on from a convolution, whose spikes are observed under its name.
    fn spiking(&mut self, conv: ConvPlan) {
        (self.channels, self.map) = (conv.conv.channels[1], conv.map);
        (self.source, self.counts) = (Some(conv.name.clone()), 1);
        self.convs.push(conv);
    }

    fn chain(&mut self, family: Family, parts: &[Part], shape: Stem) -> Result<Structure, PlanError> {
        let network = &self.options.network;
        for (i, part) in parts.iter().enumerate() {
            let (width, side, dense) = match *part {
                Part::Pool => continue,
                Part::Conv(width) => (width, None, false),
                Part::Sized(width, side) => (width, Some(side), false),
                Part::Dense(width) => (width, Some(1), true),
            };
            let (stem, width) = (self.convs.is_empty(), self.scaled(width)?);
            let name = if stem { "stem".to_owned() } else { format!("blocks.{}", self.convs.len() - 1) };
            let bi_real = family == Family::BiReal && !stem;
            if dense && bi_real {
                let reason = "a shortcut needs a map; set network.family = \"vgg\", or remove it";
                return Err(PlanError::Dense { layer: name, reason });
            }
            let flattens = dense.then_some([self.channels, self.map[0], self.map[1]]);
            if let Some(sizes) = flattens {
                (self.channels, self.map) = (sizes.iter().product(), [1, 1]);
            }
            // In a residual chain width changes come with a halved map; a P asks for one without.
            let down = bi_real && (width != self.channels || (i > 0 && parts[i - 1] == Part::Pool));
            let (kernel, stride) = match stem {
                true => (side.unwrap_or(shape.kernel), shape.stride),
                false => (side.unwrap_or(3), if down { 2 } else { 1 }),
            };
            let mut conv = ConvPlan { flattens, ..self.conv(&name, width, kernel, stride)? };
            if down && self.map.iter().any(|s| s % 2 == 1) {
                let ([height, width], key, input) = (self.map, network.key(), self.input);
                return Err(PlanError::OddMap { key, layer: name, height, width, input });
            }
            let pooled = family == Family::Vgg && parts.get(i + 1) == Some(&Part::Pool);
            if pooled && self.signal() {
                let columns = conv.output[1];
                self.can_halve(&name, [2, columns])?;
                conv.map = [1, columns / 2];
            } else if pooled {
                self.can_halve(&name, conv.output)?;
                conv.map = conv.output.map(|s| s / 2);
            }
            if stem && shape.pooled {
                conv.map = self.pooled_stem(&conv)?;
            }
            (conv.pooled, conv.projected) = (pooled || down, down);
            if family == Family::BiReal {
                // Neurons stand in front of a block's own convolution.
                conv.neurons = !stem;
                (conv.source, conv.counts) = if stem { (None, 0) } else { (Some(name), 1) };
            }
            self.spiking(conv);
            if pooled && network.pooling == Pooling::Spikes {
                self.counts = 4;
            }
        }
        if self.convs.len() < 2 {
            return Err(PlanError::NoBlocks { found: network.layers.to_string() });
        }
        Ok(match family {
            Family::Vgg => Structure::Vgg,
            Family::BiReal => {
                self.source = Some("last".to_owned());
                Structure::BiReal { pooled_stem: shape.pooled }
            }
        })
    }

    fn pooled_stem(&self, stem: &ConvPlan) -> Result<[usize; 2], PlanError> {
        self.can_halve(&stem.name, stem.output)?;
        Ok(stem.output.map(|s| (s - 1) / 2 + 1))
    }

    fn residual(
        &mut self,
        junction: Junction,
        shape: Stem,
        channels: usize,
        stages: &[Stage],
    ) -> Result<Structure, PlanError> {
        let mut stem = self.conv("stem", channels, shape.kernel, shape.stride)?;
        if shape.pooled {
            stem.map = self.pooled_stem(&stem)?;
        }
        stem.neurons = junction != Junction::Membrane;
        self.spiking(stem);
        let mut number = 0;
        for stage in stages {
            let channels = self.scaled(stage.channels)?;
            for block in 0..stage.blocks {
                let stride = if block == 0 { stage.stride } else { 1 };
                self.block(junction, &format!("blocks.{number}"), channels, stride)?;
                number += 1;
            }
        }
        if junction == Junction::Membrane {
            self.source = Some("last".to_owned());
        }
        Ok(Structure::Residual { junction, pooled_stem: shape.pooled, blocks: number })
    }

    fn block(&mut self, junction: Junction, block: &str, channels: usize, stride: usize) -> Result<(), PlanError> {
        let [first, second] = ["first", "second"].map(|part| format!("{block}.{part}"));
        let counts = self.counts;
        let mut conv = self.conv(&first, channels, 3, stride)?;
        let mut shortcut = match stride > 1 || channels != self.channels {
            false => None,
            true => Some(self.conv(&format!("{block}.shortcut"), channels, 1, stride)?),
        };
        if junction == Junction::Membrane {
            (conv.source, conv.counts) = (Some(first), 1);
        }
        self.spiking(conv);
        let mut conv = self.conv(&second, channels, 3, 1)?;
        if junction == Junction::Membrane {
            conv.source = Some(second);
        }
        self.spiking(conv);
        match (junction, &mut shortcut) {
            (Junction::Current, Some(around)) => around.neurons = false,
            (Junction::Membrane, Some(around)) => {
                // It carries a current: real weights, as wherever the input is no spikes.
                (around.neurons, around.binary, around.source, around.counts) = (false, false, None, 0);
            }
            (Junction::Spikes, _) => {
                self.counts = 1 + if shortcut.is_some() { 1 } else { counts };
                self.source = Some(block.to_owned());
            }
            _ => {}
        }
        self.convs.extend(shortcut);
        Ok(())
    }

    fn spikformer(&mut self, width: usize, blocks: usize) -> Result<Structure, PlanError> {
        let network = &self.options.network;
        if network.pooling == Pooling::Spikes {
            return Err(PlanError::Pooling {
                found: "spikes",
                reason: "quarters would pass through every sum of the residual stream of spikformer, which then is neither \
                         spikes nor counts",
            });
        }
        // Whole heads.
        let width = (self.scaled(width)? / HEAD).max(1) * HEAD;
        for (i, name) in
            ["stem", "embed.layers.0", "embed.layers.1", "embed.layers.2", "embed.position"].into_iter().enumerate()
        {
            let mut conv = self.conv(name, [width / 8, width / 4, width / 2, width, width][i], 3, 1)?;
            conv.pooled = i == 2 || i == 3;
            if conv.pooled {
                self.can_halve(name, conv.output)?;
                conv.map = conv.output.map(|s| s / 2);
            }
            self.spiking(conv);
        }
        (self.source, self.counts) = (Some("embed".to_owned()), 2);
        for number in 0..blocks {
            let name = |part: &str| format!("blocks.{number}.{part}");
            let stream = |source: String, counts| (Some(source), counts);
            for part in ["query", "key", "value"] {
                let conv = self.conv(&name(part), width, 1, 1)?;
                self.convs.push(conv);
            }
            let counts = self.counts;
            (self.source, self.counts) = stream(name("attend"), 1);
            let conv = self.conv(&name("project"), width, 1, 1)?;
            self.spiking(conv);
            (self.source, self.counts) = stream(name("middle"), counts + 1);
            let conv = self.conv(&name("expand"), EXPANSION * width, 1, 1)?;
            self.spiking(conv);
            let conv = self.conv(&name("contract"), width, 1, 1)?;
            self.spiking(conv);
            (self.source, self.counts) = stream(format!("blocks.{number}"), counts + 2);
        }
        Ok(Structure::Spikformer { blocks, heads: width / HEAD })
    }
}
