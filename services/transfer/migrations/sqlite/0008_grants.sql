-- What of the telephone network the operator has granted: prefixes, as JSON. Tenants of the time before keep what they could have: any.
ALTER TABLE tenants ADD COLUMN granted_numbers TEXT NOT NULL DEFAULT '["+"]';
ALTER TABLE tenants ADD COLUMN granted_destinations TEXT NOT NULL DEFAULT '["+"]';
