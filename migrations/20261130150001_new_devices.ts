import type { Knex } from 'knex'

/**
 * The last sign-in of a user on a device that was not known: its time, the digest of its address, and the
 * number of mails about such sign-ins that followed each other closely. `devices_reset_at` is when the user
 * said that a sign-in was not theirs: devices that were known before are new again.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE users
      ADD COLUMN IF NOT EXISTS new_device_at timestamptz,
      ADD COLUMN IF NOT EXISTS new_device_origin bytea,
      ADD COLUMN IF NOT EXISTS new_device_mails smallint NOT NULL DEFAULT 0,
      ADD COLUMN IF NOT EXISTS devices_reset_at timestamptz`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE users
      DROP COLUMN new_device_at,
      DROP COLUMN new_device_origin,
      DROP COLUMN new_device_mails,
      DROP COLUMN devices_reset_at`)
}
