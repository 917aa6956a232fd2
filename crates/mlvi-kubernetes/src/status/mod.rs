//! `mlvi status`: the units that run, their pods, autoscalers and lag, and which tier gets how
//! much.

mod gather;
mod rows;
mod show;
#[cfg(test)]
mod tests;

use anyhow::Context;
use clap::Args;
use cli::UsageError;
use cluster_inspect::{InspectConfig, Inspector};
use gather::{Admin, Observation};
use rows::Status;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What `mlvi status` is told.
///
/// In a cluster everything comes from Kubernetes' API: Deployments, autoscalers, and the metrics of
/// pods through its pod proxy. What its roles refuse is said once and left out. Outside of
/// Kubernetes, `--admin` names the units' admin ports.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// The namespace
    #[arg(long, short, value_name = "NAME", conflicts_with = "admin", default_value = "mlvi")]
    namespace: String,
    /// The context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", conflicts_with = "admin")]
    context: Option<String>,
    /// The kubeconfig [default: what KUBECONFIG names, ~/.kube/config, or a pod's own service
    /// account]
    #[arg(long, value_name = "FILE", conflicts_with = "admin")]
    kubeconfig: Option<PathBuf>,
    /// Ask these admin ports instead of a cluster, e.g. http://localhost:9600 or edge-inference=http://localhost:9603; separated by
    /// commas
    #[arg(long, value_name = "[UNIT=]URL", value_delimiter = ',')]
    admin: Vec<String>,
    /// The units' admin port in their pods
    #[arg(long, value_name = "PORT", default_value_t = 9600)]
    admin_port: u16,
    /// For how long frames are counted, in seconds
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    over_s: f64,
    /// Show it again and again, until interrupted
    #[arg(long)]
    watch: bool,
    /// Print JSON instead of a table; with --watch one object a line
    #[arg(long)]
    json: bool,
}

/// Where it is read from.
enum Source {
    Cluster(Box<Inspector>, u16),
    Admin(Vec<Admin>),
}

/// Shows it.
///
/// # Errors
/// When there is no cluster to ask and no admin port, or none of them answers.
pub fn run(args: &StatusArgs) -> anyhow::Result<()> {
    if !(0.1..=600.0).contains(&args.over_s) {
        return Err(
            UsageError::new(format!("--over-s is {}: it must be 0.1 to 600", args.over_s)).into()
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the async runtime")?;
    runtime.block_on(follow(args))
}

async fn follow(args: &StatusArgs) -> anyhow::Result<()> {
    let source = source(args).await?;
    let mut told = BTreeSet::new();
    let mut before = source.see().await;
    let mut began = Instant::now();
    if before.is_blind() {
        anyhow::bail!("nothing can be seen: {}", before.troubles.join("; "));
    }
    loop {
        tokio::time::sleep(Duration::from_secs_f64(args.over_s)).await;
        let now = source.see().await;
        let status = Status::between(&before, &now, began.elapsed());
        began = Instant::now();
        // each trouble once, however often it is met
        for trouble in now.troubles.iter().filter(|trouble| told.insert((*trouble).clone())) {
            eprintln!("note: {trouble}");
        }
        if args.json {
            println!(
                "{}",
                if args.watch {
                    serde_json::to_string(&status)?
                } else {
                    serde_json::to_string_pretty(&status)?
                }
            );
        } else {
            print!("{}", show::table(&status));
        }
        if !args.watch {
            return Ok(());
        }
        if !args.json {
            println!();
        }
        before = now;
    }
}

async fn source(args: &StatusArgs) -> anyhow::Result<Source> {
    if !args.admin.is_empty() {
        return Ok(Source::Admin(
            args.admin.iter().map(|text| Admin::parse(text)).collect::<Result<_, _>>()?,
        ));
    }
    let StatusArgs { kubeconfig, context, namespace, .. } = args;
    let config = InspectConfig {
        kubeconfig: kubeconfig.clone(),
        context: context.clone(),
        namespace: Some(namespace.clone()),
    };
    let inspector = Inspector::new(&config).await.map_err(|error| {
        anyhow::anyhow!(
            "no cluster to ask: {}; give --kubeconfig or --context, or --admin URL for units \
             outside of Kubernetes",
            text::with_causes(&error)
        )
    })?;
    Ok(Source::Cluster(Box::new(inspector), args.admin_port))
}

impl Source {
    async fn see(&self) -> Observation {
        match self {
            Self::Cluster(inspector, port) => gather::from_cluster(inspector, *port).await,
            Self::Admin(ports) => gather::from_admin(ports).await,
        }
    }
}
