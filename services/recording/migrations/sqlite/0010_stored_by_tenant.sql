-- How much of the disk each tenant's audio takes is summed up in an index.
CREATE INDEX segments_of_tenant ON segments (tenant, size_bytes) WHERE audio = 'STORED';
CREATE INDEX messages_of_tenant ON messages (tenant, size_bytes) WHERE state = 'KEPT';
