import type { Knex } from 'knex'

/**
 * One row per key. Its state follows from its timestamps and the clock. `generation` numbers the chain:
 * two instances that create a successor at once collide on it. `private_jwe` is sealed by a master key
 * and becomes null as soon as the key no longer signs.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE signing_keys (
      kid             text PRIMARY KEY,
      generation      integer NOT NULL UNIQUE,
      public_jwk      jsonb NOT NULL,
      private_jwe     text,
      master_key_id   text NOT NULL,
      published_at    timestamptz NOT NULL,
      signs_from      timestamptz NOT NULL,
      signs_until     timestamptz,
      published_until timestamptz,
      revoked_at      timestamptz,
      CHECK (published_at <= signs_from),
      CHECK (signs_until IS NULL OR signs_from <= signs_until),
      CHECK ((signs_until IS NULL) = (published_until IS NULL)),
      CHECK (published_until IS NULL OR signs_until <= published_until)
    )`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE signing_keys')
}
