//! The C interface of `bitspike-infer`; every function is documented in `include/bitspike.h`.
//!
//! Pointers are checked for null and alignment, lengths by the runtime. What cannot be checked, that a pointer leads to as
//! many elements as the call says and that a file's bytes outlive its model, is the caller's promise, as always in C.

use bitspike_format::{FormatError, Kind, Model, NEWEST};
use bitspike_infer::InferError;
use bitspike_infer::fast::Engine;
use std::ffi::c_char;
use std::io::Write;
use std::mem::{align_of, size_of};
use std::slice;

/// `bitspike_result`.
pub type Result = i32;

const OK: Result = 0;
const NULL: Result = 1;
const CORRUPT: Result = 2;
const UNSUPPORTED: Result = 3;
const NOT_OPEN: Result = 4;
const ARENA: Result = 5;
const INPUT: Result = 6;
const LOGITS: Result = 7;
const TOO_LARGE: Result = 8;
const NOT_RESET: Result = 9;
const INTERNAL: Result = 10;
const KERNEL: Result = 11;
const NOT_FINITE: Result = 12;

/// Stands in front of an opened model.
const MARK: u64 = u64::from_le_bytes(*b"bitspike");

/// What a `bitspike_model` holds.
#[repr(C)]
struct Opened {
    mark: u64,
    model: Model<'static>,
}

/// `bitspike_model`: room for a `Model` and a mark.
#[repr(C)]
pub struct BitspikeModel {
    opaque: [u64; 64],
}

const _: () = assert!(size_of::<Opened>() <= size_of::<BitspikeModel>());
const _: () = assert!(align_of::<Opened>() <= align_of::<BitspikeModel>());

/// `bitspike_info`.
#[repr(C)]
pub struct BitspikeInfo {
    steps: u32,
    classes: u32,
    channels: u32,
    rows: u32,
    columns: u32,
    sequence: u32,
    frame_values: usize,
    run_words: usize,
    step_words: usize,
    binary_weights: u64,
    real_parameters: u64,
}

/// `bitspike_engine`.
pub struct BitspikeEngine(Engine<'static>);

fn of_format(error: &FormatError) -> Result {
    if error.kind() == Kind::Unsupported { UNSUPPORTED } else { CORRUPT }
}

fn of_infer(result: std::result::Result<(), InferError>) -> Result {
    match result {
        Ok(()) => OK,
        Err(InferError::Arena { .. }) => ARENA,
        Err(InferError::Input { .. }) => INPUT,
        Err(InferError::NotFinite { .. }) => NOT_FINITE,
        Err(InferError::Logits { .. }) => LOGITS,
        Err(InferError::TooLarge) => TOO_LARGE,
        Err(InferError::NotReset) => NOT_RESET,
        Err(InferError::Kernel) => KERNEL,
        Err(_) => INTERNAL,
    }
}

fn usable<T>(pointer: *const T) -> bool {
    !pointer.is_null() && pointer.is_aligned()
}

/// The elements behind a pointer of C.
///
/// # Safety
/// `pointer`, if it is usable, leads to `len` elements that nobody changes for as long as the result lives.
unsafe fn shared<'a, T>(pointer: *const T, len: usize) -> std::result::Result<&'a [T], Result> {
    if !usable(pointer) || len > isize::MAX as usize / size_of::<T>() {
        return Err(NULL);
    }
    // SAFETY: not null and aligned; the rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts(pointer, len) })
}

/// As [`shared`], for elements that this call alone may change.
///
/// # Safety
/// As [`shared`], and nobody else reads them either.
unsafe fn exclusive<'a, T>(pointer: *mut T, len: usize) -> std::result::Result<&'a mut [T], Result> {
    if !usable(pointer) || len > isize::MAX as usize / size_of::<T>() {
        return Err(NULL);
    }
    // SAFETY: not null and aligned; the rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts_mut(pointer, len) })
}

/// # Safety
/// `model`, if it is usable, leads to a `bitspike_model`.
unsafe fn opened<'a>(model: *const BitspikeModel) -> std::result::Result<&'a Model<'static>, Result> {
    if !usable(model) {
        return Err(NULL);
    }
    // SAFETY: the mark is the first word of both types, and every bit pattern is a u64.
    if unsafe { *model.cast::<u64>() } != MARK {
        return Err(NOT_OPEN);
    }
    // SAFETY: only `bitspike_open` writes the mark, after the model.
    Ok(unsafe { &(*model.cast::<Opened>()).model })
}

