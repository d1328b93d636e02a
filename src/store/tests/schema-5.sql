-- What the provider said of them, as JSON; NULL for everybody else.
ALTER TABLE sessions ADD COLUMN said TEXT;
