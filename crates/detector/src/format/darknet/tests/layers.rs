//! Each kind of layer gives what Darknet's gives.

use super::plain::Convolution;
use super::{Dice, assert_layers};

/// A convolution with random numbers; all strides 1, padding that keeps the size, one group.
fn convolution(filters: usize, channels: usize, size: usize, batch_normalize: bool) -> Convolution {
    let mut dice = Dice(filters as u32 * 31 + size as u32);
    let biases = dice.list(filters);
    let normalization = batch_normalize.then(|| {
        let variances = (0..filters).map(|_| dice.next().abs() + 0.1).collect();
        [dice.list(filters), dice.list(filters), variances]
    });
    let kernel = dice.list(filters * channels * size * size);
    Convolution {
        filters,
        size,
        strides: (1, 1),
        dilation: 1,
        padding: size / 2,
        groups: 1,
        biases,
        normalization,
        kernel,
    }
}

/// Three channels to six, cell by cell: what the other kinds of layer are tried on.
fn spread() -> (Convolution, &'static str) {
    (convolution(6, 3, 1, false), "[convolutional]\nfilters=6\nactivation=linear\n")
}

#[test]
fn convolutions_of_every_shape() {
    let plain = || convolution(6, 3, 3, false);
    let cases = [
        (Convolution { padding: 0, ..plain() }, ""),
        (plain(), "pad=1"),
        (Convolution { padding: 2, ..plain() }, "padding=2"),
        (plain(), "pad=1\npadding=2"),
        (Convolution { strides: (2, 2), ..plain() }, "pad=1\nstride=2"),
        (Convolution { strides: (3, 2), ..plain() }, "pad=1\nstride_y=3\nstride_x=2"),
        (Convolution { strides: (2, 3), padding: 0, ..plain() }, "stride=2\nstride_x=3"),
        (Convolution { dilation: 2, padding: 2, ..plain() }, "pad=1\ndilation=2"),
        (Convolution { groups: 3, ..convolution(6, 1, 3, false) }, "pad=1\ngroups=3"),
        (
            Convolution { groups: 3, strides: (2, 2), ..convolution(6, 1, 3, true) },
            "pad=1\ngroups=3\nstride=2\nbatch_normalize=1",
        ),
        (convolution(6, 3, 3, true), "pad=1\nbatch_normalize=1"),
        (convolution(6, 3, 5, true), "pad=1\nbatch_normalize=1\nsize=5"),
        (convolution(6, 3, 1, true), "pad=1\nbatch_normalize=1\nsize=1"),
        // an even size with pad=1 puts one cell more than it takes
        (convolution(6, 3, 2, false), "pad=1\nsize=2"),
    ];
    for (plain, keys) in cases {
        let size = if keys.contains("size") { "" } else { "size=3\n" };
        let layers = format!("[convolutional]\nfilters=6\nactivation=linear\n{size}{keys}\n");
        for sides in [(9, 7), (8, 8), (12, 10)] {
            assert_layers(&layers, &plain.file_order(), sides, |image| image.convolved(&plain));
        }
    }
}

#[test]
fn wide_images_take_the_same_road() {
    // tract lowers convolutions of long rows and of few channels in other ways
    let plain = convolution(6, 3, 3, true);
    let layers = "[convolutional]\nfilters=6\nsize=3\npad=1\nbatch_normalize=1\nactivation=leaky\n";
    assert_layers(layers, &plain.file_order(), (150, 6), |image| {
        image.convolved(&plain).mapped(|x| if x > 0.0 { x } else { 0.1 * x })
    });
}

#[test]
fn convolutions_follow_one_another_in_file_order() {
    let (first, second) = (convolution(4, 3, 3, true), convolution(6, 4, 1, false));
    let layers = "[convolutional]\nfilters=4\nsize=3\npad=1\nbatch_normalize=1\nactivation=leaky\n\
                  [convolutional]\nfilters=6\nactivation=linear\n";
    let numbers = [first.file_order(), second.file_order()].concat();
    assert_layers(layers, &numbers, (9, 8), |image| {
        image.convolved(&first).mapped(|x| if x > 0.0 { x } else { 0.1 * x }).convolved(&second)
    });
}

#[test]
fn depthwise_chains_of_many_channels() {
    // 32 channels, each filtered by itself, between two convolutions of single cells: tract may
    // turn the layout around here
    let wide = convolution(32, 3, 1, true);
    let own = Convolution { groups: 32, ..convolution(32, 1, 3, true) };
    let narrow = convolution(6, 32, 1, true);
    let layers = "[convolutional]\nfilters=32\nbatch_normalize=1\nactivation=relu\n\
                  [convolutional]\nfilters=32\ngroups=32\nsize=3\npad=1\nbatch_normalize=1\n\
                  activation=relu\n\
                  [convolutional]\nfilters=6\nbatch_normalize=1\nactivation=linear\n";
    let numbers = [wide.file_order(), own.file_order(), narrow.file_order()].concat();
    let relu = |x: f32| x.max(0.0);
    assert_layers(layers, &numbers, (9, 8), |image| {
        image.convolved(&wide).mapped(relu).convolved(&own).mapped(relu).convolved(&narrow)
    });
}

