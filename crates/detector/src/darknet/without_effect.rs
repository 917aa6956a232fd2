//! What keys do at inference that are not read elsewhere: those that Darknet reads for training, or
//! not at all, listed one by one, are passed over; those that change what is found may have only
//! the value with which they do not.
//!
//! After the option lists of `parser.c` of pjreddie's Darknet (f6afaab) and of AlexeyAB's.

use super::syntax::{Problem, Section};

/// `[net]`: the optimiser, its schedule, and how training images are varied.
pub(crate) const NET: &[&str] = &[
    // how many images a training step takes; inference chooses its own batch
    "batch",
    "subdivisions",
    "mini_batch",
    "sequential_subdivisions",
    "init_sequential_subdivisions",
    // of recurrent layers, none of which is supported
    "time_steps",
    "track",
    "augment_speed",
    "dynamic_minibatch",
    // the optimiser
    "momentum",
    "decay",
    "adam",
    "B1",
    "B2",
    "eps",
    "loss_scale",
    "ema_alpha",
    "clip",
    "adversarial_lr",
    "try_fix_nan",
    "weights_reject_freq",
    // its schedule
    "learning_rate",
    "learning_rate_min",
    "burn_in",
    "power",
    "max_batches",
    "policy",
    "step",
    "steps",
    "scale",
    "scales",
    "gamma",
    "sgdr_cycle",
    "sgdr_mult",
    "batches_per_cycle",
    "batches_cycle_mult",
    "seq_scales",
    "init_delay",
    // how training images are varied
    "angle",
    "aspect",
    "saturation",
    "exposure",
    "hue",
    "flip",
    "mosaic",
    "mosaic_bound",
    "gaussian_noise",
    "mixup",
    "cutmix",
    "blur",
    "max_crop",
    "min_crop",
    "max_ratio",
    "min_ratio",
    "center",
    "random",
    "notruth",
    "resize_step",
    "label_smooth_eps",
    "badlabels_rejection_percentage",
    "badlabels_reject_threshold",
    "num_sigmas_reject_badlabels",
    "equidistant_point",
    "contrastive",
    "contrastive_jit_flip",
    "contrastive_color",
    "unsupervised",
    "attention",
    // what is drawn
    "max_chart_loss",
    "show_receptive_field",
    // memory on a GPU
    "optimized_memory",
    "workspace_size_limit_MB",
    "use_cuda_graph",
];

/// Any layer: where and how fast training goes on.
const LAYER: &[&str] = &[
    "stopbackward",
    "learning_rate",
    "dontsave",
    "onlyforward",
    "train_only_bn",
    "burnin_update",
    "truth",
    "smooth",
    "clip",
];

/// `[yolo]`: the loss, and the objects that a training image may have.
const YOLO: &[&str] = &[
    // which boxes the loss takes up
    "ignore_thresh",
    "truth_thresh",
    "iou_thresh",
    "iou_thresh_kind",
    // the loss itself
    "iou_loss",
    "iou_normalizer",
    "cls_normalizer",
    "obj_normalizer",
    "delta_normalizer",
    "max_delta",
    "label_smooth_eps",
    "focal_loss",
    "objectness_smooth",
    "counters_per_class",
    "classes_multipliers",
    // sizes and positions while training
    "jitter",
    "random",
    "resize",
    // objects of a training image
    "max",
    "max_boxes",
    // the second threshold of distance-IoU suppression, which `nms_kind` does not choose here
    "beta_nms",
    // another numbering of the classes, for judging against COCO's
    "map",
    // tracking objects from frame to frame, and what is printed
    "embedding_layer",
    "track_history_size",
    "sim_thresh",
    "dets_for_track",
    "dets_for_show",
    "track_ciou_norm",
    "show_details",
];

/// `[convolutional]`: regularisation, and what holds with `xnor` alone.
const CONVOLUTION: &[&str] = &["dot", "grad_centr", "reverse", "assisted_excitation", "bin_output"];

/// What holds with `maxpool_depth` alone.
const MAX_POOL: &[&str] = &["out_channels"];

/// How weights are normalised, which `weights_type=none` has none of.
const SHORTCUT: &[&str] = &["weights_normalization"];

/// `[dropout]`: how much is dropped while training; inference drops nothing.
const DROPOUT: &[&str] = &["probability", "dropblock", "dropblock_size_rel", "dropblock_size_abs"];

/// The keys without effect in a layer's section.
pub(crate) fn of_layer(section: &str) -> Vec<&'static str> {
    let own = match section {
        "yolo" => YOLO,
        "dropout" => DROPOUT,
        "convolutional" | "conv" => CONVOLUTION,
        "maxpool" | "max" => MAX_POOL,
        "shortcut" => SHORTCUT,
        _ => &[],
    };
    [LAYER, own].concat()
}

/// Takes out the keys that change the result in ways that are not supported.
///
/// # Errors
/// Names the first one that has another value than the one with which it does nothing.
pub(crate) fn refuse(section: &mut Section) -> Result<(), Problem> {
    let own: &[(&str, &str)] = match section.name.as_str() {
        "convolutional" | "conv" => &[
            ("binary", "0"),
            ("xnor", "0"),
            ("flipped", "0"),
            ("antialiasing", "0"),
            ("share_index", "-1000000000"),
            ("coordconv", "0"),
            ("deform", "0"),
            ("rotate", "0"),
            ("stretch", "0"),
            ("stretch_sway", "0"),
            ("sway", "0"),
        ],
        "maxpool" | "max" => &[("maxpool_depth", "0"), ("antialiasing", "0")],
        "shortcut" => &[("alpha", "1"), ("beta", "1"), ("weights_type", "none")],
        "upsample" => &[("scale", "1")],
        // the boxes would have to be read in another way
        "yolo" => &[("new_coords", "0")],
        _ => &[],
    };
    // what is not loaded is not in the file, or stays random
    let any = [("dontload", "0"), ("dontloadscales", "0"), ("numload", "0")];
    own.iter().chain(&any).try_for_each(|(key, harmless)| section.only(key, harmless))
}
