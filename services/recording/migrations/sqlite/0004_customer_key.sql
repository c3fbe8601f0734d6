-- The customer's pseudonym, by which analysts count; it stays when the audio and the number are deleted.
ALTER TABLE recordings ADD COLUMN customer_key TEXT NOT NULL DEFAULT '';
