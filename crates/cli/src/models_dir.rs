//! Where the descriptions of models are.

use clap::Args;
use std::path::PathBuf;

// the option of every command line that reads descriptions of models
#[allow(missing_docs, reason = "a doc comment would become the command's own description")]
#[derive(Args, Clone, Debug)]
pub struct ModelsDir {
    /// The folder of model descriptions (*.toml)
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "MLVI_MODELS_DIR",
        default_value = "models"
    )]
    pub models_dir: PathBuf,
}
