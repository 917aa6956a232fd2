//! Judging whoever decides: a run, and what it came to.

use crate::{Deciding, Dispatcher, History, Report, World, simulate};
use offload::{Policy, PolicyConfig};

/// How somebody did.
#[derive(Clone, PartialEq, Debug)]
pub struct Judgement {
    /// In numbers.
    pub report: Report,
    /// What happened to each frame.
    pub history: History,
}

/// Sends every frame of a world where `dispatcher` says; `progress` hears of each frame that has
/// come in.
pub fn judge(
    world: World<'_>,
    dispatcher: &mut dyn Dispatcher,
    progress: &mut dyn FnMut(),
) -> Judgement {
    let history = simulate(world, dispatcher, progress);
    Judgement { report: Report::of(&history, world.scenario), history }
}

/// The same with a policy of the caller's own. Guards, prices and priors are those of `config`; the
/// policy that it names does not count. The policy is used up, since it learns: each run gets a
/// new one.
pub fn judge_policy(
    world: World<'_>,
    policy: Box<dyn Policy>,
    config: &PolicyConfig,
    progress: &mut dyn FnMut(),
) -> Judgement {
    judge(world, &mut Deciding::by(policy, config, world.scenario.seed), progress)
}
