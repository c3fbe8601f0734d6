-- Whose a number is: another tenant can't have it, too (S7).
CREATE INDEX numbers_by_number ON numbers (number);
