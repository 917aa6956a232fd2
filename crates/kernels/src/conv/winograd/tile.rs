//! The transforms of Winograd's minimal filtering in one dimension.
//!
//! Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2015), arXiv
//! 1509.09308, section 4: the matrices Bᵀ, G and Aᵀ.

use crate::conv::lanes::Lanes;

/// F(`OUT`, 3): `OUT` outputs of a kernel of 3 from `IN` = `OUT` + 2 inputs.
pub(super) trait Tile<const IN: usize, const OUT: usize> {
    /// Bᵀ, of inputs.
    fn input<L: Lanes>(token: L::Token, d: [L; IN]) -> [L; IN];
    /// Aᵀ, of products.
    fn output<L: Lanes>(token: L::Token, m: [L; IN]) -> [L; OUT];
    /// G, of weights, in double precision since that is done once.
    fn kernel(g: [f64; 3]) -> [f64; IN];
}

pub(super) struct F2;
pub(super) struct F4;

impl Tile<4, 2> for F2 {
    #[inline(always)]
    fn input<L: Lanes>(_: L::Token, [d0, d1, d2, d3]: [L; 4]) -> [L; 4] {
        [d0.sub(d2), d1.add(d2), d2.sub(d1), d1.sub(d3)]
    }

    #[inline(always)]
    fn output<L: Lanes>(_: L::Token, [m0, m1, m2, m3]: [L; 4]) -> [L; 2] {
        [m0.add(m1).add(m2), m1.sub(m2).sub(m3)]
    }

    fn kernel([g0, g1, g2]: [f64; 3]) -> [f64; 4] {
        [g0, (g0 + g1 + g2) / 2.0, (g0 - g1 + g2) / 2.0, g2]
    }
}

impl Tile<6, 4> for F4 {
    #[inline(always)]
    fn input<L: Lanes>(token: L::Token, [d0, d1, d2, d3, d4, d5]: [L; 6]) -> [L; 6] {
        let number = |value| L::splat(token, value);
        let even = number(-4.0).mul_add(d2, d4);
        let odd = number(-4.0).mul_add(d1, d3);
        let (difference, doubled) = (d4.sub(d2), d3.sub(d1).mul(number(2.0)));
        [
            number(4.0).mul_add(d0, number(-5.0).mul_add(d2, d4)),
            even.add(odd),
            even.sub(odd),
            difference.add(doubled),
            difference.sub(doubled),
            number(4.0).mul_add(d1, number(-5.0).mul_add(d3, d5)),
        ]
    }

    #[inline(always)]
    fn output<L: Lanes>(token: L::Token, [m0, m1, m2, m3, m4, m5]: [L; 6]) -> [L; 4] {
        let number = |value| L::splat(token, value);
        let (near, far) = (m1.add(m2), m3.add(m4));
        let (near_odd, far_odd) = (m1.sub(m2), m3.sub(m4));
        [
            m0.add(near).add(far),
            number(2.0).mul_add(far_odd, near_odd),
            number(4.0).mul_add(far, near),
            number(8.0).mul_add(far_odd, near_odd).add(m5),
        ]
    }

    fn kernel([g0, g1, g2]: [f64; 3]) -> [f64; 6] {
        let (ends, middle) = (g0 + g2, g1);
        let (far, far_middle) = (g0 / 24.0 + g2 / 6.0, g1 / 12.0);
        [
            g0 / 4.0,
            -(ends + middle) / 6.0,
            -(ends - middle) / 6.0,
            far + far_middle,
            far - far_middle,
            g2,
        ]
    }
}
