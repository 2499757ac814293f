import type { Knex } from 'knex'

/** Counters of the throttle where there is no Redis, in the shape that rate-limiter-flexible wants. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE throttle (
      key    varchar(255) PRIMARY KEY,
      points integer NOT NULL DEFAULT 0,
      expire bigint
    );
    CREATE INDEX throttle_expire ON throttle (expire)`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE throttle')
}
