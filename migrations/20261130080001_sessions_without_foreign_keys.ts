import type { Knex } from 'knex'

/**
 * A session is valid only together with its user and its client, and is deleted after them in batches
 * (ADR 27). This takes exclusive locks on three tables, so nothing else happens in this transaction.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE refresh_families
      DROP CONSTRAINT IF EXISTS refresh_families_user_id_fkey,
      DROP CONSTRAINT IF EXISTS refresh_families_client_id_fkey`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DELETE FROM refresh_families AS family
     WHERE NOT EXISTS (SELECT FROM users WHERE users.id = family.user_id)
        OR NOT EXISTS (SELECT FROM clients WHERE clients.id = family.client_id);
    ALTER TABLE refresh_families
      ADD CONSTRAINT refresh_families_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE,
      ADD CONSTRAINT refresh_families_client_id_fkey
        FOREIGN KEY (client_id) REFERENCES clients ON DELETE CASCADE`)
}
