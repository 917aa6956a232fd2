//! `mlvi bench history`: how fast a database takes results, how large it gets, and how fast it
//! answers.

use super::progress::Progress;
use super::section::{Grid, Section};
use super::stats::Series;
use anyhow::Context;
use clap::Args;
use cli::table::number;
use frame::{
    BoundingBox, Decision, Destination, Detection, FrameId, FrameResult, ImageSize, ModelInfo,
    ServedBy, Status, TimingsMs,
};
use results_db::{Access, Batch, Bucket, Database, DatabaseUrl, Filter, Page};
use serde_json::json;
use std::time::{Duration, Instant};
use virtual_time::Random;

const DAY_MS: u64 = 86_400_000;
const CAMERAS: u64 = 40;
/// The last one is rare: in one frame of a thousand.
const CLASSES: [&str; 6] = ["person", "car", "bicycle", "dog", "truck", "bear"];
const RARE: &str = "bear";
const STEP: u64 = 10_000;

/// What `mlvi bench history` can be told.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The database, which has to be empty: postgres://USER@HOST:PORT/NAME or sqlite:PATH
    #[arg(long, value_name = "URL", env = "MLVI_DATABASE_URL", hide_env_values = true)]
    database: DatabaseUrl,
    /// How many results, made up, of 40 cameras over one day
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    results: u64,
    /// How many results are stored in one transaction
    #[arg(long, value_name = "N", default_value_t = 500)]
    batch: usize,
    /// How often each question is asked
    #[arg(long, value_name = "N", default_value_t = 50)]
    questions: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
///
/// # Errors
/// When the database cannot be had, or is not empty.
pub(super) fn run(args: &HistoryArgs) -> anyhow::Result<()> {
    let section = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the async runtime")?
        .block_on(measure(args, &Progress::new()))?;
    super::show(&[section], args.json)
}

async fn measure(args: &HistoryArgs, progress: &Progress) -> anyhow::Result<Section> {
    anyhow::ensure!(
        args.results >= 1 && args.batch >= 1 && args.questions >= 1,
        "--results, --batch and --questions must be at least 1"
    );
    let database = Database::open(&args.database, Access::Write).await?;
    let any = Page { limit: 1, after: None };
    anyhow::ensure!(
        database.history(Filter::default(), any).await?.is_empty(),
        "{} has results in it already: name an empty database",
        args.database
    );
    let stored = store(args, &database, progress).await?;
    let bytes = database.bytes().await?;
    let answers = ask(args, &database, progress).await?;
    Ok(render(args, stored, bytes, &answers))
}

/// How long storing took, making the results not counted.
async fn store(
    args: &HistoryArgs,
    database: &Database,
    progress: &Progress,
) -> anyhow::Result<Duration> {
    progress.begin("results stored", args.results.div_ceil(STEP));
    let mut maker = Maker::new(args.results);
    let (mut made, mut took) = (0, Duration::ZERO);
    while made < args.results {
        let count = (args.batch as u64).min(args.results - made);
        let batch = Batch::of((made..made + count).map(|number| maker.result(number)));
        let started = Instant::now();
        let stored = database.store(&batch).await?;
        took += started.elapsed();
        anyhow::ensure!(stored.new == count, "each result is a new one: {stored:?}");
        if (made + count) / STEP > made / STEP {
            progress.step();
        }
        made += count;
    }
    Ok(took)
}

