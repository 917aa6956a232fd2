//! The frames that come in, with everything about them that no policy can change.

use crate::{Arrivals, Load, Measured, Micros, Scenario, ServiceTimes, TierSetup};
use frame::{Destination, PerTier};
use virtual_time::Random;

/// A frame, and how long each tier would work on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Job {
    /// When it comes in, in microseconds from the start.
    pub arrival: Micros,
    /// When it is decided on.
    pub decided: Micros,
    /// How late its answer may be; `None`: as late as it likes.
    pub deadline: Option<Micros>,
    /// Which camera sent it, from 0 on.
    pub camera: u32,
    /// Its number at its camera, from 0 on.
    pub sequence: u64,
    /// The size of its prepared JPEG.
    pub bytes: u64,
    /// Which image of the detections file it shows, from 0 on; 0 without such a file.
    pub image: u32,
    service: PerTier<Micros>,
}

impl Job {
    /// How long a worker of this tier works on it, in microseconds.
    #[must_use]
    pub const fn service(&self, tier: Destination) -> Micros {
        *self.service.of(tier)
    }
}

/// All frames of a scenario, in the order in which they are decided on. The same scenario gives the
/// same frames.
///
/// `images` is how many images the detections file has; frames show them in shuffled order, each
/// equally often. 0 and 1 are alike.
#[must_use]
pub fn workload(scenario: &Scenario, images: u32) -> Vec<Job> {
    measured_workload(scenario, &ServiceTimes::default(), images)
}

/// The same with service times that were measured, where there are any.
///
/// Frames of a camera are decided on in the order in which they came in: one whose preprocessing
/// takes long holds up those behind it.
#[must_use]
pub fn measured_workload(scenario: &Scenario, times: &ServiceTimes, images: u32) -> Vec<Job> {
    let mut sizes = Random::new(scenario.seed, "sizes");
    let mut edge = service(scenario.seed, "edge service", &scenario.edge, times.edge.as_ref());
    let mut cloud = service(scenario.seed, "cloud service", &scenario.cloud, times.cloud.as_ref());
    let mut preprocess = preprocess(scenario, times);
    let mut which_camera = Random::new(scenario.seed, "cameras");
    let mut shown = Deck {
        cards: (0..images.max(1)).collect(),
        left: 0,
        random: Random::new(scenario.seed, "images"),
    };
    let mut cameras = vec![(0, 0); scenario.load.cameras as usize];
    let load = &scenario.load;
    let jobs = arrivals(scenario).into_iter().enumerate().map(|(i, arrival)| {
        let camera = match load.arrivals {
            Arrivals::Poisson => which_camera.below(load.cameras),
            Arrivals::Regular => (i as u64 % u64::from(load.cameras)) as u32,
        };
        let (sequence, last) = &mut cameras[camera as usize];
        *last = (arrival + preprocess()).max(*last);
        *sequence += 1;
        Job {
            arrival,
            decided: *last,
            deadline: (load.deadline_ms > 0.0)
                .then(|| arrival + (load.deadline_ms * 1000.0) as Micros),
            camera,
            sequence: *sequence - 1,
            bytes: sizes.log_normal(load.frame_bytes, load.frame_sigma).round().max(1.0) as u64,
            image: shown.draw(),
            service: PerTier { edge: edge(), cloud: cloud() },
        }
    });
    let mut jobs: Vec<Job> = jobs.collect();
    jobs.sort_by_key(|job| job.decided);
    jobs
}

/// What a frame takes on a tier, frame after frame, in microseconds.
fn service(
    seed: u64,
    purpose: &str,
    tier: &TierSetup,
    measured: Option<&Measured>,
) -> Box<dyn FnMut() -> Micros> {
    let mut random = Random::new(seed, purpose);
    if let Some(measured) = measured {
        return Box::new(measured.draw(random));
    }
    let (mean, sigma) = (tier.service_ms * 1000.0, tier.service_sigma);
    Box::new(move || random.log_normal(mean, sigma).round().max(1.0) as Micros)
}

/// What comes before the decision, frame after frame, in microseconds.
fn preprocess(scenario: &Scenario, times: &ServiceTimes) -> Box<dyn FnMut() -> Micros> {
    if times.preprocess.is_empty() {
        let fixed = (scenario.preprocess_ms * 1000.0) as Micros;
        return Box::new(move || fixed);
    }
    let stages = times.preprocess.iter().enumerate();
    let mut stages: Vec<_> = stages
        .map(|(i, stage)| stage.draw(Random::new(scenario.seed, &format!("preprocess {i}"))))
        .collect();
    Box::new(move || stages.iter_mut().map(|draw| draw()).sum())
}

/// When the frames come in: the inverse of the expected number so far, at steps of 1 or at
/// exponential ones (a Poisson process by time rescaling: Cinlar 1975, Introduction to Stochastic
/// Processes, 4.7).
fn arrivals(scenario: &Scenario) -> Vec<Micros> {
    let mut random = Random::new(scenario.seed, "arrivals");
    let end = scenario.minutes * 60.0;
    let phase_s = scenario.load.phase_s;
    let mut expected = scenario.load.frames_by(phase_s);
    let mut times = Vec::new();
    loop {
        expected += match scenario.load.arrivals {
            Arrivals::Poisson => random.exponential(),
            Arrivals::Regular => 1.0,
        };
        let seconds = (scenario.load.second_of(expected) - phase_s).max(0.0);
        if seconds > end {
            return times;
        }
        times.push((seconds * 1e6).round() as Micros);
    }
}

