//! What a policy is told of the contract of a frame's camera.

/// What the contract of a frame's camera asks for. Without one, nothing.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Terms {
    /// Which contract.
    pub(crate) contract: Option<u64>,
    /// How long it takes until the contract's time for this frame is over, in milliseconds.
    pub left_ms: Option<f64>,
    /// Whether the frame may expire without a deadline of its own.
    pub may_expire: bool,
    /// The share of the time that is left for which the frame may not wait, from 0 to 1: above 0
    /// while a contract of a higher priority is in danger, so that its frames find shorter queues
    /// (trunk reservation: P. B. Key, *Optimal control and trunk reservation in loss networks*,
    /// 1990).
    pub yields: f64,
    /// How far edge and cloud are to agree on the frames of this camera, from 0 to 1. It stands
    /// before the agreement that the section of the policy asks for.
    pub agreement: Option<f64>,
}
