//! The keys of each section that are not simply read: one table of what they do at inference and
//! of which Darknet knows them.
//!
//! After the option lists of `parser.c` of pjreddie's Darknet (f6afaab) and of AlexeyAB's (with
//! hank-ai's, which goes on from it).

use super::section::Kind;

/// A key of a section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) effect: Effect,
    /// Whether AlexeyAB's Darknet alone knows it.
    pub(super) alexeyab: bool,
}

/// What a key does at inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is read where its section is.
    Read,
    /// Nothing: Darknet reads it for training, or not at all. It is passed over.
    None,
    /// It changes what is found, which is not supported, unless it has this value.
    NoneWith(&'static str),
}

const fn read(name: &'static str) -> Key {
    Key { name, effect: Effect::Read, alexeyab: false }
}

const fn unused(name: &'static str) -> Key {
    Key { name, effect: Effect::None, alexeyab: false }
}

const fn only(name: &'static str, harmless: &'static str) -> Key {
    Key { name, effect: Effect::NoneWith(harmless), alexeyab: false }
}

impl Key {
    const fn alexeyab(self) -> Self {
        Self { alexeyab: true, ..self }
    }
}

/// The keys of a section, without those that every Darknet reads and so do we.
pub(super) fn of(section: Kind) -> impl Iterator<Item = &'static Key> + Clone {
    let (own, any): (&[Key], &[Key]) = match section {
        Kind::Net => (NET, &[]),
        Kind::Convolutional => (CONVOLUTIONAL, LAYER),
        Kind::MaxPool => (MAX_POOL, LAYER),
        Kind::Route => (ROUTE, LAYER),
        Kind::Shortcut => (SHORTCUT, LAYER),
        Kind::Upsample => (UPSAMPLE, LAYER),
        Kind::Dropout => (DROPOUT, LAYER),
        Kind::Empty => (&[], LAYER),
        Kind::Yolo => (YOLO, LAYER),
    };
    own.iter().chain(any)
}

/// The optimiser, its schedule, and how training images are varied.
const NET: &[Key] = &[
    read("letter_box").alexeyab(),
    // how many images a training step takes; inference chooses its own batch
    unused("batch"),
    unused("subdivisions"),
    unused("mini_batch"),
    unused("sequential_subdivisions"),
    unused("init_sequential_subdivisions"),
    // of recurrent layers, none of which is supported
    unused("time_steps"),
    unused("track"),
    unused("augment_speed"),
    unused("dynamic_minibatch").alexeyab(),
    // the optimiser
    unused("momentum"),
    unused("decay"),
    unused("adam"),
    unused("B1"),
    unused("B2"),
    unused("eps"),
    unused("loss_scale").alexeyab(),
    unused("ema_alpha").alexeyab(),
    unused("clip"),
    unused("adversarial_lr").alexeyab(),
    unused("try_fix_nan"),
    unused("weights_reject_freq"),
    // its schedule
    unused("learning_rate"),
    unused("learning_rate_min").alexeyab(),
    unused("burn_in"),
    unused("power"),
    unused("max_batches"),
    unused("policy"),
    unused("step"),
    unused("steps"),
    unused("scale"),
    unused("scales"),
    unused("gamma"),
    unused("sgdr_cycle").alexeyab(),
    unused("sgdr_mult").alexeyab(),
    unused("batches_per_cycle").alexeyab(),
    unused("batches_cycle_mult").alexeyab(),
    unused("seq_scales"),
    unused("init_delay"),
    // how training images are varied
    unused("angle"),
    unused("aspect"),
    unused("saturation"),
    unused("exposure"),
    unused("hue"),
    unused("flip").alexeyab(),
    unused("mosaic").alexeyab(),
    unused("mosaic_bound").alexeyab(),
    unused("gaussian_noise").alexeyab(),
    unused("mixup").alexeyab(),
    unused("cutmix").alexeyab(),
    unused("blur").alexeyab(),
    unused("max_crop"),
    unused("min_crop"),
    unused("max_ratio"),
    unused("min_ratio"),
    unused("center"),
    unused("random"),
    unused("notruth"),
    unused("resize_step").alexeyab(),
    unused("label_smooth_eps").alexeyab(),
    unused("badlabels_rejection_percentage"),
    unused("badlabels_reject_threshold"),
    unused("num_sigmas_reject_badlabels"),
    unused("equidistant_point"),
    unused("contrastive").alexeyab(),
    unused("contrastive_jit_flip"),
    unused("contrastive_color"),
    unused("unsupervised").alexeyab(),
    unused("attention"),
    // what is drawn
    unused("max_chart_loss").alexeyab(),
    unused("show_receptive_field"),
    // memory on a GPU
    unused("optimized_memory").alexeyab(),
    unused("workspace_size_limit_MB").alexeyab(),
    unused("use_cuda_graph").alexeyab(),
];

