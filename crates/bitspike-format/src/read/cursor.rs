//! The walk over the layers, which takes their parameters in order.

use super::{EXACT, MOST_VALUES, Model, refuse};
use crate::integer::{IntegerHead, IntegerProjection, MOST_SHIFT, MOST_SHORTCUT_SHIFT};
use crate::layer::{
    Affine, Block, Conv, Factor, Features, Gate, Head, Layer, Map, Neuron, Neurons, Pool, Projection, Reset, Residual,
    Weights,
};
use crate::record::{NO_NEURON, RECORD, Record, gate, kind};
use crate::{FormatError, Reals, Section, Words};

/// A place between two layers.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    records: core::slice::Iter<'a, [u8; RECORD]>,
    all_signs: Words<'a>,
    all_reals: Reals<'a>,
    pub(super) all_integers: Option<&'a [u8]>,
    /// Whether records have rows of kernels, and gates the hard function.
    rows: bool,
    hard: bool,
    pub(super) index: u16,
    pub(super) signs: usize,
    reals: usize,
    /// Bytes of INTEGERS.
    pub(super) integers: usize,
    pub(super) steps: usize,
    classes: usize,
    /// Bits after the point of the integer currents of a residual network.
    pub(super) current: u32,
    /// What the next layer gets; `None` after the head.
    map: Option<Map>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(model: &Model<'a>, reals: usize) -> Self {
        let n = &model.network;
        Self {
            records: model.records.iter(),
            all_signs: model.signs,
            all_reals: model.reals,
            all_integers: model.integers,
            rows: model.rows,
            hard: model.hard,
            index: 0,
            signs: 0,
            reals,
            integers: 0,
            steps: n.steps,
            classes: n.classes,
            current: 0,
            map: Some(n.input),
        }
    }

    pub(super) fn next_layer(&mut self) -> Result<Option<Layer<'a>>, FormatError> {
        let Some(bytes) = self.records.next() else { return Ok(None) };
        let (r, first) = (Record::read(bytes), self.index == 0);
        let here = Some(self.index);
        let Some(map) = self.map else {
            return refuse(here, "kind", "nothing after the head", u32::from(r.kind));
        };
        let rows = if self.rows { [0; 2] } else { [r.kernel_rows, r.padding_rows] };
        let zero = r.zero.iter().chain(&rows).fold(0, |any, b| any | u32::from(*b));
        if zero != 0 {
            return refuse(here, "zero", "0", zero);
        }
        if !self.integer() {
            // A stem in front of layers with integers says how its current becomes one.
            let stem = self.all_integers.is_some() && r.kind == kind::REAL_BLOCK && r.reset == NO_NEURON;
            let shift = if stem { 0 } else { r.shift };
            if shift | r.word | r.shortcut_shift != 0 {
                return refuse(here, "zero", "0", (shift | r.word | r.shortcut_shift).into());
            }
        }
        for (field, expected, found) in
            [("c_in", map.channels, r.c_in), ("rows", map.rows, r.rows), ("columns", map.columns, r.columns)]
        {
            if expected != usize::from(found) {
                return refuse(here, field, "what the layer before gives", u32::from(found));
            }
        }
        let real_input = map.planes == 0;
        let fits = match r.kind {
            kind::REAL_BLOCK => first,
            kind::BINARY_BLOCK => !real_input,
            kind::RESIDUAL | kind::NEURONS => real_input && !first,
            kind::HEAD => !real_input,
            found => return refuse(here, "kind", "1 to 5", u32::from(found)),
        };
        if !fits {
            return refuse(here, "kind", "one that takes what the layer before gives", u32::from(r.kind));
        }
        let layer = match r.kind {
            kind::REAL_BLOCK | kind::BINARY_BLOCK => Layer::Block(self.block(&r, map)?),
            kind::RESIDUAL => Layer::Residual(self.residual(&r, map)?),
            kind::NEURONS => {
                self.unused(&[r.pool, r.gate, r.gate_flags, r.kernel, r.stride, r.padding, r.projected])?;
                if r.c_out != r.c_in {
                    return refuse(here, "c_out", "c_in", r.c_out.into());
                }
                self.unused(&[r.word, r.shortcut_shift, r.kernel_rows, r.padding_rows])?;
                let (neuron, integer) = self.either_neuron(&r)?;
                Layer::Neurons(Neurons { neuron, input: map, integer })
            }
            _ => Layer::Head(self.head(&r, map)?),
        };
        self.map = layer.output();
        self.index = self.index.saturating_add(1);
        Ok(Some(layer))
    }

    /// Everything must have been taken.
    pub(super) fn finish(&self) -> Result<(), FormatError> {
        if self.map.is_some() {
            return refuse(None, "layers", "a head at the end", u32::from(self.index));
        }
        for (section, expected, found) in [
            (Section::Signs, 4 * self.signs, 4 * self.all_signs.len()),
            (Section::Reals, 4 * self.reals, 4 * self.all_reals.len()),
            (Section::Integers, self.integers, self.all_integers.map_or(0, <[u8]>::len)),
        ] {
            if expected != found {
                return Err(FormatError::SectionLength { section, expected, found });
            }
        }
        Ok(())
    }

    fn unused(&self, fields: &[u8]) -> Result<(), FormatError> {
        match fields.iter().find(|f| **f != 0) {
            None => Ok(()),
            Some(found) => refuse(Some(self.index), "a field this kind does not use", "0", u32::from(*found)),
        }
    }

    fn take_reals(&mut self, len: Option<usize>) -> Result<Reals<'a>, FormatError> {
        let part = len.and_then(|len| self.all_reals.part(self.reals, len));
        let end = self.reals.saturating_add(len.unwrap_or(usize::MAX));
        match part {
            Some(part) => {
                self.reals = end;
                Ok(part)
            }
            None => {
                let (expected, found) = (end.saturating_mul(4), self.all_reals.len() * 4);
                Err(FormatError::SectionLength { section: Section::Reals, expected, found })
            }
        }
    }

    fn take_signs(&mut self, len: Option<usize>) -> Result<Words<'a>, FormatError> {
        let part = len.and_then(|len| self.all_signs.part(self.signs, len));
        let end = self.signs.saturating_add(len.unwrap_or(usize::MAX));
        match part {
            Some(part) => {
                self.signs = end;
                Ok(part)
            }
            None => {
                let (expected, found) = (end.saturating_mul(4), self.all_signs.len() * 4);
                Err(FormatError::SectionLength { section: Section::Signs, expected, found })
            }
        }
    }

    fn affine(&mut self, channels: usize) -> Result<Affine<'a>, FormatError> {
        Ok(Affine { slope: self.take_reals(Some(channels))?, offset: self.take_reals(Some(channels))? })
    }

    pub(super) fn neuron(&self, r: &Record) -> Result<Neuron, FormatError> {
        let here = Some(self.index);
        if !(0.0..=1.0).contains(&r.decay) || r.decay.is_sign_negative() {
            return refuse(here, "decay", "0 to 1", r.decay.to_bits());
        }
        if !(r.threshold > 0.0 && r.threshold.is_finite()) {
            return refuse(here, "threshold", "above 0 and finite", r.threshold.to_bits());
        }
        let reset = match r.reset {
            0 => Reset::Soft,
            1 => Reset::Hard,
            found => return refuse(here, "reset", "0 or 1", u32::from(found)),
        };
        Ok(Neuron { decay: r.decay, threshold: r.threshold, reset })
    }

    /// The convolution of a record on `input`.
    fn conv(&mut self, r: &Record, input: Map, binary: bool) -> Result<Conv<'a>, FormatError> {
        let here = Some(self.index);
        let check = |field, ok: bool, expected, found: u8| {
            if ok { Ok(()) } else { refuse(here, field, expected, u32::from(found)) }
        };
        // Versions before 3 have square kernels.
        let [kernel_rows, padding_rows] =
            if self.rows { [r.kernel_rows, r.padding_rows] } else { [r.kernel, r.padding] };
        check("kernel", matches!(r.kernel, 1 | 3 | 5 | 7), "1, 3, 5 or 7", r.kernel)?;
        check("kernel_rows", matches!(kernel_rows, 1 | 3 | 5 | 7), "1, 3, 5 or 7", kernel_rows)?;
        check("stride", matches!(r.stride, 1 | 2), "1 or 2", r.stride)?;
        check("padding", r.padding < r.kernel, "less than the kernel", r.padding)?;
        check("padding_rows", padding_rows < kernel_rows, "less than the rows of the kernel", padding_rows)?;
        let [kernel, padding] = [[kernel_rows, r.kernel], [padding_rows, r.padding]].map(|axes| axes.map(usize::from));
        let channels = usize::from(r.c_out);
        if channels == 0 {
            return refuse(here, "c_out", "at least 1", 0);
        }
        if input.rows + 2 * padding[0] < kernel[0] || input.columns + 2 * padding[1] < kernel[1] {
            return refuse(here, "kernel", "no larger than the padded map", r.kernel.into());
        }
        let taps = kernel[0] * kernel[1];
        let weights = if binary {
            let len = channels.checked_mul(taps).and_then(|n| n.checked_mul(input.words()));
            Weights::Signs(self.take_signs(len)?)
        } else {
            let len = channels.checked_mul(taps).and_then(|n| n.checked_mul(input.channels));
            Weights::Real(self.take_reals(len)?)
        };
        let conv = Conv { weights, input, channels, kernel, stride: r.stride.into(), padding };
        let out = conv.output();
        if out.rows as u64 * out.columns as u64 * channels as u64 > MOST_VALUES {
            return refuse(here, "c_out", "at most 2^24 values in a map", r.c_out.into());
        }
        // Four sums are added where the current is pooled.
        let most = (taps * input.channels * input.largest()) as u64;
        if binary && 4 * most > EXACT {
            return refuse(here, "c_in", "sums below 2^24, exact in f32", r.c_in.into());
        }
        Ok(conv)
    }

    /// The gate of a record, without its numbers.
    pub(super) fn gate_shape(&self, r: &Record, conv: &Conv<'_>) -> Result<Gate<'a>, FormatError> {
        let here = Some(self.index);
        let known = match r.gate {
            gate::NONE => 0,
            gate::FIXED => gate::PER_CHANNEL,
            gate::SAMPLE | gate::SAMPLE_PER_CHANNEL if self.hard => gate::PER_CHANNEL | gate::INSIDE | gate::HARD,
            gate::SAMPLE | gate::SAMPLE_PER_CHANNEL => gate::PER_CHANNEL | gate::INSIDE,
            gate::ELEMENT if self.hard => gate::PER_CHANNEL | gate::INSIDE,
            found if self.hard => return refuse(here, "gate", "0 to 4", u32::from(found)),
            found => return refuse(here, "gate", "0 to 3", u32::from(found)),
        };
        if r.gate_flags & !known != 0 {
            return refuse(here, "gate_flags", "flags that this gate has", u32::from(r.gate_flags));
        }
        if r.gate == gate::NONE {
            return Ok(Gate::None);
        }
        let channels = if r.gate_flags & gate::PER_CHANNEL != 0 { conv.channels } else { 1 };
        let factor = Factor { values: Reals::default(), channels };
        if r.gate == gate::FIXED {
            return Ok(Gate::Fixed(factor));
        }
        let [inside, hard] = [gate::INSIDE, gate::HARD].map(|flag| r.gate_flags & flag != 0);
        if r.gate == gate::ELEMENT {
            return Ok(Gate::Element { alpha: factor, inside });
        }
        let out = conv.output();
        let most = (conv.taps() * conv.input.channels * conv.input.largest()) as u64;
        if most * out.rows as u64 * out.columns as u64 > i32::MAX as u64 {
            return refuse(here, "gate", "0 or 1, since the sum over this map could leave 32 bits", r.gate.into());
        }
        let per_channel = r.gate == gate::SAMPLE_PER_CHANNEL;
        Ok(Gate::Sample { alpha: factor, per_channel, inside, hard })
    }

    fn gate(&mut self, r: &Record, conv: &Conv<'_>) -> Result<Gate<'a>, FormatError> {
        let mut gate = self.gate_shape(r, conv)?;
        if let Gate::Fixed(factor) | Gate::Sample { alpha: factor, .. } | Gate::Element { alpha: factor, .. } =
            &mut gate
        {
            factor.values = self.take_reals(self.steps.checked_mul(factor.channels))?;
        }
        Ok(gate)
    }

    fn block(&mut self, r: &Record, map: Map) -> Result<Block<'a>, FormatError> {
        let here = Some(self.index);
        self.unused(&[r.projected])?;
        let conv = self.conv(r, map, r.kind == kind::BINARY_BLOCK)?;
        if self.integer() {
            self.unused(&[r.shortcut_shift])?;
            let (neuron, integer) = self.either_neuron(r)?;
            let Some(integer) = integer else { return refuse(here, "reset", "0 or 1", r.reset.into()) };
            let (integer, gate) = self.integer_block(r, &conv, integer)?;
            let pool = self.pool(r, &conv)?;
            let (affine, integer) = (Affine::default(), Some(integer));
            return Ok(Block { conv, affine, gate, pool, neuron: Some(neuron), integer, current_shift: None });
        }
        let affine = self.affine(conv.channels)?;
        if r.kind == kind::REAL_BLOCK && r.gate != gate::NONE {
            return refuse(here, "gate", "0 after a real convolution", r.gate.into());
        }
        let gate = self.gate(r, &conv)?;
        let pool = self.pool(r, &conv)?;
        let mut current_shift = None;
        let neuron = match r.reset {
            NO_NEURON => {
                if r.kind != kind::REAL_BLOCK || pool != Pool::None || r.decay.to_bits() | r.threshold.to_bits() != 0 {
                    return refuse(here, "reset", "0 or 1; only a stem without pooling has no neurons", r.reset.into());
                }
                if u32::from(r.shift) > MOST_SHIFT {
                    return refuse(here, "shift", "0 to 24", r.shift.into());
                }
                self.current = r.shift.into();
                current_shift = self.all_integers.map(|_| self.current);
                None
            }
            _ => Some(self.neuron(r)?),
        };
        Ok(Block { conv, affine, gate, pool, neuron, integer: None, current_shift })
    }

    fn pool(&self, r: &Record, conv: &Conv<'_>) -> Result<Pool, FormatError> {
        let here = Some(self.index);
        let pool = match r.pool {
            0 => Pool::None,
            1 => Pool::Current,
            2 => Pool::Spikes,
            3 => Pool::MaxSpikes,
            found => return refuse(here, "pool", "0 to 3", u32::from(found)),
        };
        let (out, least) = (conv.output(), if self.rows { 1 } else { 2 });
        if pool != Pool::None && (out.rows < least || out.columns < 2) {
            return refuse(here, "pool", "0, since the map is too small for a window", r.pool.into());
        }
        Ok(pool)
    }

    fn residual(&mut self, r: &Record, map: Map) -> Result<Residual<'a>, FormatError> {
        let here = Some(self.index);
        self.unused(&[r.pool])?;
        let (neuron, integer) = self.either_neuron(r)?;
        let conv = self.conv(r, Map { planes: 1, ..map }, true)?;
        let (affine, gate, own) = match integer {
            Some(integer) => {
                let (integer, gate) = self.integer_block(r, &conv, integer)?;
                (Affine::default(), gate, Some(integer))
            }
            None => (self.affine(conv.channels)?, self.gate(r, &conv)?, None),
        };
        let out = conv.output();
        if r.projected == 0 && r.shortcut_shift != 0 {
            return refuse(here, "shortcut_shift", "0 without a shortcut", r.shortcut_shift.into());
        }
        let projection = match r.projected {
            0 if out == map => None,
            0 => return refuse(here, "projected", "1 where shapes change", 0),
            1 if map.rows == 2 * out.rows && map.columns == 2 * out.columns => {
                let len = map.channels.checked_mul(conv.channels);
                Some(if own.is_none() {
                    let weights = self.take_reals(len)?;
                    Projection { weights, affine: self.affine(conv.channels)?, integer: None }
                } else {
                    let shift = u32::from(r.shortcut_shift);
                    if shift > MOST_SHORTCUT_SHIFT {
                        return refuse(here, "shortcut_shift", "0 to 30", shift);
                    }
                    let (weights, offset) = (self.take_integers(len, 2)?, self.take_integers(Some(conv.channels), 4)?);
                    let integer = Some(IntegerProjection { weights, offset, shift });
                    Projection { weights: Reals::default(), affine: Affine::default(), integer }
                })
            }
            found => return refuse(here, "projected", "0, or 1 where the map is halved", u32::from(found)),
        };
        Ok(Residual { neuron, conv, affine, gate, projection, integer: own })
    }

    fn head(&mut self, r: &Record, map: Map) -> Result<Head<'a>, FormatError> {
        let here = Some(self.index);
        let unused = [r.gate, r.gate_flags, r.reset, r.kernel, r.stride, r.padding, r.projected];
        self.unused(&unused)?;
        self.unused(&[r.shift, r.shortcut_shift, r.kernel_rows, r.padding_rows])?;
        let unit = if self.integer() { r.threshold } else { 0.0 };
        if r.decay.to_bits() | (r.threshold.to_bits() ^ unit.to_bits()) != 0 {
            return refuse(here, "decay", "0 in a head", r.decay.to_bits() | r.threshold.to_bits());
        }
        if usize::from(r.c_out) != self.classes {
            return refuse(here, "c_out", "the number of classes", r.c_out.into());
        }
        let features = match r.pool {
            0 => Features::Flatten,
            1 => Features::Average,
            found => return refuse(here, "pool", "0 or 1 in a head", u32::from(found)),
        };
        let (weights, bias) = (Reals::default(), Reals::default());
        let mut head = Head { features, weights, bias, input: map, integer: None };
        if map.len() as u64 * map.largest() as u64 > EXACT {
            return refuse(here, "c_in", "counts below 2^24, exact in f32", r.c_in.into());
        }
        let len = head.count().checked_mul(self.classes);
        if self.integer() {
            if !(unit > 0.0 && unit.is_finite()) {
                return refuse(here, "threshold", "in a head the unit, above 0 and finite", unit.to_bits());
            }
            let word = self.word(r)?;
            let (weights, bias) = (self.take_integers(len, word)?, self.take_integers(Some(self.classes), 4)?);
            head.integer = Some(IntegerHead { weights, bias, unit });
        } else {
            head.weights = self.take_reals(len)?;
            head.bias = self.take_reals(Some(self.classes))?;
        }
        Ok(head)
    }
}
