//! How much each measure wins over many random halvings.

use super::exam::Exam;
use super::halves::Halves;
use super::measures::Kind;
use super::{CascadeArgs, count_of};
use cli::table::Table;

/// Halves whose tiers are nearer to each other than this are left out: a share of next to nothing
/// tells nothing. Two points.
const LEAST_GAP: f64 = 0.02;

/// How much of the way from edge to cloud is won, by half.
pub(super) struct Splits {
    /// Name and shares, in the order of the measures; then chance and hindsight.
    pub(super) rows: Vec<(String, Vec<f64>)>,
    /// How many halves were left out.
    pub(super) left_out: usize,
}

impl Splits {
    /// Fits each measure on one half and judges it on the other, both ways, `args.splits` times.
    pub(super) fn of(
        exam: &Exam<'_>,
        all: &[usize],
        kinds: &[Kind],
        args: &CascadeArgs,
    ) -> anyhow::Result<Self> {
        let names = kinds.iter().map(|kind| kind.name());
        let names = names.chain(["(by chance)".to_owned(), "(in hindsight)".to_owned()]);
        let mut rows: Vec<(String, Vec<f64>)> = names.map(|name| (name, Vec::new())).collect();
        let mut left_out = 0;
        for split in 0..args.splits {
            let halves = Halves::random(all, args.seed.wrapping_add(split as u64))?;
            for half in halves.both_ways() {
                let (edge, cloud) = exam.ends(half.judged)?;
                if cloud - edge < LEAST_GAP {
                    left_out += 1;
                    continue;
                }
                let count = count_of(args.share, half.judged.len());
                let quality = |order: &[usize]| exam.quality(half.judged, &order[..count]);
                let mut won = Vec::with_capacity(rows.len());
                for kind in kinds {
                    let hardness = kind.fit(exam, half.fitted, args.share)?;
                    won.push(quality(&exam.hardest_first(&hardness, half.judged)));
                }
                won.push(exam.by_chance(half.judged, count));
                won.push(quality(&exam.in_hindsight(half.judged)));
                for ((_, shares), won) in rows.iter_mut().zip(won) {
                    shares.push((won - edge) / (cloud - edge));
                }
            }
        }
        Ok(Self { rows, left_out })
    }

    pub(super) fn print(&self, args: &CascadeArgs) {
        println!(
            "\n{} halvings at random, both ways: how much of the way is won at {} % sent on",
            args.splits,
            args.share * 100.0
        );
        let mut table = Table::new(&["measure", "mean", "10 %", "median", "90 %", "at least half"]);
        for (name, shares) in &self.rows {
            let mut sorted = shares.clone();
            sorted.sort_by(f64::total_cmp);
            let shown = |share: Option<f64>| {
                share.map_or("-".into(), |share| format!("{:.0} %", share * 100.0 + 0.0))
            };
            let half = sorted.iter().filter(|won| **won >= 0.5).count();
            table.row(vec![
                name.clone(),
                shown(mean(&sorted)),
                shown(quantile(&sorted, 0.1)),
                shown(quantile(&sorted, 0.5)),
                shown(quantile(&sorted, 0.9)),
                format!("{half} of {}", sorted.len()),
            ]);
        }
        print!("{}", table.text());
        if self.left_out > 0 {
            println!(
                "{} of {} halves are left out, where the cloud is less than {} points better than \
                 the edge",
                self.left_out,
                2 * args.splits,
                LEAST_GAP * 100.0
            );
        }
    }
}

/// `None` of nothing.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// By nearest rank, of sorted values; `None` of nothing.
pub(super) fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((q * last as f64).round() as usize).copied()
}
