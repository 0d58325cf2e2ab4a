//! The reader: everything is checked once in [`Model::parse`], and borrowed from then on.

use crate::layer::{
    Affine, Block, Conv, Factor, Features, Gate, Head, Layer, Map, Network, Neuron, Neurons, Pool, Projection, Reset,
    Residual, Weights,
};
use crate::record::{
    ALIGN, CHECKSUM, ENDIAN, ENTRY, FRONT, HEADER, MAGIC, NETWORK, NO_NEURON, RECORD, Record, at, gate, kind,
};
use crate::{FormatError, Reals, Section, VERSION, Words, crc32c};

/// Largest number of values of a map.
const MOST_VALUES: u64 = 1 << 24;
/// Integers up to this are exact in `f32`.
const EXACT: u64 = 1 << 24;

/// A checked file, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    network: Network<'a>,
    records: &'a [[u8; RECORD]],
    signs: Words<'a>,
    reals: Reals<'a>,
    meta: &'a str,
    bytes: usize,
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    match bytes.get(offset..).and_then(|b| b.first_chunk()) {
        Some(b) => u32::from_le_bytes(*b),
        None => 0,
    }
}

fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    match bytes.get(offset..).and_then(|b| b.first_chunk()) {
        Some(b) => u16::from_le_bytes(*b),
        None => 0,
    }
}

/// Checks header and table; returns the sections.
fn sections(bytes: &[u8]) -> Result<[&[u8]; 4], FormatError> {
    let Some(front) = bytes.get(..FRONT) else {
        return Err(match bytes.first_chunk() {
            Some(found) if *found != MAGIC => FormatError::Magic { found: *found },
            _ => FormatError::TooShort { needed: FRONT, found: bytes.len() },
        });
    };
    match front.first_chunk() {
        Some(found) if *found != MAGIC => return Err(FormatError::Magic { found: *found }),
        _ => {}
    }
    let found = u32_at(front, at::ENDIAN);
    if found != ENDIAN {
        return Err(FormatError::Endianness { found });
    }
    let found = u16_at(front, at::VERSION);
    if found != VERSION {
        return Err(FormatError::Version { found });
    }
    let (before, table) = (front.get(..CHECKSUM).unwrap_or(&[]), front.get(HEADER..CHECKSUM).unwrap_or(&[]));
    let (stated, computed) = (u32_at(front, CHECKSUM), crc32c(before));
    if stated != computed {
        return Err(FormatError::HeaderChecksum { stated, computed });
    }
    let field = |offset, expected, found| {
        if expected == found { Ok(()) } else { Err(FormatError::Header { offset, expected, found }) }
    };
    field(at::SECTIONS, 4, u32::from(u16_at(front, at::SECTIONS)))?;
    for offset in [at::ZERO, at::ZERO + 4] {
        field(offset, 0, u32_at(front, offset))?;
    }
    let stated = u32_at(front, at::LENGTH) as usize;
    if stated > bytes.len() {
        return Err(FormatError::TooShort { needed: stated, found: bytes.len() });
    }
    if stated < bytes.len() {
        return Err(FormatError::Length { stated, found: bytes.len() });
    }
    let mut end = FRONT;
    let mut out: [&[u8]; 4] = [&[]; 4];
    for ((section, entry), out) in Section::ALL.into_iter().zip(table.chunks_exact(ENTRY)).zip(&mut out) {
        let here = HEADER + ENTRY * (section.number() as usize).saturating_sub(1);
        field(here, section.number(), u32_at(entry, 0))?;
        let start = end.checked_next_multiple_of(ALIGN).unwrap_or(usize::MAX);
        field(here + 4, u32::try_from(start).unwrap_or(u32::MAX), u32_at(entry, 4))?;
        let length = u32_at(entry, 8) as usize;
        let needed = start.saturating_add(length);
        let Some(body) = bytes.get(start..needed) else {
            return Err(FormatError::TooShort { needed, found: bytes.len() });
        };
        if let Some(i) = bytes.get(end..start).and_then(|gap| gap.iter().position(|b| *b != 0)) {
            return Err(FormatError::Padding { offset: end + i });
        }
        let (stated, computed) = (u32_at(entry, 12), crc32c(body));
        if stated != computed {
            return Err(FormatError::Checksum { section, stated, computed });
        }
        (*out, end) = (body, needed);
    }
    if end < bytes.len() {
        return Err(FormatError::Length { stated: end, found: bytes.len() });
    }
    Ok(out)
}

