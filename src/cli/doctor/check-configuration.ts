import { readFileSync, statSync } from 'node:fs'
import { parseEnv } from 'node:util'
import {
  type Config,
  ConfigError,
  isLoopback,
  misspelledVariables,
  readConfig,
} from '../../config/config.ts'
import { readableSecretFiles } from '../../config/secret-files.ts'
import { loadConfig } from '../../server/open-runtime.ts'
import { type Finding, failed, ok, warning } from './finding.ts'

interface Configured {
  /** Undefined when it is too wrong for further checks. */
  readonly config: Config | undefined
  readonly findings: readonly Finding[]
}

/** Checks the environment for errors, and in production for weak settings. */
export function checkConfiguration(): Configured {
  const typos = () =>
    misspelledVariables(process.env).map((line) =>
      warning('configuration', line, 'Rename or remove it.'),
    )
  try {
    const config = loadConfig()
    const summary = `${config.NODE_ENV}, issuer ${config.issuer}`
    const findings = [ok('configuration', summary), ...typos(), ...readableSecrets()]
    return { config, findings: [...findings, ...weaknesses(config)] }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const findings = error.problems.map((line) =>
      failed('configuration', line, 'Fix it; docs/configuration.md lists every variable.'),
    )
    return { config: withoutProblems(error), findings: [...findings, ...typos()] }
  }
}

/** With an error in one of these, the doctor might check a different installation. */
const essential = /^(NODE_ENV|DATABASE_URL|REDIS_URL|DATA_DIR|KEYS_DIR|MASTER_KEYS)(_FILE)? /

/** The configuration without its wrong variables, so that a mistyped PORT does not prevent other checks. */
function withoutProblems({ problems }: ConfigError): Config | undefined {
  if (problems.some((line) => essential.test(line))) return undefined
  const wrong = problems.map((line) => line.split(' ', 1)[0])
  const rest = Object.entries(process.env).filter(([name]) => !wrong.includes(name))
  try {
    return readConfig(Object.fromEntries(rest))
  } catch {
    return undefined
  }
}

/** Secret files are checked in development too: they may be those of production. */
const readableSecrets = (): Finding[] =>
  readableSecretFiles(process.env).map(({ variable, path, readers }) =>
    readers === 'group'
      ? warning('secret files', `${variable}: the group can read ${path}`, `Run: chmod 600 ${path}`)
      : warning(
          'secret files',
          `${variable}: every user of this container can read ${path}`,
          'Give the secret the user of Signet and the mode 0400.',
        ),
  )

/** Settings that are allowed in production but usually too weak for it. */
export function weaknesses(config: Config): Finding[] {
  if (!config.production) return []
  const weak = (found: boolean, message: string, advice: string) =>
    found ? [warning('production', message, advice)] : []
  const https = config.issuer.startsWith('https:')
  return [
    ...weak(
      !https,
      'ISSUER is not https.',
      'Put a proxy with TLS in front, unless clients run on this machine.',
    ),
    ...weak(
      https && config.TRUSTED_PROXIES.length === 0,
      'TRUSTED_PROXIES is empty, so every caller has the address of the proxy.',
      'Add the proxy that terminates TLS, so that logs and limits see the addresses of callers.',
    ),
    ...weak(
      config.TRUSTED_PROXIES.some(isWide),
      'TRUSTED_PROXIES trusts a whole private network, where any machine can claim any address.',
      'List only the addresses of the proxies.',
    ),
    ...weak(
      config.redisUrls.length === 0,
      'REDIS_URL is none, so PostgreSQL answers every revocation check.',
      'This is correct but slower under load: add a Redis.',
    ),
    ...weak(
      config.redisUrls.some((url) => isPlain(url, 'redis:')),
      'REDIS_URL leaves this machine unencrypted.',
      'Use rediss://, unless the network is private.',
    ),
    ...weak(
      isPlain(config.smtpUrl, 'smtp:') && !/[?&]requireTLS=true\b/.test(config.smtpUrl ?? ''),
      'SMTP_URL leaves this machine and is encrypted only if the mail server offers it.',
      'Use smtps://, or add ?requireTLS=true.',
    ),
    ...weak(
      isPlain(config.DATABASE_URL, 'postgres') &&
        !/[?&](ssl|sslmode)=/.test(config.DATABASE_URL ?? ''),
      'DATABASE_URL leaves this machine without sslmode.',
      'Add ?sslmode=verify-full, unless the network is private.',
    ),
    ...weak(
      isPlain(config.DATABASE_URL, 'postgres') && acceptsAnyCertificate(config.DATABASE_URL ?? ''),
      'DATABASE_URL accepts any certificate, so another machine can pose as PostgreSQL.',
      'Use sslmode=verify-full, with sslrootcert for an authority of your own.',
    ),
    ...weak(
      othersReadSecrets('.env'),
      '.env contains secrets and is readable by other users.',
      'Run: chmod 600 .env',
    ),
    ...weak(
      config.ARGON2_MEMORY_KIB * config.ARGON2_TIME_COST < 19_456 * 2,
      'ARGON2_MEMORY_KIB and ARGON2_TIME_COST are below the OWASP minimum.',
      'Use at least 19456 and 2.',
    ),
    ...weak(
      ['fatal', 'silent'].includes(config.LOG_LEVEL),
      `LOG_LEVEL=${config.LOG_LEVEL} hides errors.`,
      'Use error or a more verbose level.',
    ),
  ]
}

/** True if this is a private network larger than a few proxies need, or the whole Internet. */
function isWide(trusted: string): boolean {
  if (trusted === 'uniquelocal' || trusted === 'linklocal') return true
  const [address = '', prefix] = trusted.split('/')
  if (prefix === undefined || !privateNetwork.test(address)) return false
  const bits = /^\d+$/.test(prefix) ? Number(prefix) : maskBits(prefix)
  return bits < (address.includes(':') ? 64 : 24)
}

const privateNetwork =
  /^(0\.|10\.|100\.64\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|192\.168\.|::|f[cd]|fe80:)/i

/** The prefix length of a mask: 16 for `255.255.0.0`. */
const maskBits = (mask: string): number =>
  mask
    .split('.')
    .reduce((sum, part) => sum + Number(part).toString(2).replaceAll('0', '').length, 0)

/** True if this is a URL with such a protocol that leads to another machine. */
const isPlain = (url: string | undefined, protocol: string): boolean =>
  url !== undefined &&
  new URL(url).protocol.startsWith(protocol) &&
  !isLoopback(new URL(url).hostname)

/** True for sslmodes that encrypt and verify nothing; `require` verifies unless libpq is imitated. */
function acceptsAnyCertificate(url: string): boolean {
  const { searchParams } = new URL(url)
  const mode = searchParams.get('sslmode')
  const isLikeLibpq = searchParams.get('uselibpqcompat') === 'true'
  return mode === 'no-verify' || (isLikeLibpq && mode !== null && mode !== 'verify-full')
}

/** True if `.env` contains secrets and other users can read it. It may also contain no secrets at all. */
function othersReadSecrets(path: string): boolean {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0
  if ((mode & 0o077) === 0) return false
  return Object.entries(parseEnv(readFileSync(path, 'utf8'))).some(
    ([name, value = '']) => name === 'MASTER_KEYS' || /^[a-z]+:\/\/[^/]*:[^/]+@/.test(value),
  )
}
