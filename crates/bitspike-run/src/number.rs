//! Keeps NaN and infinity from breaking JSON, which has no way to write them.
//!
//! Written: a number that is not finite becomes `null`. Read: `null` becomes NaN. Infinity therefore comes back as
//! NaN; for a loss or a gradient both say the same thing, that the value is not usable. In an optional field
//! `Some(NaN)` comes back as `None`.
//!
//! Use as `#[serde(with = "crate::number")]` on an `f64` and `#[serde(with = "crate::number::list")]` on a `Vec<f64>`.

use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(value: &f64, out: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() { out.serialize_f64(*value) } else { out.serialize_none() }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(input)?.unwrap_or(f64::NAN))
}

/// The same for an optional number: what is not finite is written as `null` and read as `None`.
pub(crate) mod optional {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, out: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(number) => super::serialize(number, out),
            None => out.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<f64>, D::Error> {
        Option::<f64>::deserialize(input)
    }
}

/// The same for a list, element by element.
pub(crate) mod list {
    use serde::{Deserialize, Deserializer, Serializer, ser::SerializeSeq};

    pub(crate) fn serialize<S: Serializer>(values: &[f64], out: S) -> Result<S::Ok, S::Error> {
        let mut seq = out.serialize_seq(Some(values.len()))?;
        for value in values {
            seq.serialize_element(&value.is_finite().then_some(*value))?;
        }
        seq.end()
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<f64>, D::Error> {
        let values = Vec::<Option<f64>>::deserialize(input)?;
        Ok(values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
    }
}

/// The same for an optional list.
pub(crate) mod optional_list {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(values: &Option<Vec<f64>>, out: S) -> Result<S::Ok, S::Error> {
        match values {
            Some(values) => super::list::serialize(values, out),
            None => out.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Vec<f64>>, D::Error> {
        let values = Option::<Vec<Option<f64>>>::deserialize(input)?;
        Ok(values.map(|list| list.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect()))
    }
}