/// Runs `body` and turns its early result into the value that C gets.
fn call(body: impl FnOnce() -> std::result::Result<Result, Result>) -> Result {
    body().unwrap_or_else(|early| early)
}

/// See `bitspike.h`.
#[unsafe(no_mangle)]
pub extern "C" fn bitspike_format_version() -> u32 {
    u32::from(NEWEST)
}

/// See `bitspike.h`.
#[unsafe(no_mangle)]
pub extern "C" fn bitspike_message(result: Result) -> *const c_char {
    let text = match result {
        OK => c"no error",
        NULL => c"a pointer is null or not aligned",
        CORRUPT => c"the file is damaged, cut short or made up; bitspike_explain says where",
        UNSUPPORTED => c"the file has another format version or byte order; export the run again",
        NOT_OPEN => c"the model was not opened by bitspike_open",
        ARENA => c"the arena is smaller than bitspike_info says",
        INPUT => c"the input has the wrong number of values",
        LOGITS => c"the room for logits does not fit the number of classes",
        TOO_LARGE => c"the network needs more memory than can be addressed",
        NOT_RESET => c"the arena was not prepared by bitspike_reset for this model",
        INTERNAL => c"a fault of bitspike; please report it",
        KERNEL => c"BITSPIKE_KERNEL names kernels that cannot run here; unset it",
        NOT_FINITE => c"an input value is NaN or infinite; decide before the call what a missing one means",
        _ => c"not a result of bitspike",
    };
    text.as_ptr()
}

/// See `bitspike.h`.
///
/// # Safety
/// `file` leads to `length` bytes that stay as they are while the model is in use; `model` to a `bitspike_model`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_open(file: *const u8, length: usize, model: *mut BitspikeModel) -> Result {
    call(|| {
        if !usable(model) {
            return Err(NULL);
        }
        // SAFETY: the caller's promise; a `bitspike_model` has room for the mark.
        unsafe { *model.cast::<u64>() = 0 };
        // SAFETY: the caller's promise.
        let bytes: &'static [u8] = unsafe { shared(file, length)? };
        let opened = Model::parse(bytes).map_err(|e| of_format(&e))?;
        // SAFETY: the assertions beside `Opened` say that it fits.
        unsafe { model.cast::<Opened>().write(Opened { mark: MARK, model: opened }) };
        Ok(OK)
    })
}

/// See `bitspike.h`.
///
/// # Safety
/// `file` leads to `length` bytes, `text` to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_explain(file: *const u8, length: usize, text: *mut c_char, size: usize) -> usize {
    // SAFETY: the caller's promise.
    let Ok(bytes) = (unsafe { shared(file, length) }) else { return 0 };
    let message = match Model::parse(bytes) {
        Ok(_) => String::new(),
        Err(error) => format!("{error}; {}", error.hint()),
    };
    // SAFETY: the caller's promise.
    if let (Ok(out), true) = (unsafe { exclusive(text.cast::<u8>(), size) }, size > 0) {
        let (mut room, end) = out.split_at_mut(size - 1);
        // What does not fit is cut off, as the header says.
        let _ = room.write_all(message.as_bytes());
        let left = room.len();
        end[0] = 0;
        out[size - 1 - left] = 0;
    }
    message.len()
}

/// See `bitspike.h`.
///
/// # Safety
/// `model` leads to a `bitspike_model`, `info` to a `bitspike_info`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_describe(model: *const BitspikeModel, info: *mut BitspikeInfo) -> Result {
    call(|| {
        // SAFETY: the caller's promise.
        let model = unsafe { opened(model)? };
        if !usable(info) {
            return Err(NULL);
        }
        let n = model.network();
        let words = |words: std::result::Result<usize, InferError>| words.map_err(|e| of_infer(Err(e)));
        let small = |v: usize| u32::try_from(v).map_err(|_| INTERNAL);
        let filled = BitspikeInfo {
            steps: small(n.steps)?,
            classes: small(n.classes)?,
            channels: small(n.input.channels)?,
            rows: small(n.input.rows)?,
            columns: small(n.input.columns)?,
            sequence: u32::from(n.sequence),
            frame_values: n.input.len(),
            run_words: words(bitspike_infer::run_words(model))?,
            step_words: words(bitspike_infer::step_words(model))?,
            binary_weights: model.binary_weights(),
            real_parameters: model.real_parameters(),
        };
        // SAFETY: usable, and the caller's promise.
        unsafe { info.write(filled) };
        Ok(OK)
    })
}