impl<'a> Model<'a> {
    /// Checks a whole file and borrows it. Takes one pass over the bytes for the checksums and one over the parameters.
    ///
    /// # Errors
    /// [`FormatError`] says what is wrong and where. No byte of the file is left unchecked: a file that differs in any bit
    /// from one that a writer wrote is refused.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let [layers, signs, reals, meta] = sections(bytes)?;
        let meta = core::str::from_utf8(meta).map_err(|e| FormatError::Text { valid: e.valid_up_to() })?;
        for (section, body) in [(Section::Signs, signs), (Section::Reals, reals)] {
            if !body.len().is_multiple_of(4) {
                let expected = body.len().next_multiple_of(4);
                return Err(FormatError::SectionLength { section, expected, found: body.len() });
            }
        }
        let (signs, reals) = (Words::new(signs), Reals::new(reals));
        if let Some((index, found)) = reals.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(FormatError::Real { index, expected: "a finite number", found });
        }
        let (network, records, used) = network(layers, reals)?;
        let model = Self { network, records, signs, reals, meta, bytes: bytes.len() };
        let mut cursor = Cursor::new(&model, used);
        while let Some(layer) = cursor.next_layer()? {
            let index = cursor.index.saturating_sub(1);
            let conv = match layer {
                Layer::Block(Block { conv, .. }) | Layer::Residual(Residual { conv, .. }) => conv,
                Layer::Neurons(_) | Layer::Head(_) => continue,
            };
            if let Weights::Signs(words) = conv.weights {
                check_sign_padding(index, conv.input.channels, words, cursor.signs - words.len())?;
            }
        }
        cursor.finish()?;
        Ok(model)
    }

    /// What the network is as a whole.
    #[must_use]
    pub fn network(&self) -> &Network<'a> {
        &self.network
    }

    /// The layers in order; the head is the last.
    #[must_use]
    pub fn layers(&self) -> Layers<'a> {
        let used = self.network.normalise.map_or(0, |(mean, std)| mean.len() + std.len());
        Layers(Cursor::new(self, used))
    }

    /// All of META.
    #[must_use]
    pub fn meta(&self) -> &'a str {
        self.meta
    }

    /// The value of a line `key=value` of META.
    #[must_use]
    pub fn meta_value(&self, key: &str) -> Option<&'a str> {
        self.meta.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    }

    /// Binary weights, without the padding of their words.
    #[must_use]
    pub fn binary_weights(&self) -> u64 {
        let of = |layer| match layer {
            Layer::Block(Block { conv, .. }) | Layer::Residual(Residual { conv, .. }) => match conv.weights {
                Weights::Signs(_) => (conv.taps() * conv.input.channels) as u64 * conv.channels as u64,
                Weights::Real(_) => 0,
            },
            _ => 0,
        };
        self.layers().map(of).sum()
    }

    /// Real parameters.
    #[must_use]
    pub fn real_parameters(&self) -> u64 {
        self.reals.len() as u64
    }

    /// Bytes of the file.
    #[must_use]
    pub fn file_bytes(&self) -> usize {
        self.bytes
    }
}

fn check_sign_padding(layer: u16, c_in: usize, signs: Words<'_>, first: usize) -> Result<(), FormatError> {
    let (words, rest) = (c_in.div_ceil(32).max(1), c_in % 32);
    if rest == 0 {
        return Ok(());
    }
    match signs.iter().enumerate().find(|(i, word)| i % words == words - 1 && word >> rest != 0) {
        Some((i, _)) => Err(FormatError::SignPadding { layer, word: first + i }),
        None => Ok(()),
    }
}

/// A field out of range.
fn refuse<V>(layer: Option<u16>, field: &'static str, expected: &'static str, found: u32) -> Result<V, FormatError> {
    Err(FormatError::Field { layer, field, expected, found })
}

/// The network's own fields, its records, and how many reals they took.
fn network<'a>(layers: &'a [u8], reals: Reals<'a>) -> Result<(Network<'a>, &'a [[u8; RECORD]], usize), FormatError> {
    let Some((head, rest)) = layers.split_at_checked(NETWORK) else {
        return Err(FormatError::SectionLength { section: Section::Layers, expected: NETWORK, found: layers.len() });
    };
    let field = |i: usize| u16_at(head, 2 * i);
    let [steps, channels, rows, columns, classes, count, flags, zero] = core::array::from_fn(field);
    let expected = NETWORK + RECORD * usize::from(count);
    if expected != layers.len() {
        return Err(FormatError::SectionLength { section: Section::Layers, expected, found: layers.len() });
    }
    let check = |field, ok: bool, expected, found: u16| {
        if ok { Ok(()) } else { refuse(None, field, expected, u32::from(found)) }
    };
    check("T", (1..=1024).contains(&steps), "1 to 1024", steps)?;
    check("channels", channels != 0, "at least 1", channels)?;
    check("rows", rows != 0, "at least 1", rows)?;
    check("columns", columns != 0, "at least 1", columns)?;
    check("classes", classes != 0, "at least 1", classes)?;
    check("layers", count >= 2, "at least 2", count)?;
    check("flags", flags <= 3, "0 to 3", flags)?;
    check("zero", zero == 0, "0", zero)?;
    let values = u64::from(channels) * u64::from(rows) * u64::from(columns);
    if values > MOST_VALUES {
        return refuse(None, "channels", "at most 2^24 values in a frame", u32::from(channels));
    }
    let input = Map { channels: channels.into(), rows: rows.into(), columns: columns.into(), planes: 0 };
    let (mut normalise, mut used) = (None, 0);
    if flags & 1 == 1 {
        let c = input.channels;
        let (Some(mean), Some(std)) = (reals.part(0, c), reals.part(c, c)) else {
            let (expected, found) = (8 * c, 4 * reals.len());
            return Err(FormatError::SectionLength { section: Section::Reals, expected, found });
        };
        if let Some((i, found)) = std.iter().enumerate().find(|(_, s)| *s <= 0.0) {
            return Err(FormatError::Real { index: c + i, expected: "a standard deviation above 0", found });
        }
        (normalise, used) = (Some((mean, std)), 2 * c);
    }
    let network = Network { steps: steps.into(), sequence: flags & 2 == 2, input, classes: classes.into(), normalise };
    Ok((network, rest.as_chunks().0, used))
}

