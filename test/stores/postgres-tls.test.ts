import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import pg from 'pg'
import { type Authority, createAuthority } from '../../tools/certificates.ts'
import { eventually } from '../../tools/eventually.ts'
import { production } from '../../tools/fixtures.ts'
import { startPostgresServer } from '../../tools/postgres-server.ts'
import { emptyFolder, signet } from '../support/server/signet.ts'

type Pair = ReturnType<Authority['sign']>

/** A PostgreSQL of this test with TLS, whose certificate can be changed. */
async function openServer(t: ExecutionContext<unknown>) {
  const folder = await emptyFolder(t)
  const server = await startPostgresServer(join(folder, 'server'), () => undefined)
  t.teardown(() => server.close())
  const url = server.url.replace('127.0.0.1', 'localhost')
  const query = async (...statements: string[]) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    for (const statement of statements) await client.query(statement)
    await client.end()
  }
  /** PostgreSQL writes the files itself, because it runs as a user of its own. */
  const write = (file: string, path: string) =>
    `COPY (SELECT '${readFileSync(path).toString('base64')}') TO PROGRAM 'umask 077; base64 -d > ${file}'`
  const use = async (pair: Pair) => {
    await query(
      write('server.crt', pair.certificate),
      write('server.key', pair.key),
      'ALTER SYSTEM SET ssl = on',
      'SELECT pg_reload_conf()',
    )
    const pem = readFileSync(pair.certificate, 'utf8')
    const isUsed = async () => (await servedCertificate(url)) === pem.trim()
    await eventually(isUsed, 'PostgreSQL serves the new certificate')
  }
  const run = (parameters: Readonly<Record<string, string>>, host = 'localhost') => {
    const query = new URLSearchParams(parameters)
    const env = production(`${url.replace('localhost', host)}?${query}`)
    return signet(['migrate', '--dry-run'], { cwd: folder, env })
  }
  return { folder, url, use, run }
}

/** The certificate that a new connection gets, as PEM; undefined without TLS. */
async function servedCertificate(url: string): Promise<string | undefined> {
  const ssl = { rejectUnauthorized: false }
  const client = new pg.Client({ connectionString: url, ssl })
  const isEncrypted = await client.connect().then(
    () => true,
    () => false,
  )
  if (!isEncrypted) return undefined
  const { stream } = (client as unknown as { connection: { stream: TLSSocket } }).connection
  const der = stream.getPeerCertificate().raw.toString('base64')
  await client.end()
  const lines = der.match(/.{1,64}/g)?.join('\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----`
}

test('ASVS 12.3.2: sslmode=verify-full → only the right certificate of the right authority is accepted', async (t) => {
  const { folder, use, run } = await openServer(t)
  const authority = createAuthority(join(folder, 'certificates'))
  const another = createAuthority(join(folder, 'certificates'), 'another')
  const verify = { sslmode: 'verify-full', sslrootcert: authority.certificate }

  await use(authority.sign('server'))
  for (const host of ['localhost', '127.0.0.1']) {
    const { code, stdout, stderr } = await run(verify, host)
    t.is(code, 0, stderr)
    t.regex(stdout, /^pending /)
  }
  const refused = async (parameters: Readonly<Record<string, string>>, sentence: RegExp) => {
    const { code, stdout, stderr } = await run(parameters)
    t.is(code, 1, stdout)
    t.regex(stderr, sentence)
    t.notRegex(stderr, /^ +at /m)
  }
  const untrusted =
    /certificate of PostgreSQL is not from an authority that is trusted.*sslrootcert/
  await refused({ sslmode: 'verify-full' }, untrusted)
  await refused({ ...verify, sslrootcert: another.certificate }, untrusted)
  await refused(
    { ...verify, sslrootcert: join(folder, 'nowhere.crt') },
    /DATABASE_URL names .*nowhere\.crt as sslrootcert, which cannot be read \(ENOENT\)/,
  )

  await use(authority.sign('other-host', { names: 'DNS:db.internal,IP:10.0.0.1' }))
  const otherName = /certificate of PostgreSQL is for another name than the host/
  await refused(verify, otherName)
  const byAddress = await run(verify, '127.0.0.1')
  t.is(byAddress.code, 1)
  t.regex(byAddress.stderr, otherName)

  await use(authority.sign('expired', { isExpired: true }))
  await refused(verify, /certificate of PostgreSQL has expired/)
})
