//! Variants and sizes of the gate, and how `α` and the means are looked up.

use crate::error::{KernelError, check_len, check_nonzero, product};

/// Over which elements of `X` the mean of a gate is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pool {
    /// One gate per time step and sample.
    #[default]
    Chw,
    /// One gate per time step, sample and channel.
    Hw,
    /// One gate per time step, over the whole batch.
    Nchw,
    /// One gate per element: every pool has one element, whose mean is itself.
    None,
    /// No pool: the gate is σ(0) = 0.5, whatever the function.
    Const,
}

/// What the gate multiplies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Apply {
    /// Value and gradient.
    #[default]
    Forward,
    /// The gradient only; the value passes unchanged.
    Gradient,
}

/// The function of a gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Function {
    /// The logistic function σ.
    #[default]
    Sigmoid,
    /// Its value and slope at 0 as a straight line, cut off: `min(max(x / 4 + 1/2, 0), 1)`. The derivative is 0 at the corners.
    Hard,
}

/// The variant of the gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GateParams {
    /// Over which elements the mean is taken; default `Chw`.
    pub pool: Pool,
    /// The function; default σ.
    pub function: Function,
    /// What the gate multiplies; default value and gradient.
    pub apply: Apply,
    /// Whether `α` stands inside the function; default false.
    pub alpha_inside: bool,
    /// Whether the mean is a constant for the gradient; default false.
    pub detach_gate: bool,
}

/// The sizes of `X`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GateShape {
    /// Time steps.
    pub t: usize,
    /// Samples.
    pub n: usize,
    /// Pixels of a map.
    pub hw: usize,
    /// Channels.
    pub c: usize,
}

impl GateShape {
    /// How many means [`super::forward`] writes: `T·N`, `T·N·C`, `T`, 0 and 0 for [`Pool`]'s variants in their order.
    #[must_use]
    pub fn means_len(&self, pool: Pool) -> usize {
        match pool {
            Pool::Chw => self.t * self.n,
            Pool::Hw => self.t * self.n * self.c,
            Pool::Nchw => self.t,
            Pool::None | Pool::Const => 0,
        }
    }

    /// Elements of one sample at one time step.
    pub(crate) fn slab(&self) -> usize {
        self.hw * self.c
    }

    /// Refuses empty or uncountable shapes; returns the number of elements.
    pub(crate) fn check(&self, op: &'static str) -> Result<usize, KernelError> {
        for (name, size) in [("t", self.t), ("n", self.n), ("hw", self.hw), ("c", self.c)] {
            check_nonzero(op, name, size)?;
        }
        product(op, &[self.t, self.n, self.hw, self.c])
    }
}

/// `α`, either per time step or per time step and channel.
#[derive(Clone, Copy)]
pub(crate) struct Alpha<'a> {
    values: &'a [f32],
    /// How many there are for a step: 1 or `C`.
    pub(crate) per_step: usize,
}

impl<'a> Alpha<'a> {
    pub(crate) fn new(op: &'static str, shape: &GateShape, values: &'a [f32]) -> Result<Self, KernelError> {
        if values.len() == shape.t {
            return Ok(Self { values, per_step: 1 });
        }
        check_len(op, "alpha", product(op, &[shape.t, shape.c])?, values.len())?;
        Ok(Self { values, per_step: shape.c })
    }

    /// `α` of a step and channel.
    #[inline(always)]
    pub(crate) fn at(&self, t: usize, c: usize) -> f32 {
        self.values[if self.per_step == 1 { t } else { t * self.per_step + c }]
    }
}

/// The means of the gates and where the one of a step, sample and channel is found.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    pub(crate) values: &'a [f32],
    /// Distances between steps, samples and channels.
    pub(crate) strides: [usize; 3],
}

impl<'a> Means<'a> {
    /// Means as [`super::forward`] writes them.
    pub(crate) fn of_pool(shape: &GateShape, pool: Pool, values: &'a [f32]) -> Self {
        match pool {
            Pool::Chw => Self { values, strides: [shape.n, 1, 0] },
            Pool::Hw => Self { values, strides: [shape.n * shape.c, shape.c, 1] },
            Pool::Nchw => Self { values, strides: [1, 0, 0] },
            Pool::None | Pool::Const => Self { values: &[0.0], strides: [0; 3] },
        }
    }

    /// Means given per step, or per step and channel.
    pub(crate) fn fixed(op: &'static str, shape: &GateShape, values: &'a [f32]) -> Result<Self, KernelError> {
        if values.len() == shape.t {
            return Ok(Self { values, strides: [1, 0, 0] });
        }
        check_len(op, "means", product(op, &[shape.t, shape.c])?, values.len())?;
        Ok(Self { values, strides: [shape.c, 0, 1] })
    }

    #[inline(always)]
    pub(crate) fn at(&self, t: usize, n: usize, c: usize) -> f32 {
        self.values[t * self.strides[0] + n * self.strides[1] + c * self.strides[2]]
    }
}
