//! Groups under a clock that tests turn by hand.

use super::Identified;
use super::member::{JoinCall, JoinRefusal, Joined, SyncCall, Synced};
use super::state::{Group, Phase};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use std::time::{Duration, Instant};
use tokio::sync::oneshot::{self, error::TryRecvError};

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_secs(60);
const DELAY: Duration = Duration::from_millis(200);

type JoinAnswer = oneshot::Receiver<Result<Joined, JoinRefusal>>;
type SyncAnswer = oneshot::Receiver<Result<Synced, ResponseError>>;

/// A group and its clock.
struct Room {
    group: Group,
    now: Instant,
}

impl Room {
    fn new() -> Self {
        let now = Instant::now();
        Self { group: Group::new(now, DELAY), now }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.group.tick(self.now);
    }

    fn join(&mut self, call: JoinCall) -> JoinAnswer {
        let (reply, answer) = oneshot::channel();
        self.group.join(call, reply, self.now);
        answer
    }

    fn sync(
        &mut self,
        member_id: &str,
        generation: i32,
        assignments: &[(&str, &'static str)],
    ) -> SyncAnswer {
        let (reply, answer) = oneshot::channel();
        let assignments = assignments
            .iter()
            .map(|(id, given)| ((*id).into(), Bytes::from_static(given.as_bytes())));
        let who = who(member_id, generation);
        let call = SyncCall {
            who,
            protocol_type: None,
            protocol: None,
            assignments: assignments.collect(),
        };
        self.group.sync(call, reply, self.now);
        answer
    }

    fn beat(&mut self, member_id: &str, generation: i32) -> Result<(), ResponseError> {
        self.group.heartbeat(&who(member_id, generation), self.now)
    }

    /// One member, in a stable group of its own.
    fn alone() -> (Self, String) {
        let mut room = Self::new();
        let mut answer = room.join(newcomer("first"));
        room.pass(DELAY);
        let joined = answer.try_recv().unwrap().unwrap();
        let mut synced = room.sync(&joined.member_id, 1, &[(&joined.member_id, "all")]);
        assert_eq!(synced.try_recv().unwrap().unwrap().assignment, "all");
        (room, joined.member_id)
    }

    /// Two members in a stable group of generation 2; the first one leads.
    fn pair() -> (Self, String, String) {
        let (mut room, first) = Self::alone();
        let mut second = room.join(newcomer("second"));
        assert_eq!(room.beat(&first, 1), Err(ResponseError::RebalanceInProgress));
        let mut again = room.join(returning(&first));
        let led = again.try_recv().unwrap().unwrap();
        let second = second.try_recv().unwrap().unwrap().member_id;
        assert_eq!((led.generation, &led.leader, led.members.len()), (2, &first, 2));
        let mut waiting = room.sync(&second, 2, &[]);
        assert_eq!(waiting.try_recv().unwrap_err(), TryRecvError::Empty);
        let mut leading = room.sync(&first, 2, &[(&first, "one half"), (&second, "the other")]);
        assert_eq!(leading.try_recv().unwrap().unwrap().assignment, "one half");
        assert_eq!(waiting.try_recv().unwrap().unwrap().assignment, "the other");
        assert_eq!(room.group.phase, Phase::Stable);
        (room, first, second)
    }
}

fn who(member_id: &str, generation: i32) -> Identified {
    Identified { member_id: member_id.into(), instance_id: None, generation }
}

fn newcomer(client_id: &str) -> JoinCall {
    JoinCall {
        member_id: String::new(),
        instance_id: None,
        client_id: client_id.into(),
        client_host: "127.0.0.1".into(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".into(),
        protocols: vec![
            ("sticky".into(), Bytes::from_static(b"s")),
            ("range".into(), Bytes::from_static(b"r")),
        ],
        knows_member_id_required: false,
    }
}

fn returning(member_id: &str) -> JoinCall {
    JoinCall { member_id: member_id.into(), ..newcomer("") }
}

fn lasting(instance: &str) -> JoinCall {
    JoinCall { instance_id: Some(instance.into()), ..newcomer("static") }
}

#[test]
fn the_first_member_waits_a_moment_for_others() {
    let mut room = Room::new();
    let (mut one, mut two) = (room.join(newcomer("one")), room.join(newcomer("two")));
    room.pass(DELAY - Duration::from_millis(1));
    assert_eq!(one.try_recv().unwrap_err(), TryRecvError::Empty);
    room.pass(Duration::from_millis(1));
    let (one, two) = (one.try_recv().unwrap().unwrap(), two.try_recv().unwrap().unwrap());
    assert_eq!((one.generation, two.generation), (1, 1));
    assert_eq!(one.members.len() + two.members.len(), 2, "only the leader is told of the others");
}

#[test]
fn a_second_member_starts_a_second_generation() {
    Room::pair();
}

#[test]
fn a_member_that_can_is_given_its_id_first() {
    let mut room = Room::new();
    let call = JoinCall { knows_member_id_required: true, ..newcomer("c") };
    let refusal = room.join(call.clone()).try_recv().unwrap().unwrap_err();
    assert_eq!(refusal.error, ResponseError::MemberIdRequired);
    let mut answer = room.join(JoinCall { member_id: refusal.member_id.clone(), ..call.clone() });
    room.pass(DELAY);
    assert_eq!(answer.try_recv().unwrap().unwrap().member_id, refusal.member_id);
    // an id that nobody comes back with holds the group up no longer than a session
    room.join(call);
    room.pass(Duration::from_secs(1));
    assert!(!room.group.pending.is_empty());
    room.pass(SESSION);
    assert!(room.group.pending.is_empty());
}

#[test]
fn a_silent_member_is_dead_after_its_session() {
    let (mut room, first, second) = Room::pair();
    room.pass(SESSION / 2);
    room.beat(&first, 2).unwrap();
    room.pass(SESSION / 2);
    assert_eq!(room.group.phase, Phase::Preparing);
    assert_eq!(room.beat(&second, 2), Err(ResponseError::UnknownMemberId));
    assert_eq!(room.join(returning(&first)).try_recv().unwrap().unwrap().generation, 3);
}

#[test]
fn a_member_that_leaves_is_not_waited_for() {
    let (mut room, first, second) = Room::pair();
    room.group.leave(&second, None, room.now).unwrap();
    assert_eq!(room.group.leave(&second, None, room.now), Err(ResponseError::UnknownMemberId));
    assert_eq!(room.beat(&first, 2), Err(ResponseError::RebalanceInProgress));
    assert_eq!(room.join(returning(&first)).try_recv().unwrap().unwrap().members.len(), 1);
    room.group.leave(&first, None, room.now).unwrap();
    assert!(room.group.is_idle());
}

#[test]
fn who_does_not_join_again_in_time_is_out() {
    let (mut room, first, second) = Room::pair();
    let mut answer = room.join(returning(&first));
    for _ in 0..11 {
        room.pass(SESSION / 2);
        let _ = room.beat(&second, 2); // alive, but it does not join
        assert_eq!(answer.try_recv().unwrap_err(), TryRecvError::Empty);
    }
    room.pass(SESSION / 2);
    let joined = answer.try_recv().unwrap().unwrap();
    assert_eq!(joined.members.len(), 1);
    assert_eq!(room.beat(&second, 2), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_leader_that_does_not_decide_is_out() {
    let (mut room, first) = Room::alone();
    let mut second = room.join(newcomer("second"));
    room.join(returning(&first)).try_recv().unwrap().unwrap();
    let second = second.try_recv().unwrap().unwrap().member_id;
    let mut waiting = room.sync(&second, 2, &[]);
    for _ in 0..11 {
        room.pass(SESSION / 2);
        let _ = room.beat(&first, 2); // alive, but it does not decide
    }
    room.pass(SESSION / 2);
    assert_eq!(waiting.try_recv().unwrap(), Err(ResponseError::RebalanceInProgress));
    let joined = room.join(returning(&second)).try_recv().unwrap().unwrap();
    assert_eq!((joined.leader, joined.members.len()), (second, 1));
}

#[test]
fn a_client_that_goes_while_it_joins_is_not_waited_for() {
    let (mut room, first) = Room::alone();
    drop(room.join(newcomer("gone at once")));
    let mut answer = room.join(returning(&first));
    room.pass(SESSION);
    assert_eq!(answer.try_recv().unwrap().unwrap().members.len(), 1);
}

#[test]
fn a_request_that_is_repeated_gets_the_answer_again() {
    let (mut room, _, second) = Room::pair();
    let again = room.join(returning(&second)).try_recv().unwrap().unwrap();
    assert_eq!((again.generation, room.group.phase), (2, Phase::Stable));
    assert_eq!(room.sync(&second, 2, &[]).try_recv().unwrap().unwrap().assignment, "the other");
    let changed = JoinCall {
        protocols: vec![("range".into(), Bytes::from_static(b"new"))],
        ..returning(&second)
    };
    let mut answer = room.join(changed);
    assert_eq!(
        answer.try_recv().unwrap_err(),
        TryRecvError::Empty,
        "other topics: a new generation"
    );
}

#[test]
fn strategies_that_not_all_know_are_not_chosen() {
    let (mut room, first) = Room::alone();
    let stranger =
        JoinCall { protocols: vec![("other".into(), Bytes::new())], ..newcomer("stranger") };
    let refusal = room.join(stranger).try_recv().unwrap().unwrap_err();
    assert_eq!(refusal.error, ResponseError::InconsistentGroupProtocol);
    let other_type = JoinCall { protocol_type: "connect".into(), ..newcomer("stranger") };
    assert_eq!(
        room.join(other_type).try_recv().unwrap().unwrap_err().error,
        ResponseError::InconsistentGroupProtocol
    );
    let ranger = JoinCall { protocols: vec![("range".into(), Bytes::new())], ..newcomer("ranger") };
    let mut answer = room.join(ranger);
    let joined = room.join(returning(&first)).try_recv().unwrap().unwrap();
    assert_eq!(
        (joined.protocol.as_str(), answer.try_recv().unwrap().unwrap().protocol.as_str()),
        ("range", "range")
    );
}

#[test]
fn generations_and_members_of_the_past_are_refused() {
    let (mut room, first, second) = Room::pair();
    assert_eq!(room.beat(&first, 1), Err(ResponseError::IllegalGeneration));
    assert_eq!(room.beat("nobody", 2), Err(ResponseError::UnknownMemberId));
    assert_eq!(
        room.sync(&second, 1, &[]).try_recv().unwrap(),
        Err(ResponseError::IllegalGeneration)
    );
    let refusal = room.join(returning("nobody")).try_recv().unwrap().unwrap_err();
    assert_eq!(refusal.error, ResponseError::UnknownMemberId);
}

#[test]
fn only_members_of_the_generation_commit_while_there_are_any() {
    let (mut room, first, _) = Room::pair();
    let outside = Identified { generation: -1, ..Identified::default() };
    assert_eq!(room.group.may_commit(&outside, room.now), Err(ResponseError::UnknownMemberId));
    assert_eq!(room.group.may_commit(&who(&first, 2), room.now), Ok(()));
    assert_eq!(
        room.group.may_commit(&who(&first, 1), room.now),
        Err(ResponseError::IllegalGeneration)
    );
    assert_eq!(Room::new().group.may_commit(&outside, room.now), Ok(()));
    room.join(newcomer("third"));
    assert_eq!(
        room.group.may_commit(&who(&first, 2), room.now),
        Ok(()),
        "what was finished before the rebalance counts"
    );
}

#[test]
fn a_static_member_keeps_its_place_and_fences_its_past() {
    let (mut room, leader) = Room::alone();
    let mut answer = room.join(lasting("camera-1"));
    room.join(returning(&leader)).try_recv().unwrap().unwrap();
    let old = answer.try_recv().unwrap().unwrap().member_id;
    room.sync(&leader, 2, &[(&old, "its share")]);
    let joined = room.join(lasting("camera-1")).try_recv().unwrap().unwrap();
    assert_eq!((joined.generation, room.group.phase), (2, Phase::Stable), "nobody else notices");
    assert_ne!(joined.member_id, old);
    assert_eq!(
        room.sync(&joined.member_id, 2, &[]).try_recv().unwrap().unwrap().assignment,
        "its share"
    );
    let past =
        Identified { member_id: old.clone(), instance_id: Some("camera-1".into()), generation: 2 };
    assert_eq!(room.group.heartbeat(&past, room.now), Err(ResponseError::FencedInstanceId));
    let fenced = JoinCall { member_id: old, ..lasting("camera-1") };
    assert_eq!(
        room.join(fenced).try_recv().unwrap().unwrap_err().error,
        ResponseError::FencedInstanceId
    );
    assert_eq!(room.group.leave("", Some("camera-1"), room.now), Ok(()));
}

#[test]
fn a_static_leader_that_comes_back_leads_again() {
    let mut room = Room::new();
    let mut answer = room.join(lasting("only"));
    room.pass(DELAY);
    answer.try_recv().unwrap().unwrap();
    let joined = room.join(lasting("only")).try_recv().unwrap().unwrap();
    assert_eq!((joined.leader.as_str(), joined.members.len()), (joined.member_id.as_str(), 1));
}
