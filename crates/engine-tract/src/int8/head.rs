//! The last convolution of a branch, whose sums leave the network as numbers.

use kernels::int8::{Convolution, Int8Isa};
use kernels::{Size, Team};

/// A convolution to planes in parts of its filters, which threads share: what each of them writes
/// lies in one piece.
#[derive(Debug)]
pub(super) struct Head {
    first: Convolution,
    others: Vec<Convolution>,
}

impl Head {
    /// Filters of a part are a multiple of this, so that none has a panel by half.
    pub(super) const FILTERS: usize = 32;

    /// Of parts one after the other; `None` when there are none.
    pub(super) fn of(parts: Vec<Convolution>) -> Option<Self> {
        let mut parts = parts.into_iter();
        Some(Self { first: parts.next()?, others: parts.collect() })
    }

    fn parts(&self) -> impl Iterator<Item = &Convolution> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub(super) fn filters(&self) -> usize {
        self.parts().map(Convolution::filters).sum()
    }

    /// Of a plane.
    pub(super) fn size(&self) -> Size {
        self.first.size()
    }

    /// Of one image.
    pub(super) fn run(&self, team: &Team, from: &[u8], to: &mut [f32]) {
        let mut rest = to;
        let work = self.parts().map(|part| {
            let numbers = part.filters() * part.size().area();
            let (planes, others) = std::mem::take(&mut rest).split_at_mut(numbers);
            rest = others;
            (part, planes)
        });
        team.each(work.collect(), |(part, planes)| part.to_planes(Int8Isa::best(), from, planes));
    }
}
