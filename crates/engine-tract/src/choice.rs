//! Which method computes a convolution fastest on this machine.
//!
//! Winograd's F(4×4, 3×3) saves more multiplications than F(2×2, 3×3) and reads more than twice the
//! weights. With many tiles the multiplications decide, which a table knows. With few tiles it
//! depends on how quickly weights come from memory: then both are tried once, as long as the
//! process has time for it, and the quicker one is taken, unless the times scatter so much that
//! they say nothing. What a trial has shown can be remembered in a file.

use crate::remembered::{self, Remembered};
use crate::{Kernels, Options};
use kernels::Isa;
use kernels::conv::{Clamp, Convolution, Method, Sides, padded};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tiles of four by four outputs from which on the table takes F(4×4, 3×3).
const FEW_TILES: usize = 32;
/// From so many on nothing is tried.
const MANY_TILES: usize = 128;
/// Fewer weights stay in a cache.
const FEW_WEIGHTS: usize = 1 << 18;
/// How often each method is tried, after a time that does not count.
const ROUNDS: usize = 5;
/// What all trials of a process may take together.
const TIME: Duration = Duration::from_millis(250);
/// Read between two trials, so that weights come from memory as they do between two frames:
/// 32 MiB.
const OTHER_NUMBERS: usize = 1 << 23;
/// Times whose median is further above their least, as a share of it, say nothing.
const SCATTER: f64 = 0.25;
/// A method other than the table's has to be quicker by this share.
const GAIN: f64 = 0.03;

/// How long another process may be at its own trials.
const PATIENCE: Duration = Duration::from_millis(500);

/// A convolution to be packed.
pub(crate) struct Wanted<'a> {
    pub(crate) isa: Isa,
    pub(crate) sides: Sides,
    pub(crate) batch: usize,
    /// The kernel and the bias.
    pub(crate) weights: (&'a [f32], &'a [f32]),
    pub(crate) clamp: Clamp,
    /// Whether its outputs are pooled if the method can do so.
    pub(crate) pooled: bool,
}

/// What is known of a convolution: by its instructions, sides, batch and threads.
type Key = (&'static str, Sides, usize, usize);

#[derive(Default)]
struct Trials {
    known: HashMap<Key, Method>,
    spent: Duration,
}

/// Held during a trial: two at a time would measure each other.
static TRIALS: LazyLock<Mutex<Trials>> = LazyLock::new(Mutex::default);

impl Wanted<'_> {
    /// With the weights packed for a method.
    pub(crate) fn by(&self, method: Method) -> Convolution {
        let pooled = self.pooled && method.pools();
        Convolution::new(self.isa, self.sides, method, self.weights, self.clamp, pooled)
    }

    /// By the method that the options say, or that is the quickest.
    pub(crate) fn packed(&self, name: &str, options: &Options) -> Convolution {
        let table = by_table(options.kernels, &self.sides, self.batch);
        if options.kernels != Kernels::Auto || !self.is_open(table) {
            return self.by(table);
        }
        let key = (self.isa.name(), self.sides, self.batch, options.team.threads());
        let mut trials = TRIALS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = trials.known.get(&key) {
            return self.by(*known);
        }
        if trials.spent >= TIME {
            tracing::info!(
                layer = name,
                method = table.name(),
                "kernel taken from the table: the time for trials is used up"
            );
            return self.by(table);
        }
        let in_file = remembered::name(key.0, &self.sides, self.batch, key.3);
        let mut file = match file_of_trials() {
            Trying::Alone => None,
            Trying::Locked(file) => Some(file),
            Trying::Others => {
                tracing::info!(
                    layer = name,
                    method = table.name(),
                    "kernel taken from the table: another process is at its trials"
                );
                return self.by(table);
            }
        };
        if let Some(found) = file.as_mut().and_then(|file| file.read().ok()?.remove(&in_file)) {
            tracing::info!(
                layer = name,
                method = found.name(),
                "kernel chosen by an earlier trial"
            );
            trials.known.insert(key, found);
            return self.by(found);
        }
        let started = Instant::now();
        let layers = [Method::Winograd2, Method::Winograd4].map(|method| self.by(method));
        let times = try_out(&layers, self.batch, options, started + TIME - trials.spent);
        let verdict = decide(&times, table);
        tracing::info!(
            layer = name,
            method = verdict.method.name(),
            f2_ms = times[0].1.first(),
            f4_ms = times[1].1.first(),
            why = verdict.why,
            "kernel chosen"
        );
        trials.spent += started.elapsed();
        trials.known.insert(key, verdict.method);
        if let Some(Err(error)) =
            file.filter(|_| verdict.is_sure).map(|mut file| file.add(&in_file, verdict.method))
        {
            tracing::warn!(%error, "what the trial has shown cannot be remembered");
        }
        let [small, large] = layers;
        if verdict.method == large.method() { large } else { small }
    }

    /// Whether the table may be wrong.
    fn is_open(&self, table: Method) -> bool {
        let tiles = tiles(&self.sides, self.batch);
        matches!(table, Method::Winograd2 | Method::Winograd4)
            && tiles < MANY_TILES
            && self.sides.weights() >= FEW_WEIGHTS
    }
}