/// See `bitspike.h`.
///
/// # Safety
/// `model` leads to a `bitspike_model`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_pixel(model: *const BitspikeModel, channel: u32, value: u8) -> f32 {
    // SAFETY: the caller's promise.
    unsafe { opened(model) }.map_or(0.0, |model| model.network().pixel(channel as usize, value))
}

/// See `bitspike.h`.
///
/// # Safety
/// The pointers lead to as many elements as the lengths beside them say; nobody else touches arena and logits meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_run(
    model: *const BitspikeModel,
    arena: *mut u32,
    arena_words: usize,
    input: *const f32,
    input_values: usize,
    logits: *mut f32,
    classes: usize,
) -> Result {
    call(|| {
        // SAFETY: the caller's promise.
        let (model, arena) = unsafe { (opened(model)?, exclusive(arena, arena_words)?) };
        // SAFETY: the caller's promise.
        let (input, logits) = unsafe { (shared(input, input_values)?, exclusive(logits, classes)?) };
        Ok(of_infer(bitspike_infer::run(model, arena, input, logits, &mut ())))
    })
}

/// See `bitspike.h`.
///
/// # Safety
/// As [`bitspike_run`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_reset(model: *const BitspikeModel, arena: *mut u32, arena_words: usize) -> Result {
    call(|| {
        // SAFETY: the caller's promise.
        let (model, arena) = unsafe { (opened(model)?, exclusive(arena, arena_words)?) };
        Ok(of_infer(bitspike_infer::reset(model, arena)))
    })
}

/// See `bitspike.h`.
///
/// # Safety
/// As [`bitspike_run`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_step(
    model: *const BitspikeModel,
    arena: *mut u32,
    arena_words: usize,
    frame: *const f32,
    frame_values: usize,
    logits: *mut f32,
    classes: usize,
) -> Result {
    call(|| {
        // SAFETY: the caller's promise.
        let (model, arena) = unsafe { (opened(model)?, exclusive(arena, arena_words)?) };
        // SAFETY: the caller's promise.
        let (frame, logits) = unsafe { (shared(frame, frame_values)?, exclusive(logits, classes)?) };
        Ok(of_infer(bitspike_infer::step(model, arena, frame, logits, &mut ())))
    })
}

/// See `bitspike.h`.
///
/// # Safety
/// `model` leads to a `bitspike_model` whose file outlives the engine; `engine` to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_engine_new(model: *const BitspikeModel, engine: *mut *mut BitspikeEngine) -> Result {
    call(|| {
        if !usable(engine) {
            return Err(NULL);
        }
        // SAFETY: usable, and the caller's promise.
        unsafe { engine.write(std::ptr::null_mut()) };
        // SAFETY: the caller's promise.
        let model = unsafe { opened(model)? };
        let made = Engine::new(model).map_err(|e| of_infer(Err(e)))?;
        // SAFETY: usable, and the caller's promise.
        unsafe { engine.write(Box::into_raw(Box::new(BitspikeEngine(made)))) };
        Ok(OK)
    })
}

/// See `bitspike.h`.
///
/// # Safety
/// `engine` comes from [`bitspike_engine_new`] and was not freed; the rest as [`bitspike_run`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_engine_run(
    engine: *const BitspikeEngine,
    inputs: *const f32,
    input_values: usize,
    logits: *mut f32,
    logit_values: usize,
    threads: usize,
) -> Result {
    call(|| {
        if !usable(engine) {
            return Err(NULL);
        }
        // SAFETY: the caller's promise.
        let (engine, inputs) = unsafe { (&*engine, shared(inputs, input_values)?) };
        // SAFETY: the caller's promise.
        let logits = unsafe { exclusive(logits, logit_values)? };
        Ok(of_infer(engine.0.run_batch(inputs, logits, threads)))
    })
}

/// See `bitspike.h`.
///
/// # Safety
/// `engine` is null, or comes from [`bitspike_engine_new`] and is freed once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_engine_free(engine: *mut BitspikeEngine) {
    if !engine.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(engine) });
    }
}
