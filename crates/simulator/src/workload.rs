//! The frames that come in, with everything about them that no policy can change.

use crate::{Arrivals, Load, Micros, Scenario, TierSetup};
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

/// All frames of a scenario, in the order in which they come in. The same scenario gives the same
/// frames.
///
/// `images` is how many images the detections file has; frames show them in shuffled order, each
/// equally often. 0 and 1 are alike.
#[must_use]
pub fn workload(scenario: &Scenario, images: u32) -> Vec<Job> {
    let mut sizes = Random::new(scenario.seed, "sizes");
    let mut edge = Random::new(scenario.seed, "edge service");
    let mut cloud = Random::new(scenario.seed, "cloud service");
    let mut which_camera = Random::new(scenario.seed, "cameras");
    let mut shown = Deck {
        cards: (0..images.max(1)).collect(),
        left: 0,
        random: Random::new(scenario.seed, "images"),
    };
    let mut sequences = vec![0; scenario.load.cameras as usize];
    let (load, preprocess) = (&scenario.load, (scenario.preprocess_ms * 1000.0) as Micros);
    let draw = |random: &mut Random, mean: f64, sigma| {
        random.log_normal(mean, sigma).round().max(1.0) as u64
    };
    let service = |random: &mut Random, tier: &TierSetup| {
        draw(random, tier.service_ms * 1000.0, tier.service_sigma)
    };
    arrivals(scenario)
        .into_iter()
        .enumerate()
        .map(|(i, arrival)| {
            let camera = match load.arrivals {
                Arrivals::Poisson => which_camera.below(load.cameras),
                Arrivals::Regular => (i as u64 % u64::from(load.cameras)) as u32,
            };
            let sequence = sequences[camera as usize];
            sequences[camera as usize] += 1;
            Job {
                arrival,
                decided: arrival + preprocess,
                deadline: (load.deadline_ms > 0.0)
                    .then(|| arrival + (load.deadline_ms * 1000.0) as Micros),
                camera,
                sequence,
                bytes: draw(&mut sizes, load.frame_bytes, load.frame_sigma),
                image: shown.draw(),
                service: PerTier {
                    edge: service(&mut edge, &scenario.edge),
                    cloud: service(&mut cloud, &scenario.cloud),
                },
            }
        })
        .collect()
}

/// When the frames come in: the inverse of the expected number so far, at steps of 1 or at
/// exponential ones (a Poisson process by time rescaling: Cinlar 1975, Introduction to Stochastic
/// Processes, 4.7).
fn arrivals(scenario: &Scenario) -> Vec<Micros> {
    let mut random = Random::new(scenario.seed, "arrivals");
    let end = scenario.minutes * 60.0;
    let mut expected = 0.0;
    let mut times = Vec::new();
    loop {
        expected += match scenario.load.arrivals {
            Arrivals::Poisson => random.exponential(),
            Arrivals::Regular => 1.0,
        };
        let seconds = scenario.load.second_of(expected);
        if seconds > end {
            return times;
        }
        times.push((seconds * 1e6).round() as Micros);
    }
}

impl Load {
    /// By which second so many frames are expected.
    fn second_of(&self, frames: f64) -> f64 {
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
        let ends = (1..).map(|period| f64::from(period) * self.period_s);
        let spans = ends.map(|end| (end - self.burst_s, end)).take_while(|(from, _)| *from < end_s);
        spans.map(|(from, until)| (from, until.min(end_s))).collect()
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
    fn bursts_come_at_the_end_of_each_period() {
        let frames = workload(&hour(Arrivals::Regular), 0);
        let within = |from: u64, to: u64| {
            frames.iter().filter(|job| (from..to).contains(&(job.arrival / 1_000_000))).count()
        };
        assert_eq!((within(1, 2), within(88, 89)), (5, 5));
        assert_eq!((within(95, 96), within(118, 119)), (50, 50));
        assert_eq!(within(3480, 3485), 25);
        assert_eq!(Load::default().bursts(220.0), [(90.0, 120.0), (210.0, 220.0)]);
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
