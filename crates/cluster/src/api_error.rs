//! Why a question to the API server has no answer.

use crate::ClusterState;
use kube::core::Status;
use text::with_causes;

/// Why a question to the API server has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The API server has forgotten where the watch was: start with a list.
    #[error("the API server has forgotten the list")]
    Expired,
    /// It answers, but not this to us.
    #[error("{0}")]
    Refused(String),
    /// It does not answer, or answers with a failure.
    #[error("{0}")]
    Unreachable(String),
    /// An open watch broke. Whether the server is away will show when it is asked again.
    #[error("{0}")]
    Broken(String),
}

impl ApiError {
    /// What has gone wrong with a list, or with opening a watch.
    #[must_use]
    pub fn asking(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::answered(status),
            other => Self::Unreachable(with_causes(other)),
        }
    }

    /// What has gone wrong within an open watch.
    pub(crate) fn watching(error: &kube::Error) -> Self {
        match Self::asking(error) {
            Self::Unreachable(reason) => Self::Broken(reason),
            other => other,
        }
    }

    /// The API server's answer says what is wrong.
    pub(crate) fn answered(status: &Status) -> Self {
        let reason =
            if status.message.is_empty() { status.reason.clone() } else { status.message.clone() };
        match status.code {
            401 | 403 | 404 => Self::Refused(reason),
            410 => Self::Expired,
            code => Self::Unreachable(format!("the API server answers {code}: {reason}")),
        }
    }

    /// The state that it means; `None` when it does not tell yet.
    pub(crate) fn state(self) -> Option<ClusterState> {
        match self {
            Self::Expired | Self::Broken(_) => None,
            Self::Refused(reason) => Some(ClusterState::Refused { reason }),
            Self::Unreachable(reason) => Some(ClusterState::Unreachable { reason }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> Status {
        Status::failure("no way", "Because").with_code(code)
    }

    #[test]
    fn a_status_is_read_by_its_code() {
        for code in [401, 403, 404] {
            assert_eq!(ApiError::answered(&status(code)), ApiError::Refused("no way".into()));
        }
        assert_eq!(ApiError::answered(&status(410)), ApiError::Expired);
        for code in [429, 500, 503] {
            let ApiError::Unreachable(reason) = ApiError::answered(&status(code)) else {
                panic!("{code}")
            };
            assert!(reason.contains(&code.to_string()) && reason.contains("no way"), "{reason}");
        }
    }

    #[test]
    fn a_failure_within_a_watch_is_not_yet_an_outage() {
        let error = kube::Error::ReadEvents(std::io::Error::other("reset"));
        assert_eq!(ApiError::watching(&error).state(), None);
        assert!(matches!(ApiError::asking(&error).state(), Some(ClusterState::Unreachable { .. })));
        let refused = kube::Error::Api(status(403).boxed());
        assert!(matches!(ApiError::watching(&refused).state(), Some(ClusterState::Refused { .. })));
    }
}
