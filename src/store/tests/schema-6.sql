-- What the service calls the message, so that what follows can answer it; NULL when it said nothing.
ALTER TABLE outbox ADD COLUMN called TEXT;
