import pg from 'pg'
import { createServices } from '../src/app/services.ts'
import { readConfig } from '../src/config/config.ts'
import { digestSecret } from '../src/oauth/opaque-token.ts'
import { migrate } from '../src/stores/migrations.ts'
import { openPostgres } from '../src/stores/postgres.ts'
import { openLog } from '../src/telemetry/log.ts'
import { ada, app, invoices, masterKeys, orders, testEnvironment } from './fixtures.ts'

export const templateName = 'signet_test_template'

export const databaseUrl = (serverUrl: string, name: string): string =>
  Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href

/** Runs one statement that no transaction may hold, such as CREATE DATABASE. */
export async function administer(serverUrl: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl })
  await client.connect()
  await client.query(sql).finally(() => client.end())
}

/**
 * One migrated database with two signing keys, a person and a client in it. Copying it costs a test
 * less than a tenth of a second, so each has its own and none cleans up after another.
 */
export async function prepareTemplate(serverUrl: string): Promise<void> {
  await administer(serverUrl, `DROP DATABASE IF EXISTS ${templateName} WITH (FORCE)`)
  await administer(serverUrl, `CREATE DATABASE ${templateName}`)
  const url = databaseUrl(serverUrl, templateName)
  const postgres = openPostgres({ url, poolSize: 2, timeoutSeconds: 10 })
  try {
    await migrate(postgres.db)
    await furnish(postgres)
  } finally {
    await postgres.close()
  }
}

async function furnish({ db, pool }: ReturnType<typeof openPostgres>): Promise<void> {
  const services = await createServices({
    config: readConfig(testEnvironment),
    ...{ db, pool, masterKeys, redis: undefined },
    now: () => new Date(),
    log: openLog({ level: 'silent', format: 'json' }),
  })
  await services.rotation.ensure()
  await services.users.create({ ...ada, roles: ['admin'] })
  await services.clients.create({
    id: app.id,
    name: 'App',
    firstParty: true,
    grantTypes: ['password', 'refresh_token', 'client_credentials'],
    scopes: ['read', 'write', 'offline_access'],
    audiences: [orders, invoices],
  })
  await db('client_secrets').update({ digest: digestSecret(app.secret) })
  await db('audit_events').delete()
}
