-- A database of version 1 as it was released, with results in it. Never edited: what has been stored must stay readable.
CREATE SCHEMA mlvi;

CREATE TABLE mlvi.detections (
    frame_id uuid NOT NULL,
    ordinal integer NOT NULL,
    camera text NOT NULL,
    class text NOT NULL,
    confidence real NOT NULL,
    x real NOT NULL,
    y real NOT NULL,
    width real NOT NULL,
    height real NOT NULL
)
PARTITION BY RANGE (frame_id);

CREATE TABLE mlvi.detections_20260131 (
    frame_id uuid NOT NULL,
    ordinal integer NOT NULL,
    camera text NOT NULL,
    class text NOT NULL,
    confidence real NOT NULL,
    x real NOT NULL,
    y real NOT NULL,
    width real NOT NULL,
    height real NOT NULL
);

CREATE TABLE mlvi.detections_20260201 (
    frame_id uuid NOT NULL,
    ordinal integer NOT NULL,
    camera text NOT NULL,
    class text NOT NULL,
    confidence real NOT NULL,
    x real NOT NULL,
    y real NOT NULL,
    width real NOT NULL,
    height real NOT NULL
);

CREATE TABLE mlvi.frames (
    frame_id uuid NOT NULL,
    received_at timestamp with time zone NOT NULL,
    camera text NOT NULL,
    final boolean NOT NULL,
    destination text,
    result json NOT NULL
)
PARTITION BY RANGE (frame_id);

CREATE TABLE mlvi.frames_20260131 (
    frame_id uuid NOT NULL,
    received_at timestamp with time zone NOT NULL,
    camera text NOT NULL,
    final boolean NOT NULL,
    destination text,
    result json NOT NULL
);

CREATE TABLE mlvi.frames_20260201 (
    frame_id uuid NOT NULL,
    received_at timestamp with time zone NOT NULL,
    camera text NOT NULL,
    final boolean NOT NULL,
    destination text,
    result json NOT NULL
);

CREATE TABLE mlvi.minutes (
    minute bigint NOT NULL,
    camera text NOT NULL,
    class text NOT NULL,
    detections bigint NOT NULL,
    frames bigint NOT NULL
);