#[test]
fn every_activation() {
    let (plain, _) = spread();
    // large inputs too, where exponentials overflow when they are written carelessly
    let plain = Convolution { kernel: plain.kernel.iter().map(|x| x * 90.0).collect(), ..plain };
    let logistic = |x: f32| 1.0 / (1.0 + (-x).exp());
    let cases: [(&str, &dyn Fn(f32) -> f32); 10] = [
        ("activation=linear", &|x| x),
        ("activation=leaky", &|x| if x > 0.0 { x } else { 0.1 * x }),
        ("activation=relu", &|x| x.max(0.0)),
        ("activation=relu6", &|x| x.clamp(0.0, 6.0)),
        ("activation=elu", &|x| if x > 0.0 { x } else { x.exp() - 1.0 }),
        ("activation=logistic", &logistic),
        // what Darknet takes when none is named
        ("", &logistic),
        ("activation=tanh", &f32::tanh),
        ("activation=swish", &|x| x * logistic(x)),
        ("activation=mish", &|x| x * (if x > 20.0 { x } else { x.exp().ln_1p() }).tanh()),
    ];
    for (key, function) in cases {
        let layers = format!("[convolutional]\nfilters=6\n{key}\n");
        assert_layers(&layers, &plain.file_order(), (9, 5), |image| {
            image.convolved(&plain).mapped(function)
        });
    }
}

#[test]
fn max_pools_by_darknets_padding_rule() {
    let (plain, spread) = spread();
    let cases = [
        ("size=2\nstride=2", 2, (2, 2), 1),
        ("size=2\nstride=1", 2, (1, 1), 1),
        ("stride=2", 2, (2, 2), 1),
        ("size=3\nstride=1", 3, (1, 1), 2),
        ("size=5\nstride=1", 5, (1, 1), 4),
        ("size=9\nstride=1", 9, (1, 1), 8),
        ("size=3\nstride=2", 3, (2, 2), 2),
        ("size=2\nstride=2\npadding=0", 2, (2, 2), 0),
        ("size=3\nstride=2\npadding=1", 3, (2, 2), 1),
        ("size=3\nstride_x=1\nstride_y=2", 3, (2, 1), 2),
        ("size=1\nstride=2", 1, (2, 2), 0),
    ];
    for (keys, size, strides, padding) in cases {
        for sides in [(9, 7), (8, 10), (13, 13), (150, 6)] {
            let layers = format!("{spread}[maxpool]\n{keys}\n");
            assert_layers(&layers, &plain.file_order(), sides, |image| {
                image.convolved(&plain).pooled(size, strides, padding)
            });
        }
    }
}

#[test]
fn routes_of_one_of_many_and_of_groups() {
    let (plain, spread) = spread();
    let half = convolution(3, 6, 3, false);
    let narrow = "[convolutional]\nfilters=3\nsize=3\npad=1\nactivation=linear\n";
    let numbers = [plain.file_order(), half.file_order()].concat();
    let layers = format!("{spread}{narrow}[route]\nlayers=-2\n");
    assert_layers(&layers, &numbers, (9, 7), |image| image.convolved(&plain));
    // the second half of the first layer's channels, and of both once more
    let layers =
        format!("{spread}{narrow}[route]\nlayers=0\ngroups=2\ngroup_id=1\n[route]\nlayers=-1, 1\n");
    assert_layers(&layers, &numbers, (9, 7), |image| {
        let wide = image.convolved(&plain);
        wide.channels_from(3, 3).and(&wide.convolved(&half))
    });
    let layers = format!(
        "{spread}{narrow}[route]\nlayers=-2,-1\ngroups=3\ngroup_id=2\n[route]\nlayers=-1,1\n"
    );
    assert_layers(&layers, &numbers, (9, 7), |image| {
        let wide = image.convolved(&plain);
        let narrow = wide.convolved(&half);
        wide.channels_from(4, 2).and(&narrow.channels_from(2, 1)).and(&narrow)
    });
}

#[test]
fn shortcuts_add_and_then_activate() {
    let (plain, spread) = spread();
    let again = convolution(6, 6, 3, true);
    let middle = "[convolutional]\nfilters=6\nsize=3\npad=1\nbatch_normalize=1\n\
                  activation=linear\n[dropout]\nprobability=.5\n";
    let numbers = [plain.file_order(), again.file_order()].concat();
    for (key, function) in [
        ("", (|x| x) as fn(f32) -> f32),
        ("activation=leaky", |x| if x > 0.0 { x } else { 0.1 * x }),
    ] {
        let layers = format!("{spread}{middle}[shortcut]\nfrom=-3\n{key}\n");
        assert_layers(&layers, &numbers, (9, 7), |image| {
            let first = image.convolved(&plain);
            first.convolved(&again).plus(&first).mapped(function)
        });
    }
}

#[test]
fn upsampling_repeats_each_value() {
    let (plain, spread) = spread();
    for (keys, stride) in [("", 2), ("stride=2", 2), ("stride=3", 3), ("stride=1", 1)] {
        let layers = format!("{spread}[upsample]\n{keys}\n");
        assert_layers(&layers, &plain.file_order(), (5, 4), |image| {
            image.convolved(&plain).upsampled(stride)
        });
    }
}
