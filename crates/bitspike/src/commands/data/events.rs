//! `bitspike data` on recordings of event cameras.

use super::picture::{self, PictureFile};
use crate::args::{EventArgs, PictureArgs};
use crate::error::CliError;
use crate::output;
use bitspike_events::{
    Camera, Event, EventError, EventReader, EventWriter, Evt3Time, Format, ReadOptions, Summary, TimeUnit,
};
use serde_json::json;
use std::path::Path;

/// Events decoded at a time.
const BATCH: usize = 1 << 14;

/// What the user says about files, as the library takes it.
pub fn options(a: &EventArgs) -> Result<ReadOptions, CliError> {
    let wrong = |flag, value: &str, known: String| CliError::Usage(format!("--{flag} {value}: known are {known}"));
    let mut o = ReadOptions::default();
    if let Some(name) = &a.format {
        let known = || Format::ALL.map(Format::name).join(", ");
        o = o.with_format(Format::named(name).ok_or_else(|| wrong("format", name, known()))?);
    }
    if let Some(name) = &a.camera {
        let camera = Camera::ALL.into_iter().find(|c| c.name() == name);
        o = o.with_camera(camera.ok_or_else(|| wrong("camera", name, Camera::ALL.map(Camera::name).join(", ")))?);
    }
    if let Some(unit) = &a.time_unit {
        o = o.with_time_unit(TimeUnit::named(unit).ok_or_else(|| wrong("time-unit", unit, "s, ms, us, ns".into()))?);
    }
    if let Some(columns) = &a.columns {
        o = o.with_columns(columns);
    }
    Ok(if a.low_turns { o.with_evt3_time(Evt3Time::LowTurns) } else { o })
}