impl Load {
    /// How many frames are expected by this second.
    pub(crate) fn frames_by(&self, second: f64) -> f64 {
        let calm_s = self.period_s - self.burst_s;
        let whole = calm_s * self.base_fps + self.burst_s * self.burst_fps;
        let periods = (second / self.period_s).floor();
        let into = second - periods * self.period_s;
        let calm = into.min(calm_s) * self.base_fps;
        periods * whole + calm + (into - calm_s).max(0.0) * self.burst_fps
    }

    /// By which second so many frames are expected.
    pub(crate) fn second_of(&self, frames: f64) -> f64 {
        let calm_s = self.period_s - self.burst_s;
        let calm = calm_s * self.base_fps;
        let whole = calm + self.burst_s * self.burst_fps;
        let periods = (frames / whole).floor();
        let rest = frames - periods * whole;
        let into = if rest <= calm {
            rest / self.base_fps
        } else {
            calm_s + (rest - calm) / self.burst_fps
        };
        periods * self.period_s + into
    }

    /// The bursts before `end_s`, as their beginnings and ends in seconds.
    #[must_use]
    pub fn bursts(&self, end_s: f64) -> Vec<(f64, f64)> {
        if self.burst_s <= 0.0 {
            return Vec::new();
        }
        let phase_s = self.phase_s % self.period_s;
        let ends = (1..).map(|period| f64::from(period) * self.period_s - phase_s);
        let spans = ends.map(|end| (end - self.burst_s, end)).take_while(|(from, _)| *from < end_s);
        spans.map(|(from, until)| (from.max(0.0), until.min(end_s))).collect()
    }
}

/// Deals every card once before any comes again.
struct Deck {
    cards: Vec<u32>,
    left: usize,
    random: Random,
}

impl Deck {
    fn draw(&mut self) -> u32 {
        if self.left == 0 {
            self.left = self.cards.len();
        }
        // Fisher and Yates, a step a draw
        self.left -= 1;
        let pick = self.random.below(self.left as u32 + 1) as usize;
        self.cards.swap(pick, self.left);
        self.cards[self.left]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(arrivals: Arrivals) -> Scenario {
        Scenario {
            minutes: 60.0,
            load: Load { arrivals, ..Load::default() },
            ..Scenario::default()
        }
    }

    #[test]
    fn an_hour_of_the_default_load_has_58500_frames() {
        assert_eq!(workload(&hour(Arrivals::Regular), 0).len(), 58_500);
        let poisson = workload(&hour(Arrivals::Poisson), 0).len();
        // four standard deviations
        assert!(poisson.abs_diff(58_500) < 970, "{poisson}");
    }

    #[test]
    fn frames_by_a_second_and_the_second_of_frames_are_inverse() {
        let load = Load::default();
        for second in [0.0, 1.0, 89.9, 90.0, 100.5, 120.0, 500.25] {
            let back = load.second_of(load.frames_by(second));
            assert!((back - second).abs() < 1e-9, "{second}: {back}");
        }
    }

    #[test]
    fn bursts_come_at_the_end_of_each_period() {
        let frames = workload(&hour(Arrivals::Regular), 0);
        let within = |from: u64, to: u64| {
            frames.iter().filter(|job| (from..to).contains(&(job.arrival / 1_000_000))).count()
        };
        assert_eq!((within(1, 2), within(88, 89)), (5, 5));
        assert_eq!((within(95, 96), within(118, 119)), (50, 50));
        assert_eq!(within(3480, 3485), 25);
        assert_eq!(Load::default().bursts(220.0), [(90.0, 120.0), (210.0, 220.0)]);
        let mut later = hour(Arrivals::Regular);
        later.load.phase_s = 100.0;
        assert_eq!(later.load.bursts(120.0), [(0.0, 20.0), (110.0, 120.0)]);
        let frames = workload(&later, 0);
        let first = frames.iter().filter(|job| job.arrival < 20_000_000).count();
        // the last one of a burst may be a rounding later
        assert!((999..=1000).contains(&first) && frames.len() == 58_500, "{first}");
    }

    #[test]
    fn frames_are_in_order_and_numbered_by_camera() {
        let frames = workload(&Scenario::default(), 7);
        assert!(frames.windows(2).all(|pair| pair[0].arrival <= pair[1].arrival));
        for camera in 0..5 {
            let numbers: Vec<u64> =
                frames.iter().filter(|job| job.camera == camera).map(|job| job.sequence).collect();
            assert!(numbers.len() > 1000);
            assert!(numbers.iter().copied().eq(0..numbers.len() as u64));
        }
        let first = &frames[..7];
        assert!(
            (0..7).all(|image| first.iter().any(|job| job.image == image)),
            "each image once before any comes again"
        );
        assert_eq!(frames, workload(&Scenario::default(), 7));
        assert_ne!(frames, workload(&Scenario { seed: 2, ..Scenario::default() }, 7));
    }
}
