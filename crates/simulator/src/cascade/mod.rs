//! The cascade by itself, frame by frame and without queues: how well a promise is kept, and how
//! quickly it is learned which frames are worth sending.

mod guarantee;
mod learning;

pub use guarantee::{Guarantee, GuaranteeReport, Kept, Scene, made_up_scene};
pub use learning::{Learning, LearningReport, Pair, Point};
