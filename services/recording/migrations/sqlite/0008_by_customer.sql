-- A customer's recordings are found when the customer is to be forgotten.
CREATE INDEX recordings_by_customer ON recordings (tenant, customer_key) WHERE purged_us IS NULL;
