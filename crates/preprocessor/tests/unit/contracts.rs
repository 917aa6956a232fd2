//! Contracts on a real bus: what travels with a frame, who is overtaken, and what is told.

use crate::tasks::until;
use crate::{PATIENCE, Stage, envelope, jpeg, next, next_result};
use frame::{ContractsRecord, Expiring, OVERTAKEN, Order, Status, Timestamp};
use frame_bus::TableEvent;

const POLICY: &str = "policy = 'edge-only'\n[[contract]]\nname = 'gates'\ncameras = ['gate-*']\n\
                      within_ms = 60000\nshare = 0.9\npriority = 4\norder = 'newest'";

impl Stage {
    /// Waits for a record of contracts that is as it is to be; `None`: for its removal.
    async fn told(&self, what: Option<&(dyn Fn(&ContractsRecord) -> bool + Sync)>) {
        let mut table = self.bus.table(&self.topics.settings).unwrap();
        let wait = async {
            loop {
                match (table.recv().await.unwrap(), what) {
                    (TableEvent::Set { key, value, .. }, Some(what))
                        if ContractsRecord::is_key(&key)
                            && what(&ContractsRecord::from_json(&value).unwrap()) =>
                    {
                        return;
                    }
                    (TableEvent::Removed { key }, None) if ContractsRecord::is_key(&key) => return,
                    _ => {}
                }
            }
        };
        assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "it is not told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_travels_with_its_frames_and_is_announced() {
    let mut stage = Stage::set().await;
    let unit = stage.run(&[("MLVI_POLICY_FILE", &stage.policy_file(POLICY))]);
    let admin = unit.admin.unwrap();
    for (camera, contract, order, weight) in
        [("gate-1", Some("gates"), Order::Newest, 4), ("yard", None, Order::InOrder, 1)]
    {
        stage.send(&envelope(camera, 1), jpeg(16, 16)).await;
        let prepared = next(&mut stage.edge).await.envelope().unwrap().prepared.unwrap();
        assert_eq!(prepared.decision.contract.as_deref(), contract);
        assert_eq!((prepared.order, prepared.weight), (order, weight));
    }
    stage.told(Some(&|record| record.contracts[0].name == "gates")).await;
    let promised = "mlvi_preprocessor_contract_promised_share{contract=\"gates\"} 0.9";
    until(admin, "/metrics", 200, promised).await;
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_frame_is_overtaken_and_told_by_whom() {
    let mut stage = Stage::set().await;
    let unit = stage.run(&[("MLVI_POLICY_FILE", &stage.policy_file(POLICY))]);
    let earlier = |envelope: frame::Envelope| frame::Envelope {
        received_at: Timestamp::from_micros(envelope.received_at.as_micros() - 1_000_000),
        ..envelope
    };
    // the newer one is there first, so that nothing depends on how fast the unit is
    let newer = envelope("gate-1", 2);
    stage.send(&newer, jpeg(16, 16)).await;
    assert_eq!(next(&mut stage.edge).await.envelope().unwrap().frame_id, newer.frame_id);
    let older = earlier(envelope("gate-1", 1));
    stage.send(&older, jpeg(16, 16)).await;
    let result = next_result(&mut stage.results).await;
    assert_eq!((result.frame_id, result.status), (older.frame_id, Status::Expired));
    assert_eq!(result.overtaken_by, Some(newer.frame_id));
    assert_eq!(result.decision.unwrap().reason, OVERTAKEN);
    // a camera without a contract stays in order
    stage.send(&envelope("yard", 2), jpeg(16, 16)).await;
    next(&mut stage.edge).await;
    let in_order = earlier(envelope("yard", 1));
    stage.send(&in_order, jpeg(16, 16)).await;
    assert_eq!(next(&mut stage.edge).await.envelope().unwrap().frame_id, in_order.frame_id);
    stage.told(Some(&|record| record.contracts.len() == 1)).await;
    unit.stop().await;
    stage.told(None).await;
}