/// A question, and how long each answer took, in milliseconds.
type Answers = Vec<(&'static str, Series)>;

async fn ask(
    args: &HistoryArgs,
    database: &Database,
    progress: &Progress,
) -> anyhow::Result<Answers> {
    let class = |name: &str| Some(name.to_owned());
    let camera = |number: u64| format!("camera-{number}").parse().ok();
    let page = Page { limit: 100, after: None };
    let questions: [(&'static str, Filter); 5] = [
        ("the newest 100 frames", Filter::default()),
        ("100 of a camera", Filter { camera: camera(7), ..Filter::default() }),
        ("100 with a person", Filter { class: class("person"), ..Filter::default() }),
        (
            "100 of a camera with a rare class",
            Filter { camera: camera(7), class: class(RARE), ..Filter::default() },
        ),
        ("100 with a confidence of 0.9", Filter { min_confidence: Some(0.9), ..Filter::default() }),
    ];
    progress.begin("questions", (questions.len() + 2) as u64);
    let mut answers = Answers::new();
    for (what, filter) in questions {
        let mut times = Vec::with_capacity(args.questions);
        for _ in 0..args.questions {
            let started = Instant::now();
            database.history(filter.clone(), page).await?;
            times.push(ms(started));
        }
        answers.extend(Series::new(times).map(|times| (what, times)));
        progress.step();
    }
    let (mut counted, mut seen) = (Vec::new(), Vec::new());
    for _ in 0..args.questions {
        let started = Instant::now();
        database.counts(Filter::default(), Bucket::Hour, 10_000).await?;
        counted.push(ms(started));
        let started = Instant::now();
        let dogs = Filter { class: class("dog"), camera: camera(7), ..Filter::default() };
        database.sightings(dogs, Page { limit: 2_000, after: None }).await?;
        seen.push(ms(started));
    }
    answers.extend(Series::new(counted).map(|times| ("a day's counts by the hour", times)));
    answers.extend(Series::new(seen).map(|times| ("2,000 sightings, for events", times)));
    Ok(answers)
}

fn ms(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1000.0
}

fn render(args: &HistoryArgs, stored: Duration, bytes: u64, answers: &Answers) -> Section {
    let per_s = args.results as f64 / stored.as_secs_f64();
    let mb_per_million = bytes as f64 / args.results as f64;
    let timed: Vec<_> = answers
        .iter()
        .map(|(what, times)| json!({"question": what, "ms": times.summary()}))
        .collect();
    let data = json!({
        "results": args.results,
        "batch": args.batch,
        "stored_per_s": per_s,
        "bytes": bytes,
        "answers": timed,
    });
    let mut section = Section::new("history", "Results in a database", data);
    section.paragraph(format!(
        "{}: {} results of {CAMERAS} cameras in transactions of {}",
        args.database, args.results, args.batch
    ));
    let mut table = Grid::new(&["storing", ""]);
    table.row(vec!["results/s".into(), number(per_s)]);
    table.row(vec!["MB per million results".into(), number(mb_per_million)]);
    section.grid(table);
    let mut table = Grid::new(&["answering, ms", "median", "95th percentile"]);
    for (what, times) in answers {
        let [median, high] = [times.median(), times.quantile(0.95)].map(number);
        table.row(vec![(*what).into(), median, high]);
    }
    section.grid(table);
    section
}

/// Makes results up.
struct Maker {
    random: Random,
    first_ms: u64,
    apart_us: u64,
}

impl Maker {
    /// Of yesterday, as many as that.
    fn new(count: u64) -> Self {
        let now = frame::Timestamp::now().as_micros() / 1000;
        Self {
            random: Random::new(1, "results"),
            first_ms: (now / DAY_MS - 1) * DAY_MS,
            apart_us: (DAY_MS * 1000 / count).max(1),
        }
    }

    fn result(&mut self, number: u64) -> FrameResult {
        let at_ms = self.first_ms + number * self.apart_us / 1000;
        let mut bytes = *FrameId::from_then_on(at_ms).as_bytes();
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        (bytes[6], bytes[8]) = (0x70, 0x80);
        let found = (self.random.unit() * 5.0) as usize;
        let mut detections: Vec<Detection> = (0..found).map(|_| self.detection()).collect();
        if number.is_multiple_of(1000) {
            detections.push(Detection { class: RARE.into(), class_id: 5, ..self.detection() });
        }
        detections.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        let destination =
            if number.is_multiple_of(3) { Destination::Cloud } else { Destination::Edge };
        let [preprocess, inference] = [4.0, 30.0].map(|ms| ms * (1.0 + self.random.unit()));
        FrameResult {
            frame_id: FrameId::from_bytes(bytes),
            camera: format!("camera-{}", number % CAMERAS).parse().expect("a name"),
            sequence: number / CAMERAS,
            status: Status::Done,
            error: None,
            image: Some(ImageSize { width: 1280, height: 720 }),
            detections,
            decision: Some(Decision::new(destination, "in-time", "deadline")),
            same_as: None,
            attempt: Some(1),
            hardness: None,
            overtaken_by: None,
            model: Some(ModelInfo {
                name: "yolov3-tiny".into(),
                version: "dccea06f59b7".into(),
                input: "416x416".into(),
                resize: None,
            }),
            served_by: ServedBy {
                unit: format!("{destination}-inference"),
                pod: Some("edge-inference-7d4b9c6f5-x2x7p".into()),
                node: Some("edge-1".into()),
            },
            timings_ms: TimingsMs {
                preprocess: Some(preprocess),
                inference: Some(inference),
                end_to_end: Some(preprocess + inference + 5.0),
                ..TimingsMs::default()
            },
        }
    }

    fn detection(&mut self) -> Detection {
        let class_id = (self.random.unit() * 5.0) as usize;
        let mut side = |most: f64| (self.random.unit() * most) as f32;
        let bounding_box = BoundingBox {
            x: side(1000.0),
            y: side(600.0),
            width: side(280.0),
            height: side(120.0),
        };
        Detection {
            class: CLASSES[class_id].into(),
            class_id: class_id as u32,
            confidence: 0.25 + side(0.75),
            bounding_box,
            zones: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_database_is_filled_and_asked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("results.sqlite");
        let args = HistoryArgs {
            database: DatabaseUrl::Sqlite(file),
            results: 2_500,
            batch: 400,
            questions: 2,
            json: true,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let section = runtime.block_on(measure(&args, &Progress::hidden())).unwrap();
        assert_eq!(section.data["answers"].as_array().unwrap().len(), 7);
        assert!(section.data["bytes"].as_u64().unwrap() > 2_500 * 100);
        let again = runtime.block_on(measure(&args, &Progress::hidden())).err().unwrap();
        assert!(again.to_string().contains("name an empty database"), "{again}");
    }
}