/// Iterator over the layers of a [`Model`].
#[derive(Clone, Debug)]
pub struct Layers<'a>(Cursor<'a>);

impl<'a> Iterator for Layers<'a> {
    type Item = Layer<'a>;

    fn next(&mut self) -> Option<Layer<'a>> {
        // `Model::parse` has walked the same way without an error.
        self.0.next_layer().ok().flatten()
    }
}

/// A place between two layers.
#[derive(Clone, Debug)]
struct Cursor<'a> {
    records: core::slice::Iter<'a, [u8; RECORD]>,
    all_signs: Words<'a>,
    all_reals: Reals<'a>,
    index: u16,
    signs: usize,
    reals: usize,
    steps: usize,
    classes: usize,
    /// What the next layer gets; `None` after the head.
    map: Option<Map>,
}

impl<'a> Cursor<'a> {
    fn new(model: &Model<'a>, reals: usize) -> Self {
        let n = &model.network;
        Self {
            records: model.records.iter(),
            all_signs: model.signs,
            all_reals: model.reals,
            index: 0,
            signs: 0,
            reals,
            steps: n.steps,
            classes: n.classes,
            map: Some(n.input),
        }
    }

    fn next_layer(&mut self) -> Result<Option<Layer<'a>>, FormatError> {
        let Some(bytes) = self.records.next() else { return Ok(None) };
        let (r, first) = (Record::read(bytes), self.index == 0);
        let here = Some(self.index);
        let Some(map) = self.map else {
            return refuse(here, "kind", "nothing after the head", u32::from(r.kind));
        };
        if r.zero != [0; 7] {
            return refuse(here, "zero", "0", r.zero.iter().fold(0, |any, b| any | u32::from(*b)));
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
                Layer::Neurons(Neurons { neuron: self.neuron(&r)?, input: map })
            }
            _ => Layer::Head(self.head(&r, map)?),
        };
        self.map = layer.output();
        self.index = self.index.saturating_add(1);
        Ok(Some(layer))
    }

    /// Everything must have been taken.
    fn finish(&self) -> Result<(), FormatError> {
        if self.map.is_some() {
            return refuse(None, "layers", "a head at the end", u32::from(self.index));
        }
        for (section, used, all) in
            [(Section::Signs, self.signs, self.all_signs.len()), (Section::Reals, self.reals, self.all_reals.len())]
        {
            if used != all {
                return Err(FormatError::SectionLength { section, expected: 4 * used, found: 4 * all });
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

    fn neuron(&self, r: &Record) -> Result<Neuron, FormatError> {
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
        check("kernel", matches!(r.kernel, 1 | 3 | 5 | 7), "1, 3, 5 or 7", r.kernel)?;
        check("stride", matches!(r.stride, 1 | 2), "1 or 2", r.stride)?;
        check("padding", r.padding < r.kernel, "less than the kernel", r.padding)?;
        let (kernel, channels) = (usize::from(r.kernel), usize::from(r.c_out));
        if channels == 0 {
            return refuse(here, "c_out", "at least 1", 0);
        }
        let around = 2 * usize::from(r.padding);
        if input.rows + around < kernel || input.columns + around < kernel {
            return refuse(here, "kernel", "no larger than the padded map", r.kernel.into());
        }
        let taps = kernel * kernel;
        let weights = if binary {
            let len = channels.checked_mul(taps).and_then(|n| n.checked_mul(input.words()));
            Weights::Signs(self.take_signs(len)?)
        } else {
            let len = channels.checked_mul(taps).and_then(|n| n.checked_mul(input.channels));
            Weights::Real(self.take_reals(len)?)
        };
        let conv = Conv { weights, input, channels, kernel, stride: r.stride.into(), padding: r.padding.into() };
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

    fn gate(&mut self, r: &Record, conv: &Conv<'_>) -> Result<Gate<'a>, FormatError> {
        let here = Some(self.index);
        let known = match r.gate {
            gate::NONE => 0,
            gate::FIXED => gate::PER_CHANNEL,
            gate::SAMPLE | gate::SAMPLE_PER_CHANNEL => gate::PER_CHANNEL | gate::INSIDE,
            found => return refuse(here, "gate", "0 to 3", u32::from(found)),
        };
        if r.gate_flags & !known != 0 {
            return refuse(here, "gate_flags", "flags that this gate has", u32::from(r.gate_flags));
        }
        if r.gate == gate::NONE {
            return Ok(Gate::None);
        }
        let channels = if r.gate_flags & gate::PER_CHANNEL != 0 { conv.channels } else { 1 };
        let values = self.take_reals(self.steps.checked_mul(channels))?;
        let factor = Factor { values, channels };
        if r.gate == gate::FIXED {
            return Ok(Gate::Fixed(factor));
        }
        let out = conv.output();
        let most = (conv.taps() * conv.input.channels * conv.input.largest()) as u64;
        if most * out.rows as u64 * out.columns as u64 > i32::MAX as u64 {
            return refuse(here, "gate", "0 or 1, since the sum over this map could leave 32 bits", r.gate.into());
        }
        let per_channel = r.gate == gate::SAMPLE_PER_CHANNEL;
        Ok(Gate::Sample { alpha: factor, per_channel, inside: r.gate_flags & gate::INSIDE != 0 })
    }

    fn block(&mut self, r: &Record, map: Map) -> Result<Block<'a>, FormatError> {
        let here = Some(self.index);
        self.unused(&[r.projected])?;
        let conv = self.conv(r, map, r.kind == kind::BINARY_BLOCK)?;
        let affine = self.affine(conv.channels)?;
        if r.kind == kind::REAL_BLOCK && r.gate != gate::NONE {
            return refuse(here, "gate", "0 after a real convolution", r.gate.into());
        }
        let gate = self.gate(r, &conv)?;
        let pool = match r.pool {
            0 => Pool::None,
            1 => Pool::Current,
            2 => Pool::Spikes,
            3 => Pool::MaxSpikes,
            found => return refuse(here, "pool", "0 to 3", u32::from(found)),
        };
        let out = conv.output();
        if pool != Pool::None && (out.rows < 2 || out.columns < 2) {
            return refuse(here, "pool", "0, since the map is too small for a window", r.pool.into());
        }
        let neuron = match r.reset {
            NO_NEURON => {
                if r.kind != kind::REAL_BLOCK || pool != Pool::None || r.decay.to_bits() | r.threshold.to_bits() != 0 {
                    return refuse(here, "reset", "0 or 1; only a stem without pooling has no neurons", r.reset.into());
                }
                None
            }
            _ => Some(self.neuron(r)?),
        };
        Ok(Block { conv, affine, gate, pool, neuron })
    }

    fn residual(&mut self, r: &Record, map: Map) -> Result<Residual<'a>, FormatError> {
        let here = Some(self.index);
        self.unused(&[r.pool])?;
        let neuron = self.neuron(r)?;
        let conv = self.conv(r, Map { planes: 1, ..map }, true)?;
        let affine = self.affine(conv.channels)?;
        let gate = self.gate(r, &conv)?;
        let out = conv.output();
        let projection = match r.projected {
            0 if out == map => None,
            0 => return refuse(here, "projected", "1 where shapes change", 0),
            1 if map.rows == 2 * out.rows && map.columns == 2 * out.columns => {
                let weights = self.take_reals(map.channels.checked_mul(conv.channels))?;
                Some(Projection { weights, affine: self.affine(conv.channels)? })
            }
            found => return refuse(here, "projected", "0, or 1 where the map is halved", u32::from(found)),
        };
        Ok(Residual { neuron, conv, affine, gate, projection })
    }

    fn head(&mut self, r: &Record, map: Map) -> Result<Head<'a>, FormatError> {
        let here = Some(self.index);
        self.unused(&[r.gate, r.gate_flags, r.reset, r.kernel, r.stride, r.padding, r.projected])?;
        if r.decay.to_bits() | r.threshold.to_bits() != 0 {
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
        let mut head = Head { features, weights: Reals::default(), bias: Reals::default(), input: map };
        if map.len() as u64 * map.largest() as u64 > EXACT {
            return refuse(here, "c_in", "counts below 2^24, exact in f32", r.c_in.into());
        }
        head.weights = self.take_reals(head.count().checked_mul(self.classes))?;
        head.bias = self.take_reals(Some(self.classes))?;
        Ok(head)
    }
}