/// Who may try something now.
enum Trying {
    /// Nobody else is asked.
    Alone,
    /// This process, as long as it holds the file.
    Locked(Remembered),
    /// Another process.
    Others,
}

fn file_of_trials() -> Trying {
    let Some(path) = remembered::file() else { return Trying::Alone };
    match Remembered::lock(path, PATIENCE) {
        Ok(Some(file)) => Trying::Locked(file),
        Ok(None) => Trying::Others,
        Err(error) => {
            // e.g. a container's file system that nobody may write to
            tracing::debug!(path = %path.display(), %error, "trials cannot be remembered");
            Trying::Alone
        }
    }
}

/// Tiles of four by four outputs in all images.
fn tiles(sides: &Sides, batch: usize) -> usize {
    let (height, width) = sides.output();
    batch * height.div_ceil(4) * width.div_ceil(4)
}

/// The method for a convolution of these sides in `batch` images at once, without a trial.
fn by_table(kernels: Kernels, sides: &Sides, batch: usize) -> Method {
    let candidates = Method::candidates(sides);
    let wanted = match kernels {
        Kernels::Small | Kernels::Tract => Method::Direct,
        Kernels::Auto | Kernels::Table if tiles(sides, batch) >= FEW_TILES => Method::Winograd4,
        Kernels::Auto | Kernels::Table => Method::Winograd2,
    };
    let fallback = candidates.first().copied().unwrap_or(Method::Direct);
    if candidates.contains(&wanted) { wanted } else { fallback }
}

/// Milliseconds of each run of each method, the least first.
fn try_out(
    layers: &[Convolution; 2],
    batch: usize,
    options: &Options,
    until: Instant,
) -> [(Method, Vec<f64>); 2] {
    let sides = layers[0].sides();
    let from = vec![0.5; batch * sides.height * sides.width * padded(sides.channels)];
    let (height, width) = layers[0].output();
    let mut to = vec![0.0; batch * height * width * padded(sides.filters)];
    let others = vec![1.0f32; OTHER_NUMBERS];
    let mut times = layers.each_ref().map(|layer| (layer.method(), Vec::with_capacity(ROUNDS)));
    for round in 0..=ROUNDS {
        for (layer, (_, times)) in layers.iter().zip(&mut times) {
            if round > 1 && Instant::now() >= until {
                break;
            }
            std::hint::black_box(others.iter().step_by(16).sum::<f32>());
            let started = Instant::now();
            options.team.enter(|| layer.run(&options.team, batch, &from, &mut to));
            if round > 0 {
                times.push(started.elapsed().as_secs_f64() * 1000.0);
            }
        }
    }
    for (_, times) in &mut times {
        times.sort_by(f64::total_cmp);
    }
    times
}

/// What comes of trials.
#[derive(Debug, PartialEq)]
struct Verdict {
    method: Method,
    why: &'static str,
    /// Whether another trial would show the same.
    is_sure: bool,
}