CREATE TABLE mlvi.mlvi_version (
    version integer NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE mlvi.zones (
    frame_id uuid NOT NULL,
    ordinal integer NOT NULL,
    zone text NOT NULL
)
PARTITION BY RANGE (frame_id);

CREATE TABLE mlvi.zones_20260131 (
    frame_id uuid NOT NULL,
    ordinal integer NOT NULL,
    zone text NOT NULL
);

CREATE TABLE mlvi.zones_20260201 (
    frame_id uuid NOT NULL,
    ordinal integer NOT NULL,
    zone text NOT NULL
);

ALTER TABLE ONLY mlvi.detections ATTACH PARTITION mlvi.detections_20260131 FOR VALUES FROM ('019c1159-7000-0000-0000-000000000000') TO ('019c167f-cc00-0000-0000-000000000000');

ALTER TABLE ONLY mlvi.detections ATTACH PARTITION mlvi.detections_20260201 FOR VALUES FROM ('019c167f-cc00-0000-0000-000000000000') TO ('019c1ba6-2800-0000-0000-000000000000');

ALTER TABLE ONLY mlvi.frames ATTACH PARTITION mlvi.frames_20260131 FOR VALUES FROM ('019c1159-7000-0000-0000-000000000000') TO ('019c167f-cc00-0000-0000-000000000000');

ALTER TABLE ONLY mlvi.frames ATTACH PARTITION mlvi.frames_20260201 FOR VALUES FROM ('019c167f-cc00-0000-0000-000000000000') TO ('019c1ba6-2800-0000-0000-000000000000');

ALTER TABLE ONLY mlvi.zones ATTACH PARTITION mlvi.zones_20260131 FOR VALUES FROM ('019c1159-7000-0000-0000-000000000000') TO ('019c167f-cc00-0000-0000-000000000000');

ALTER TABLE ONLY mlvi.zones ATTACH PARTITION mlvi.zones_20260201 FOR VALUES FROM ('019c167f-cc00-0000-0000-000000000000') TO ('019c1ba6-2800-0000-0000-000000000000');

INSERT INTO mlvi.detections_20260131 VALUES ('019c145a-7ee8-7000-8000-000000000001', 0, 'gate', 'dog', 0.9, -1.5, 2, 30, 40);
INSERT INTO mlvi.detections_20260131 VALUES ('019c145a-7ee8-7000-8000-000000000001', 1, 'gate', 'person', 0.5, -1.5, 2, 30, 40);
INSERT INTO mlvi.detections_20260131 VALUES ('019c145a-86b8-7000-8000-000000000003', 0, 'gate', 'cup', 0.4, -1.5, 2, 30, 40);
INSERT INTO mlvi.detections_20260131 VALUES ('019c145a-86b8-7000-8000-000000000003', 1, 'gate', 'cup', 0.3, -1.5, 2, 30, 40);

INSERT INTO mlvi.detections_20260201 VALUES ('019c1980-d700-7000-8000-000000000004', 0, 'gate', 'dog', 0.8, -1.5, 2, 30, 40);

INSERT INTO mlvi.frames_20260131 VALUES ('019c145a-7ee8-7000-8000-000000000001', '2026-01-31 14:00:01+00', 'gate', true, 'edge', '{"frame_id":"019c145a-7ee8-7000-8000-000000000001","camera":"gate","sequence":7,"status":"done","image":{"width":640,"height":480},"detections":[{"class":"dog","class_id":3,"confidence":0.9,"box":{"x":-1.5,"y":2.0,"width":30.0,"height":40.0},"zones":["door","path"]},{"class":"person","class_id":3,"confidence":0.5,"box":{"x":-1.5,"y":2.0,"width":30.0,"height":40.0},"zones":[]}],"decision":{"destination":"edge","reason":"in-time","policy":"deadline"},"attempt":1,"model":{"name":"yolov3-tiny","version":"dccea06f59b7","input":"416x416"},"served_by":{"unit":"edge-inference","pod":"edge-1"},"timings_ms":{"inference":12.5,"end_to_end":50.25}}');
INSERT INTO mlvi.frames_20260131 VALUES ('019c145a-82d0-7000-8000-000000000002', '2026-01-31 14:00:02+00', 'yard', true, 'edge', '{"frame_id":"019c145a-82d0-7000-8000-000000000002","camera":"yard","sequence":7,"status":"failed","error":{"type":"/problems/undecodable-frame","title":"The frame cannot be decoded","status":422,"detail":"it''s no picture"},"detections":[],"decision":{"destination":"edge","reason":"in-time","policy":"deadline"},"served_by":{"unit":""},"timings_ms":{}}');
INSERT INTO mlvi.frames_20260131 VALUES ('019c145a-86b8-7000-8000-000000000003', '2026-01-31 14:00:03+00', 'gate', false, 'edge', '{"frame_id":"019c145a-86b8-7000-8000-000000000003","camera":"gate","sequence":7,"status":"provisional","detections":[{"class":"cup","class_id":3,"confidence":0.4,"box":{"x":-1.5,"y":2.0,"width":30.0,"height":40.0}},{"class":"cup","class_id":3,"confidence":0.3,"box":{"x":-1.5,"y":2.0,"width":30.0,"height":40.0}}],"decision":{"destination":"edge","reason":"in-time","policy":"deadline"},"served_by":{"unit":""},"timings_ms":{}}');

INSERT INTO mlvi.frames_20260201 VALUES ('019c1980-d700-7000-8000-000000000004', '2026-02-01 14:00:00+00', 'gate', true, 'edge', '{"frame_id":"019c1980-d700-7000-8000-000000000004","camera":"gate","sequence":7,"status":"done","detections":[{"class":"dog","class_id":3,"confidence":0.8,"box":{"x":-1.5,"y":2.0,"width":30.0,"height":40.0}}],"decision":{"destination":"edge","reason":"in-time","policy":"deadline"},"served_by":{"unit":""},"timings_ms":{}}');

INSERT INTO mlvi.minutes VALUES (29497800, 'gate', 'cup', 2, 1);
INSERT INTO mlvi.minutes VALUES (29497800, 'gate', 'dog', 1, 1);
INSERT INTO mlvi.minutes VALUES (29497800, 'gate', 'person', 1, 1);
INSERT INTO mlvi.minutes VALUES (29499240, 'gate', 'dog', 1, 1);

INSERT INTO mlvi.mlvi_version VALUES (1, '2026-11-29 08:59:48.638575+00');

INSERT INTO mlvi.zones_20260131 VALUES ('019c145a-7ee8-7000-8000-000000000001', 0, 'door');
INSERT INTO mlvi.zones_20260131 VALUES ('019c145a-7ee8-7000-8000-000000000001', 0, 'path');

ALTER TABLE ONLY mlvi.detections
    ADD CONSTRAINT detections_pkey PRIMARY KEY (frame_id, ordinal);

ALTER TABLE ONLY mlvi.detections_20260131
    ADD CONSTRAINT detections_20260131_pkey PRIMARY KEY (frame_id, ordinal);

ALTER TABLE ONLY mlvi.detections_20260201
    ADD CONSTRAINT detections_20260201_pkey PRIMARY KEY (frame_id, ordinal);

ALTER TABLE ONLY mlvi.frames
    ADD CONSTRAINT frames_pkey PRIMARY KEY (frame_id);

ALTER TABLE ONLY mlvi.frames_20260131
    ADD CONSTRAINT frames_20260131_pkey PRIMARY KEY (frame_id);

ALTER TABLE ONLY mlvi.frames_20260201
    ADD CONSTRAINT frames_20260201_pkey PRIMARY KEY (frame_id);

ALTER TABLE ONLY mlvi.minutes
    ADD CONSTRAINT minutes_pkey PRIMARY KEY (minute, camera, class);

ALTER TABLE ONLY mlvi.zones
    ADD CONSTRAINT zones_pkey PRIMARY KEY (frame_id, ordinal, zone);

ALTER TABLE ONLY mlvi.zones_20260131
    ADD CONSTRAINT zones_20260131_pkey PRIMARY KEY (frame_id, ordinal, zone);

ALTER TABLE ONLY mlvi.zones_20260201
    ADD CONSTRAINT zones_20260201_pkey PRIMARY KEY (frame_id, ordinal, zone);

CREATE INDEX detections_by_class ON ONLY mlvi.detections USING btree (class, frame_id, camera, confidence);

CREATE INDEX detections_20260131_class_frame_id_camera_confidence_idx ON mlvi.detections_20260131 USING btree (class, frame_id, camera, confidence);

CREATE INDEX detections_20260201_class_frame_id_camera_confidence_idx ON mlvi.detections_20260201 USING btree (class, frame_id, camera, confidence);

CREATE INDEX frames_by_camera ON ONLY mlvi.frames USING btree (camera, frame_id);

CREATE INDEX frames_20260131_camera_frame_id_idx ON mlvi.frames_20260131 USING btree (camera, frame_id);

CREATE INDEX frames_20260201_camera_frame_id_idx ON mlvi.frames_20260201 USING btree (camera, frame_id);

CREATE INDEX zones_by_name ON ONLY mlvi.zones USING btree (zone, frame_id, ordinal);

CREATE INDEX zones_20260131_zone_frame_id_ordinal_idx ON mlvi.zones_20260131 USING btree (zone, frame_id, ordinal);

CREATE INDEX zones_20260201_zone_frame_id_ordinal_idx ON mlvi.zones_20260201 USING btree (zone, frame_id, ordinal);

ALTER INDEX mlvi.detections_by_class ATTACH PARTITION mlvi.detections_20260131_class_frame_id_camera_confidence_idx;

ALTER INDEX mlvi.detections_pkey ATTACH PARTITION mlvi.detections_20260131_pkey;

ALTER INDEX mlvi.detections_by_class ATTACH PARTITION mlvi.detections_20260201_class_frame_id_camera_confidence_idx;

ALTER INDEX mlvi.detections_pkey ATTACH PARTITION mlvi.detections_20260201_pkey;

ALTER INDEX mlvi.frames_by_camera ATTACH PARTITION mlvi.frames_20260131_camera_frame_id_idx;

ALTER INDEX mlvi.frames_pkey ATTACH PARTITION mlvi.frames_20260131_pkey;

ALTER INDEX mlvi.frames_by_camera ATTACH PARTITION mlvi.frames_20260201_camera_frame_id_idx;

ALTER INDEX mlvi.frames_pkey ATTACH PARTITION mlvi.frames_20260201_pkey;

ALTER INDEX mlvi.zones_pkey ATTACH PARTITION mlvi.zones_20260131_pkey;

ALTER INDEX mlvi.zones_by_name ATTACH PARTITION mlvi.zones_20260131_zone_frame_id_ordinal_idx;

ALTER INDEX mlvi.zones_pkey ATTACH PARTITION mlvi.zones_20260201_pkey;

ALTER INDEX mlvi.zones_by_name ATTACH PARTITION mlvi.zones_20260201_zone_frame_id_ordinal_idx;
