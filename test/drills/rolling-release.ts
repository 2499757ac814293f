import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { digestSecret } from '../../src/oauth/opaque-token.ts'
import { freePort } from '../../src/stores/embedded/postmaster.ts'
import { eventually } from '../../tools/eventually.ts'
import { app, orders } from '../../tools/fixtures.ts'
import { type Answer, HttpClient } from '../../tools/http-client.ts'
import { startPostgresServer } from '../../tools/postgres-server.ts'
import { administer, databaseUrl } from '../../tools/template.ts'
import { program, type Serving, signet } from '../support/server/signet.ts'
import { type Cost, costOf, Families, signInMany } from './families.ts'
import { environmentOf, type Place, startInstances } from './instances.ts'
import { buildReleaseBefore } from './release-before.ts'
import { query } from './replicated-postgres.ts'

const familyCount = 30
/** The release before starts on this one's schema only when it is told so. */
const onNewerSchema = { DATABASE_ALLOW_NEWER: 'true' }
const password = 'seven lamps over the harbour'

/** The release before and this one, side by side on one database; then this one alone; then back. */
export async function rollingRelease(place: Place): Promise<Cost> {
  const before = await buildReleaseBefore(place.folder)
  const { url, run } = await install(place, before)

  const [old] = (await startInstances(place, url, [{}], before)) as [Serving]
  const instances = [old]
  const families = new Families(instances, await signInMany(url, instances, familyCount))
  families.start()
  await families.refreshed(1)
  await run(program, ['migrate'])
  await families.refreshed(1)

  const [next] = (await startInstances(place, url, [{}])) as [Serving]
  families.useOnly([old, next])
  await families.refreshed(3)
  await run(before, ['users', 'create', 'made-before', '--password-stdin'], password)
  await run(program, ['users', 'create', 'made-after', '--password-stdin'], password)
  await eachKnowsTheOther(old, next)
  await verifies(place, url, { server: before, verifier: program })
  await verifies(place, url, { server: program, verifier: before })

  families.useOnly([next])
  await end(old)
  await families.refreshed(2)
  const [back] = (await startInstances(place, url, [onNewerSchema], before)) as [Serving]
  families.useOnly([back])
  await end(next)
  await families.refreshed(2)
  // eachKnowsTheOther ends four of its own.
  return costOf(families, url, '4 × token_revoked')
}

/** A database as the release before makes it, with the client of the tests in it. */
async function install({ folder, closing }: Place, before: string) {
  const server = await startPostgresServer(join(folder, 'releases'), () => undefined)
  closing.add(() => server.close())
  const name = `signet_drill_${randomUUID().slice(0, 8)}`
  await administer(server.url, `CREATE DATABASE ${name}`)
  const url = databaseUrl(server.url, name)
  const run = async (main: string, args: readonly string[], input = '') => {
    const env = { ...environmentOf(url), ...onNewerSchema }
    const ran = await signet(args, { cwd: folder, env, input }, main)
    if (ran.code !== 0) throw new Error(`signet ${args.join(' ')}: ${ran.stderr}`)
  }
  await run(before, ['migrate'])
  const grants = ['password', 'refresh_token', 'client_credentials']
  const options = ['--first-party', '--scope', 'read,write,offline_access', '--audience', orders]
  await run(before, ['clients', 'create', app.id, '--grant', grants.join(), ...options])
  const digest = digestSecret(app.secret).toString('hex')
  await query(url, `UPDATE client_secrets SET digest = '\\x${digest}'`)
  return { url, run }
}

/** Tokens and people of either release are good at the other, and ended by the other. */
async function eachKnowsTheOther(old: Serving, next: Serving): Promise<void> {
  for (const username of ['made-before', 'made-after', 'Made-Before', 'MADE-AFTER']) {
    const issuer = username.endsWith('r') ? next : old
    const other = issuer === old ? next : old
    const signedIn = await new HttpClient(issuer.url).signIn({ username, password })
    expectStatus(signedIn, 200, `sign-in of ${username}`)
    const { access_token: token, refresh_token: refreshToken } = signedIn.body
    expectActive(await new HttpClient(other.url).introspect(token), true, username)
    const refreshed = await new HttpClient(other.url).refresh(refreshToken)
    expectStatus(refreshed, 200, `refresh of ${username}`)
    await new HttpClient(issuer.url).revoke(refreshed.body.refresh_token)
    for (const { url } of [old, next]) {
      expectActive(await new HttpClient(url).introspect(token), false, username)
      expectStatus(await new HttpClient(url).refresh(refreshed.body.refresh_token), 400, 'ended')
    }
  }
}

/** A service keeps its verifier while the server moves on, or the reverse. */
async function verifies(
  place: Place,
  databaseUrl: string,
  of: { server: string; verifier: string },
): Promise<void> {
  const issuer = `http://127.0.0.1:${await freePort()}`
  const environment = { NODE_ENV: 'development', ISSUER: issuer, PORT: new URL(issuer).port }
  const own = { ...environment, ...onNewerSchema }
  const [server] = (await startInstances(place, databaseUrl, [own], of.server)) as [Serving]
  const file = join(dirname(of.verifier), 'verifier', 'verifier.js')
  const { createVerifier } = (await import(file)) as typeof import('../../src/verifier/verifier.ts')
  const verifier = createVerifier({ issuer, audience: orders })
  try {
    const browser = new HttpClient(server.url)
    const { access_token: token } = (await browser.clientCredentials()).body
    const { sub } = await verifier.verify(token)
    if (sub !== app.id) throw new Error(`the verifier of ${of.verifier} read ${sub}`)
    await browser.revoke(token)
    const isRevoked = () =>
      verifier.verify(token).then(
        () => false,
        ({ code }: { code?: string }) => code === 'token_revoked',
      )
    await eventually(isRevoked, 'the verifier knows of the revocation', 30)
  } finally {
    await verifier.close()
    await end(server)
  }
}

function expectStatus({ status, text }: Answer, expected: number, what: string): void {
  if (status !== expected) throw new Error(`${what}: ${status} instead of ${expected}: ${text}`)
}

function expectActive({ body }: Answer, expected: boolean, what: string): void {
  if (body.active !== expected) throw new Error(`${what}: active is ${body.active}`)
}

async function end(instance: Serving): Promise<void> {
  instance.signal('SIGTERM')
  await instance.exited
}
