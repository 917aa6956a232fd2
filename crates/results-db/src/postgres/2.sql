-- Small pictures of the frames in which events began or were seen surest, without what was masked. They are few and small,
-- so they are not partitioned.
CREATE TABLE thumbnails (
    frame_id uuid NOT NULL PRIMARY KEY,
    camera text NOT NULL,
    size integer NOT NULL,             -- of the picture, in bytes
    jpeg bytea NOT NULL
);
-- a JPEG cannot be compressed further
ALTER TABLE thumbnails ALTER COLUMN jpeg SET STORAGE EXTERNAL;
CREATE INDEX thumbnails_by_camera ON thumbnails (camera, frame_id);
