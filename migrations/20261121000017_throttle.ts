import type { Knex } from 'knex'

/** Counters of the throttle without Redis, in the form that rate-limiter-flexible requires. */
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
