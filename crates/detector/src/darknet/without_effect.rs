//! The keys that Darknet reads for training, or not at all, listed one by one: passing over them cannot change what is found.

/// `[net]`: the optimiser, its schedule, and how training images are varied.
pub(crate) const NET: &[&str] = &[
    // how many images a training step takes; inference chooses its own batch
    "batch",
    "subdivisions",
    "dynamic_minibatch",
    // the optimiser
    "momentum",
    "decay",
    "adam",
    "B1",
    "B2",
    "eps",
    "loss_scale",
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
    // how training images are varied
    "angle",
    "aspect",
    "saturation",
    "exposure",
    "hue",
    "flip",
    "mosaic",
    "mixup",
    "cutmix",
    "blur",
    "max_crop",
    "min_crop",
    // memory on a GPU
    "optimized_memory",
    "workspace_size_limit_MB",
];

/// Any layer: where and how fast training goes on.
const LAYER: &[&str] = &["stopbackward", "learning_rate", "dontsave", "onlyforward", "train_only_bn", "burnin_update"];

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
    // sizes and positions while training
    "jitter",
    "random",
    "resize",
    // objects of a training image
    "max",
    "max_boxes",
    // the second threshold of distance-IoU suppression, which `nms_kind` does not choose here
    "beta_nms",
];

/// `[dropout]`: how much is dropped while training; inference drops nothing.
const DROPOUT: &[&str] = &["probability", "dropblock", "dropblock_size_rel", "dropblock_size_abs"];

/// The keys without effect in a layer's section.
pub(crate) fn of_layer(section: &str) -> Vec<&'static str> {
    let own = match section {
        "yolo" => YOLO,
        "dropout" => DROPOUT,
        _ => &[],
    };
    [LAYER, own].concat()
}