/// Any layer.
const LAYER: &[Key] = &[
    // where and how fast training goes on
    unused("stopbackward"),
    unused("learning_rate"),
    unused("dontsave"),
    unused("onlyforward"),
    unused("train_only_bn"),
    unused("burnin_update"),
    unused("truth"),
    unused("smooth"),
    unused("clip"),
    // what is not loaded is not in the file, or stays random
    only("dontload", "0"),
    only("dontloadscales", "0"),
    only("numload", "0"),
];

const CONVOLUTIONAL: &[Key] = &[
    read("stride_x").alexeyab(),
    read("stride_y").alexeyab(),
    read("dilation").alexeyab(),
    read("cbn").alexeyab(),
    // regularisation, and what holds with `xnor` alone
    unused("dot"),
    unused("grad_centr"),
    unused("reverse"),
    unused("assisted_excitation").alexeyab(),
    unused("bin_output"),
    only("binary", "0"),
    only("xnor", "0"),
    only("flipped", "0"),
    only("antialiasing", "0").alexeyab(),
    only("share_index", "-1000000000").alexeyab(),
    only("coordconv", "0"),
    only("deform", "0"),
    only("rotate", "0"),
    only("stretch", "0"),
    only("stretch_sway", "0"),
    only("sway", "0"),
];

const MAX_POOL: &[Key] = &[
    read("stride_x").alexeyab(),
    read("stride_y").alexeyab(),
    // what holds with `maxpool_depth` alone
    unused("out_channels"),
    only("maxpool_depth", "0").alexeyab(),
    only("antialiasing", "0").alexeyab(),
];

const ROUTE: &[Key] = &[read("groups").alexeyab(), read("group_id").alexeyab()];

const SHORTCUT: &[Key] = &[
    only("alpha", "1"),
    only("beta", "1"),
    only("weights_type", "none").alexeyab(),
    // how weights are normalised, which `weights_type=none` has none of
    unused("weights_normalization").alexeyab(),
];

const UPSAMPLE: &[Key] = &[only("scale", "1")];

/// How much is dropped while training; inference drops nothing.
const DROPOUT: &[Key] = &[
    unused("probability"),
    unused("dropblock").alexeyab(),
    unused("dropblock_size_rel").alexeyab(),
    unused("dropblock_size_abs").alexeyab(),
];

/// The loss, and the objects that a training image may have.
const YOLO: &[Key] = &[
    read("scale_x_y").alexeyab(),
    read("nms_kind").alexeyab(),
    // the boxes would have to be read in another way
    only("new_coords", "0").alexeyab(),
    // which boxes the loss takes up
    unused("ignore_thresh"),
    unused("truth_thresh"),
    unused("iou_thresh").alexeyab(),
    unused("iou_thresh_kind").alexeyab(),
    // the loss itself
    unused("iou_loss").alexeyab(),
    unused("iou_normalizer").alexeyab(),
    unused("cls_normalizer").alexeyab(),
    unused("obj_normalizer").alexeyab(),
    unused("delta_normalizer").alexeyab(),
    unused("max_delta").alexeyab(),
    unused("label_smooth_eps").alexeyab(),
    unused("focal_loss").alexeyab(),
    unused("objectness_smooth").alexeyab(),
    unused("counters_per_class").alexeyab(),
    unused("classes_multipliers").alexeyab(),
    // sizes and positions while training
    unused("jitter"),
    unused("random"),
    unused("resize").alexeyab(),
    // objects of a training image
    unused("max"),
    unused("max_boxes"),
    // the second threshold of distance-IoU suppression, which `nms_kind` does not choose here
    unused("beta_nms").alexeyab(),
    // another numbering of the classes, for judging against COCO's
    unused("map"),
    // tracking objects from frame to frame, and what is printed
    unused("embedding_layer"),
    unused("track_history_size"),
    unused("sim_thresh"),
    unused("dets_for_track"),
    unused("dets_for_show"),
    unused("track_ciou_norm"),
    unused("show_details"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_section_has_a_key_twice() {
        for section in Kind::ALL {
            let mut names: Vec<&str> = of(*section).map(|key| key.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{section:?}");
        }
    }
}
