//! Layers with integers: what only files with a section INTEGERS have.

use super::cursor::Cursor;
use super::refuse;
use crate::integer::{IntegerBlock, IntegerGate, IntegerNeuron, LIMIT, MOST_ALPHA, MOST_SHIFT};
use crate::layer::{Block, Conv, Factor, Features, Gate, Head, Layer, Neuron, Reset};
use crate::record::{Record, gate, kind};
use crate::{FormatError, Integers, Section};

/// Integers whose sums could leave their range.
pub(super) fn check_integers(layer: u16, parsed: &Layer<'_>) -> Result<(), FormatError> {
    let refuse = |array, index, expected, found| Err(FormatError::Integer { layer, array, index, expected, found });
    let block = |integer: &IntegerBlock<'_>, conv: &Conv<'_>, [rows, columns]: [usize; 2]| {
        let most = (rows * columns * conv.taps() * conv.input.channels * conv.input.largest()) as i64;
        for (i, (a, b)) in integer.slope.iter().zip(integer.offset.iter()).enumerate() {
            if i64::from(a).abs() * most + i64::from(b).abs() > LIMIT {
                return refuse("slope", i, "|A| times the largest sum, and |B|, at most 2^30", a);
            }
        }
        let alpha = integer.gate.map_or(Integers::default(), |gate| gate.alpha);
        match alpha.iter().enumerate().find(|(_, a)| a.unsigned_abs() > MOST_ALPHA.unsigned_abs()) {
            Some((i, a)) => refuse("alpha", i, "at most 2^20 in magnitude", a),
            None => Ok(()),
        }
    };
    match parsed {
        Layer::Block(b @ Block { integer: Some(integer), conv, .. }) => block(integer, conv, b.sums()),
        Layer::Residual(r) => {
            if let Some(p) = r.projection.and_then(|p| p.integer)
                && let Some((i, c)) = p.offset.iter().enumerate().find(|(_, c)| i64::from(*c).abs() > LIMIT)
            {
                return refuse("shortcut offset", i, "at most 2^30 in magnitude", c);
            }
            r.integer.map_or(Ok(()), |integer| block(&integer, &r.conv, [1, 1]))
        }
        Layer::Head(Head { integer: Some(integer), input, features, .. }) => {
            let largest = match features {
                Features::Flatten => input.largest(),
                Features::Average => input.largest() * input.pixels(),
            } as i64;
            let classes = integer.bias.len();
            for (class, b) in integer.bias.iter().enumerate() {
                let column = integer.weights.iter().skip(class).step_by(classes.max(1));
                let sum: i64 = column.map(|w| i64::from(w).abs()).sum();
                if sum.saturating_mul(largest).saturating_add(i64::from(b).abs()) > LIMIT {
                    return refuse("bias", class, "sums of this class at most 2^30", b);
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

impl<'a> Cursor<'a> {
    /// Whether the layer has integers: all after the first, in a file with INTEGERS.
    pub(super) fn integer(&self) -> bool {
        self.all_integers.is_some() && self.index > 0
    }

    /// `len` integers of `width` bytes, and the zeros after them.
    pub(super) fn take_integers(&mut self, len: Option<usize>, width: usize) -> Result<Integers<'a>, FormatError> {
        let all = self.all_integers.unwrap_or(&[]);
        let bytes = len.and_then(|len| len.checked_mul(width)).unwrap_or(usize::MAX);
        let end = self.integers.saturating_add(bytes);
        let padded = end.checked_next_multiple_of(4).unwrap_or(usize::MAX);
        let (Some(body), Some(gap)) = (all.get(self.integers..end), all.get(end..padded)) else {
            return Err(FormatError::SectionLength { section: Section::Integers, expected: padded, found: all.len() });
        };
        if let Some(i) = gap.iter().position(|b| *b != 0) {
            return Err(FormatError::IntegerPadding { layer: self.index, offset: end + i });
        }
        self.integers = padded;
        Ok(Integers::new(body, width))
    }

    /// Bytes of a slope or of a weight of the head.
    pub(super) fn word(&self, r: &Record) -> Result<usize, FormatError> {
        match r.word {
            1 | 2 => Ok(r.word.into()),
            found => refuse(Some(self.index), "word", "1 or 2", found.into()),
        }
    }

    pub(super) fn integer_neuron(&self, r: &Record) -> Result<IntegerNeuron, FormatError> {
        let here = Some(self.index);
        let (decay, threshold) = (r.decay.to_bits(), r.threshold.to_bits());
        if decay > 1 << 15 {
            return refuse(here, "decay", "0 to 2^15", decay);
        }
        if threshold == 0 || threshold > 1 << 30 {
            return refuse(here, "threshold", "1 to 2^30", threshold);
        }
        let reset = match r.reset {
            0 => Reset::Soft,
            1 => Reset::Hard,
            found => return refuse(here, "reset", "0 or 1", u32::from(found)),
        };
        if u32::from(r.shift) > MOST_SHIFT {
            return refuse(here, "shift", "0 to 24", r.shift.into());
        }
        // Between layers of a residual network are currents, all of one unit.
        if matches!(r.kind, kind::RESIDUAL | kind::NEURONS) && u32::from(r.shift) != self.current {
            return refuse(here, "shift", "that of the stem", r.shift.into());
        }
        Ok(IntegerNeuron { decay: decay as i32, threshold: threshold as i32, reset })
    }

    /// Neurons of either kind; of integers, with the real numbers that they stand for.
    pub(super) fn either_neuron(&self, r: &Record) -> Result<(Neuron, Option<IntegerNeuron>), FormatError> {
        if !self.integer() {
            return Ok((self.neuron(r)?, None));
        }
        let integer = self.integer_neuron(r)?;
        let one = (1u64 << (r.shift & 31)) as f32;
        let threshold = integer.threshold as f32 / one;
        let neuron = Neuron { decay: integer.decay as f32 / 32768.0, threshold, reset: integer.reset };
        Ok((neuron, Some(integer)))
    }

    /// The integers of a binary convolution, and its gate without α.
    pub(super) fn integer_block(
        &mut self,
        r: &Record,
        conv: &Conv<'_>,
        neuron: IntegerNeuron,
    ) -> Result<(IntegerBlock<'a>, Gate<'a>), FormatError> {
        let word = self.word(r)?;
        // A fixed factor is in slope and offset, which then have a row per step.
        let rows = if r.gate == gate::FIXED { self.steps } else { 1 };
        let len = conv.channels.checked_mul(rows);
        let (slope, offset) = (self.take_integers(len, word)?, self.take_integers(len, 4)?);
        let shape = self.gate_shape(r, conv)?;
        let mut integer =
            IntegerBlock { shift: r.shift.into(), slope, offset, channels: conv.channels, gate: None, neuron };
        match shape {
            Gate::Sample { alpha: factor, inside, .. } | Gate::Element { alpha: factor, inside } => {
                let channels = factor.channels;
                let alpha = self.take_integers(self.steps.checked_mul(channels), 4)?;
                let per_channel = matches!(shape, Gate::Sample { per_channel: true, .. });
                let (hard, element) = (shape.is_hard(), shape.is_element());
                integer.gate = Some(IntegerGate { alpha, channels, per_channel, inside, hard, element });
            }
            Gate::Fixed(Factor { channels, .. }) if channels != 1 => {
                return refuse(Some(self.index), "gate_flags", "0, since slopes are per step", r.gate_flags.into());
            }
            Gate::Fixed(_) => return Ok((integer, Gate::None)),
            Gate::None => {}
        }
        Ok((integer, shape))
    }
}