/// Chooses by sorted times; the table's method unless another is clearly quicker.
fn decide(times: &[(Method, Vec<f64>)], table: Method) -> Verdict {
    let of_table = |why, is_sure| Verdict { method: table, why, is_sure };
    let scatters = |times: &[f64]| match times {
        [least, ..] => times[times.len() / 2] > least * (1.0 + SCATTER),
        [] => true,
    };
    if times.iter().any(|(_, times)| times.len() < 3 || scatters(times)) {
        return of_table("the times scatter or are too few, the table's is taken", false);
    }
    let least = |method: Method| {
        let times = times.iter().find(|(of, _)| *of == method);
        times.and_then(|(_, times)| times.first().copied()).unwrap_or(f64::INFINITY)
    };
    let quickest = times.iter().map(|(method, _)| *method);
    let quickest = quickest.min_by(|a, b| least(*a).total_cmp(&least(*b))).unwrap_or(table);
    if least(quickest) < least(table) * (1.0 - GAIN) {
        Verdict { method: quickest, why: "the quicker one of both", is_sure: true }
    } else {
        of_table("the table's is as quick", true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Method = Method::Winograd2;
    const FOUR: Method = Method::Winograd4;

    fn sides(side: usize, channels: usize) -> Sides {
        Sides {
            height: side,
            width: side,
            channels,
            filters: channels,
            kernel: (3, 3),
            strides: (1, 1),
            dilations: (1, 1),
            before: (1, 1),
            after: (1, 1),
            depthwise: false,
        }
    }

    #[test]
    fn the_table_goes_by_tiles_and_memory() {
        let auto = |side, batch| by_table(Kernels::Table, &sides(side, 64), batch);
        assert_eq!((auto(13, 1), auto(26, 1), auto(13, 2)), (TWO, FOUR, FOUR));
        assert_eq!(by_table(Kernels::Small, &sides(26, 64), 1), Method::Direct);
        let strided = Sides { strides: (2, 2), ..sides(26, 64) };
        assert_eq!(by_table(Kernels::Auto, &strided, 1), Method::Direct);
        let depthwise = Sides { depthwise: true, ..sides(26, 64) };
        assert_eq!(by_table(Kernels::Small, &depthwise, 1), Method::Depthwise);
    }

    #[test]
    fn trials_decide_only_what_they_show() {
        let of = |two: &[f64], four: &[f64]| {
            decide(&[(TWO, two.to_vec()), (FOUR, four.to_vec())], TWO).method
        };
        let steady = |least: f64| [least, least * 1.01, least * 1.02, least * 1.02, least * 1.5];
        assert_eq!(of(&steady(5.0), &steady(4.0)), FOUR);
        assert_eq!(of(&steady(4.0), &steady(5.0)), TWO);
        // as good as the same
        assert_eq!(of(&steady(5.0), &steady(4.9)), TWO);
        // a starved process
        assert_eq!(of(&steady(5.0), &[3.0, 4.0, 9.0, 9.0, 12.0]), TWO);
        assert_eq!(of(&[5.0, 5.0], &[4.0, 4.0]), TWO);
        assert_eq!(of(&[], &[]), TWO);
    }

    #[test]
    fn a_convolution_is_tried_once_and_known_then() {
        let sides = sides(9, 512);
        let (kernel, bias) = (vec![0.01; sides.weights()], vec![0.0; 512]);
        let wanted = Wanted {
            isa: Isa::best(),
            sides,
            batch: 1,
            weights: (&kernel, &bias),
            clamp: Clamp::NONE,
            pooled: false,
        };
        let options = Options { kernels: Kernels::Auto, ..Options::default() };
        let first = wanted.packed("layer", &options).method();
        let spent = TRIALS.lock().unwrap().spent;
        assert!(spent > Duration::ZERO, "there was a trial");
        assert_eq!(wanted.packed("layer", &options).method(), first);
        assert_eq!(TRIALS.lock().unwrap().spent, spent, "and no second one");
        let table = Options { kernels: Kernels::Table, ..Options::default() };
        assert_eq!(wanted.packed("layer", &table).method(), TWO);
    }
}
