-- A database of version 1 as it was released, with results in it. Never edited: what has been stored must stay readable.
PRAGMA application_id = 1296848457;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE detections (
    frame_id BLOB NOT NULL,
    ordinal INTEGER NOT NULL,           -- the surest is 0
    camera TEXT NOT NULL,
    class TEXT NOT NULL,
    confidence REAL NOT NULL,
    x REAL NOT NULL,                    -- pixels of the upright picture
    y REAL NOT NULL,
    width REAL NOT NULL,
    height REAL NOT NULL,
    PRIMARY KEY (frame_id, ordinal)
) STRICT, WITHOUT ROWID;
INSERT INTO "detections" VALUES(X'019C145A7EE870008000000000000001',0,'gate','dog',8.99999976158142089843e-01,-1.5,2.0,30.0,40.0);
INSERT INTO "detections" VALUES(X'019C145A7EE870008000000000000001',1,'gate','person',0.5,-1.5,2.0,30.0,40.0);
INSERT INTO "detections" VALUES(X'019C145A86B870008000000000000003',0,'gate','cup',4.00000005960464477539e-01,-1.5,2.0,30.0,40.0);
INSERT INTO "detections" VALUES(X'019C145A86B870008000000000000003',1,'gate','cup',3.00000011920928955078e-01,-1.5,2.0,30.0,40.0);
INSERT INTO "detections" VALUES(X'019C1980D70070008000000000000004',0,'gate','dog',0.800000011920929,-1.5,2.0,30.0,40.0);
CREATE TABLE frames (
    frame_id BLOB NOT NULL PRIMARY KEY, -- a UUIDv7, 16 bytes: sorts by time
    camera TEXT NOT NULL,
    final INTEGER NOT NULL,             -- 0: the cloud's answer may still come
    destination TEXT,                   -- edge, cloud; NULL: never decided
    result TEXT NOT NULL
) STRICT;
INSERT INTO "frames" VALUES(X'019C145A7EE870008000000000000001','gate',1,'edge','{"frame_id":"019c145a-7ee8-7000-8000-000000000001","camera":"gate","sequence":7,"status":"done","image":{"width":640,"height":480},"detections":[{"class":"dog","class_id":3,"confidence":0.9,"box":{"x":-1.5,"y":2.0,"width":30.0,"height":40.0},"zones":["door","path"]},{"class":"person","class_id":3,"confidence":0.5,"box":{"x":-1.5,"y":2.0,"width":30.0,"height":40.0},"zones":[]}],"decision":{"destination":"edge","reason":"in-time","policy":"deadline"},"attempt":1,"model":{"name":"yolov3-tiny","version":"dccea06f59b7","input":"416x416"},"served_by":{"unit":"edge-inference","pod":"edge-1"},"timings_ms":{"inference":12.5,"end_to_end":50.25}}');
INSERT INTO "frames" VALUES(X'019C145A82D070008000000000000002','yard',1,'edge','{"frame_id":"019c145a-82d0-7000-8000-000000000002","camera":"yard","sequence":7,"status":"failed","error":{"type":"/problems/undecodable-frame","title":"The frame cannot be decoded","status":422,"detail":"it''s no picture"},"detections":[],"decision":{"destination":"edge","reason":"in-time","policy":"deadline"},"served_by":{"unit":""},"timings_ms":{}}');
INSERT INTO "frames" VALUES(X'019C145A86B870008000000000000003','gate',0,'edge','{"frame_id":"019c145a-86b8-7000-8000-000000000003","camera":"gate","sequence":7,"status":"provisional","detections":[{"class":"cup","class_id":3,"confidence":0.4,"box":{"x":-1.5,"y":2.0,"width":30.0,"height":40.0}},{"class":"cup","class_id":3,"confidence":0.3,"box":{"x":-1.5,"y":2.0,"width":30.0,"height":40.0}}],"decision":{"destination":"edge","reason":"in-time","policy":"deadline"},"served_by":{"unit":""},"timings_ms":{}}');
INSERT INTO "frames" VALUES(X'019C1980D70070008000000000000004','gate',1,'edge','{"frame_id":"019c1980-d700-7000-8000-000000000004","camera":"gate","sequence":7,"status":"done","detections":[{"class":"dog","class_id":3,"confidence":0.8,"box":{"x":-1.5,"y":2.0,"width":30.0,"height":40.0}}],"decision":{"destination":"edge","reason":"in-time","policy":"deadline"},"served_by":{"unit":""},"timings_ms":{}}');
CREATE TABLE minutes (
    minute INTEGER NOT NULL,            -- since the epoch
    camera TEXT NOT NULL,
    class TEXT NOT NULL,
    detections INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    PRIMARY KEY (minute, camera, class)
) STRICT, WITHOUT ROWID;
INSERT INTO "minutes" VALUES(29497800,'gate','cup',2,1);
INSERT INTO "minutes" VALUES(29497800,'gate','dog',1,1);
INSERT INTO "minutes" VALUES(29497800,'gate','person',1,1);
INSERT INTO "minutes" VALUES(29499240,'gate','dog',1,1);
CREATE TABLE zones (
    frame_id BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    zone TEXT NOT NULL,
    PRIMARY KEY (frame_id, ordinal, zone)
) STRICT, WITHOUT ROWID;
INSERT INTO "zones" VALUES(X'019C145A7EE870008000000000000001',0,'door');
INSERT INTO "zones" VALUES(X'019C145A7EE870008000000000000001',0,'path');
CREATE INDEX frames_by_camera ON frames (camera, frame_id);
CREATE INDEX detections_by_class ON detections (class, frame_id, camera, confidence);
CREATE INDEX zones_by_name ON zones (zone, frame_id, ordinal);
COMMIT;
