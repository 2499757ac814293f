import type { Knex } from 'knex'

/**
 * The last requests that were refused, for `signet explain`. Unlogged: they do not wait for the disk, a
 * standby does not get them, and a database that crashes forgets them.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE UNLOGGED TABLE refusals (
      id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at          timestamptz NOT NULL,
      request_id  text NOT NULL CHECK (length(request_id) <= 128),
      method      text NOT NULL CHECK (length(method) <= 10),
      route       text NOT NULL CHECK (length(route) <= 200),
      status      smallint NOT NULL,
      error       text CHECK (length(error) <= 100),
      cause       text CHECK (length(cause) <= 200),
      grant_type  text CHECK (length(grant_type) <= 100),
      policy      text CHECK (length(policy) <= 100),
      client_id   text CHECK (length(client_id) <= 100),
      user_id     uuid,
      sid         uuid,
      of_stranger boolean NOT NULL
    );
    CREATE INDEX refusals_request_id ON refusals (request_id);
    CREATE INDEX refusals_at ON refusals (at);
    CREATE INDEX refusals_of_stranger ON refusals (of_stranger, id)`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE refusals')
}
