import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** An authority of a test, and what it has signed, as files. */
export interface Authority {
  /** The certificate that clients are given. */
  readonly certificate: string
  /** Signs a certificate for these names; `days` below 0 for one that has expired. */
  sign(name: string, options?: SignOptions): Pair
}

interface SignOptions {
  /** In the form of OpenSSL: `DNS:localhost,IP:127.0.0.1`. */
  readonly names?: string
  readonly isExpired?: boolean
}

/** A certificate and its key; `both` has one after the other. */
interface Pair {
  readonly certificate: string
  readonly key: string
  readonly both: string
}

const localNames = 'DNS:localhost,IP:127.0.0.1'

export function createAuthority(folder: string, name = 'authority'): Authority {
  mkdirSync(folder, { recursive: true })
  const [key, certificate] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)]
  const subject = ['-subj', `/CN=${name} of the tests`]
  openssl('req', '-x509', ...newKey, '-days', '2', ...subject, '-keyout', key, '-out', certificate)
  const sign = (leaf: string, { names = localNames, isExpired = false }: SignOptions = {}) => {
    const file = (ending: string) => join(folder, `${leaf}.${ending}`)
    openssl('req', ...newKey, '-subj', `/CN=${leaf}`, '-keyout', file('key'), '-out', file('csr'))
    writeFileSync(file('names'), `subjectAltName=${names}\n`)
    const [from, until] = isExpired ? ['200101000000Z', '210101000000Z'] : times()
    authorize(folder, { key, certificate, from, until, file })
    chmodSync(file('key'), 0o600)
    writeFileSync(file('both'), read(file('crt')) + read(file('key')), { mode: 0o600 })
    return { certificate: file('crt'), key: file('key'), both: file('both') }
  }
  return { certificate, sign }
}

const newKey = ['-newkey', 'rsa:2048', '-nodes']

interface Request {
  readonly key: string
  readonly certificate: string
  readonly from: string
  readonly until: string
  readonly file: (ending: string) => string
}

/** `openssl ca`, because `openssl x509` signs nothing that has expired. */
function authorize(folder: string, { key, certificate, from, until, file }: Request): void {
  writeFileSync(join(folder, 'index'), '')
  const configuration = [
    '[ca]',
    'default_ca=tests',
    '[tests]',
    `database=${join(folder, 'index')}`,
    `new_certs_dir=${folder}`,
    'default_md=sha256',
    'policy=any',
    'rand_serial=yes',
    '[any]',
    'commonName=supplied',
  ].join('\n')
  writeFileSync(join(folder, 'ca.conf'), configuration)
  openssl(
    ...['ca', '-batch', '-notext', '-config', join(folder, 'ca.conf')],
    ...['-cert', certificate, '-keyfile', key, '-extfile', file('names')],
    ...['-startdate', from, '-enddate', until, '-in', file('csr'), '-out', file('crt')],
  )
}

/** A day before and after now, as X.509 writes it. */
function times(): [string, string] {
  const written = (days: number) =>
    `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/^20|[-:T]|\.\d+/g, '')}`
  return [written(-1), written(1)]
}

const read = (path: string): string => readFileSync(path, 'utf8')

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl ${args[0]} failed:\n${stderr}`)
}