/// Opens a file of events; `None` for folders and files of other kinds.
pub fn open(path: &Path, a: &EventArgs) -> Result<Option<EventReader>, CliError> {
    let options = options(a)?;
    if !path.is_file() {
        return Ok(None);
    }
    match EventReader::open(path, &options) {
        Ok(reader) => Ok(Some(reader)),
        Err(EventError::Unrecognised { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Figures of a recording, named as in lists of agreed decodes.
fn figures(path: &Path, reader: &EventReader, s: &Summary) -> serde_json::Value {
    let (x, y) = (s.x.unzip(), s.y.unzip());
    let (width, height) = reader.geometry().unzip();
    json!({
        "path": path, "format": reader.format().name(), "width": width, "height": height,
        "events": s.events, "t_first": s.t_first, "t_last": s.t_last,
        "x_min": x.0, "x_max": x.1, "y_min": y.0, "y_max": y.1,
        "on": s.on, "sum_t": s.sum_t, "sum_x": s.sum_x, "sum_y": s.sum_y,
        "steps_back": s.backward, "longest_gap_us": s.longest_gap,
        "gaps": s.gaps.iter().map(|g| json!({ "us": g.us, "from_us": g.from, "event": g.event })).collect::<Vec<_>>(),
        "events_per_second": s.rate(),
        "sha256_txyp_le_i64": s.sha256(),
    })
}

/// Figures of a recording, and its picture if one is asked for.
pub fn inspect(
    path: &Path,
    mut reader: EventReader,
    picture: Option<(&PictureFile, &PictureArgs, &EventArgs)>,
    as_json: bool,
) -> Result<(), CliError> {
    let s = reader.summarise()?;
    let drawn = match picture {
        Some((file, args, events)) => {
            let mut again = EventReader::open(path, &options(events)?)?;
            Some(picture::draw(&mut again, &s, file, args)?)
        }
        None => None,
    };
    if as_json {
        let mut all = figures(path, &reader, &s);
        if let (Some(drawn), Some(object)) = (&drawn, all.as_object_mut()) {
            object.insert("picture".into(), drawn.json());
        }
        return output::json(&all);
    }
    let mut text = format!("{}: {} events of {}\n", path.display(), s.events, reader.format().name());
    if let Some((w, h)) = reader.geometry() {
        text += &format!("  sensor {w} x {h}\n");
    }
    if let (Some((x0, x1)), Some((y0, y1)), Some((t0, t1))) = (s.x, s.y, s.t) {
        let on = 100.0 * s.on as f64 / s.events as f64;
        text += &format!("  t {t0} to {t1} us, x {x0} to {x1}, y {y0} to {y1}, {on:.1} % ON\n");
        text += &format!("  longest gap {} us, {} steps back in time\n", s.longest_gap, s.backward);
        // Where all are the same, none stands out.
        let listed = if s.gaps.iter().any(|g| g.us < s.longest_gap) { &s.gaps[..] } else { &[] };
        for g in listed {
            let after = g.from.saturating_sub(t0) as f64 / 1e3;
            text += &format!(
                "    no event for {:>8} us after t {} ({after:.1} ms after the first), before event {}\n",
                g.us, g.from, g.event
            );
        }
    }
    if let Some(rate) = s.rate() {
        text += &format!("  {rate:.0} events per second\n");
    }
    text += &format!("  sha256 of (t, x, y, p) {}\n", s.sha256());
    if let Some(drawn) = drawn {
        text += &drawn.text();
    }
    output::result(&text)
}

/// Reads everything. Damage is a check that failed, not an error of the command.
pub fn verify(path: &Path, mut reader: EventReader, as_json: bool) -> Result<bool, CliError> {
    let (mut s, mut batch) = (Summary::new(), vec![Event::default(); BATCH]);
    let damage = loop {
        match reader.read(&mut batch) {
            Ok(0) => break None,
            Ok(n) => s.add(&batch[..n]),
            Err(e @ EventError::Io { .. }) => return Err(e.into()),
            Err(e) => break Some(e.to_string()),
        }
    };
    let (width, height) = reader.geometry().unwrap_or((1 << 16, 1 << 16));
    let outside = s.x.is_some_and(|x| u32::from(x.1) >= width) || s.y.is_some_and(|y| u32::from(y.1) >= height);
    let ok = damage.is_none() && !outside;
    if as_json {
        output::json(&json!({
            "ok": ok, "damage": damage, "outside_sensor": outside, "decoded": figures(path, &reader, &s),
        }))?;
        return Ok(ok);
    }
    let line = |ok: bool, what: &str| format!("{} {}: {what}\n", if ok { "ok   " } else { "WRONG" }, path.display());
    let mut text = match &damage {
        None => line(true, &format!("{} events to the end", s.events)),
        // The damage names the file itself.
        Some(d) => format!("WRONG {d}, after {} events\n", s.events),
    };
    text += &line(!outside, "every event on the sensor");
    if s.backward > 0 {
        text += &format!("note: {} events are earlier than the one before\n", s.backward);
    }
    output::result(&text)?;
    Ok(ok)
}

pub fn convert(from: &Path, to: &Path, a: &EventArgs) -> Result<(), CliError> {
    let options = options(a)?;
    let format = match to.extension().and_then(|e| e.to_str()) {
        Some("raw") => Format::Evt3,
        Some("es") => Format::Es,
        Some("npz") => Format::Npz,
        Some("csv") => Format::Csv,
        _ => return Err(CliError::Usage(format!("{}: expected .raw, .es, .npz or .csv", to.display()))),
    };
    let mut reader = EventReader::open(from, &options)?;
    let size = match reader.geometry().map(|(w, h)| (u16::try_from(w), u16::try_from(h))) {
        Some((Ok(w), Ok(h))) => (w, h),
        // The sensor is not named, so it ends where the events do.
        _ => {
            let s = EventReader::open(from, &options)?.summarise()?;
            let side = |r: Option<(u16, u16)>| r.map_or(0, |r| r.1).saturating_add(1);
            (side(s.x), side(s.y))
        }
    };
    let (mut writer, mut batch) = (EventWriter::create(to, format, size)?, vec![Event::default(); BATCH]);
    loop {
        match reader.read(&mut batch)? {
            0 => break,
            n => writer.write(&batch[..n])?,
        }
    }
    let events = writer.events();
    writer.finish()?;
    output::note(&format!("{events} events, {} to {}", reader.format().name(), format.name()));
    Ok(())
}
