import { readFileSync, statSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { type Config, ConfigError, isLoopback, readConfig } from '../../config/config.ts'
import { misspelt } from '../../config/typos.ts'
import { loadConfig } from '../../server/open-runtime.ts'
import { type Finding, failed, ok, warning } from './finding.ts'

export interface Configured {
  /** Absent when it is so wrong that nothing else can be looked at. */
  readonly config: Config | undefined
  readonly findings: readonly Finding[]
}

/** Every mistake of the environment, and every choice that production deserves better. */
export function checkConfiguration(): Configured {
  const typos = () =>
    misspelt(process.env).map((line) => warning('configuration', line, 'Rename or remove it.'))
  try {
    const config = loadConfig()
    const about = `${config.NODE_ENV}, issuer ${config.issuer}`
    return { config, findings: [ok('configuration', about), ...typos(), ...weaknesses(config)] }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const findings = error.mistakes.map((line) =>
      failed('configuration', line, 'Change it; docs/configuration.md has every variable.'),
    )
    return { config: withoutMistakes(error), findings: [...findings, ...typos()] }
  }
}

/** With these wrong, the doctor would look at another installation than the one that was meant. */
const essential = /^(NODE_ENV|DATABASE_URL|REDIS_URL|DATA_DIR|KEYS_DIR|MASTER_KEYS) /

/** The rest of the configuration: a mistyped PORT does not keep anybody from looking at the database. */
function withoutMistakes({ mistakes }: ConfigError): Config | undefined {
  if (mistakes.some((line) => essential.test(line))) return undefined
  const wrong = mistakes.map((line) => line.split(' ', 1)[0])
  const rest = Object.entries(process.env).filter(([name]) => !wrong.includes(name))
  try {
    return readConfig(Object.fromEntries(rest))
  } catch {
    return undefined
  }
}

/** Allowed, and weaker than what production usually wants. */
export function weaknesses(config: Config): Finding[] {
  if (!config.production) return []
  const weak = (found: boolean, message: string, advice: string) =>
    found ? [warning('production', message, advice)] : []
  const https = config.issuer.startsWith('https:')
  return [
    ...weak(!https, 'ISSUER is not https.', 'Fine on one machine only; put TLS in front.'),
    ...weak(
      https && config.TRUSTED_PROXIES.length === 0,
      'TRUSTED_PROXIES is empty: every caller has the address of the proxy in front.',
      'Name the proxy that ends TLS, so that logs and limits see who calls.',
    ),
    ...weak(
      config.TRUSTED_PROXIES.some(isWide),
      'TRUSTED_PROXIES trusts a whole private network: any machine there can claim any address.',
      'Name the addresses of the proxies alone.',
    ),
    ...weak(
      config.redisUrls.length === 0,
      'REDIS_URL is none: PostgreSQL answers every revocation check.',
      'Right, and slower under load: give it a Redis.',
    ),
    ...weak(
      config.redisUrls.some((url) => isPlain(url, 'redis:')),
      'REDIS_URL is not encrypted and leaves this machine.',
      'Use rediss://, unless the network is your own.',
    ),
    ...weak(
      isPlain(config.smtpUrl, 'smtp:') && !/[?&]requireTLS=true\b/.test(config.smtpUrl ?? ''),
      'SMTP_URL leaves this machine, and encrypts only where the mail server offers it.',
      'Use smtps://, or add ?requireTLS=true.',
    ),
    ...weak(
      isPlain(config.DATABASE_URL, 'postgres') &&
        !/[?&](ssl|sslmode)=/.test(config.DATABASE_URL ?? ''),
      'DATABASE_URL leaves this machine without sslmode.',
      'Add ?sslmode=verify-full, unless the network is your own.',
    ),
    ...weak(
      othersReadSecrets('.env'),
      '.env holds secrets and others may read it.',
      'Run: chmod 600 .env',
    ),
    ...weak(
      config.ARGON2_MEMORY_KIB * config.ARGON2_TIME_COST < 19_456 * 2,
      'ARGON2_MEMORY_KIB and ARGON2_TIME_COST make hashes weaker than OWASP advises.',
      'At least 19456 and 2.',
    ),
    ...weak(
      ['fatal', 'silent'].includes(config.LOG_LEVEL),
      `LOG_LEVEL=${config.LOG_LEVEL} hides errors.`,
      'Use error or more.',
    ),
  ]
}

/** A private network that is larger than a few proxies need, or the whole Internet; a CDN may have many. */
function isWide(trusted: string): boolean {
  if (trusted === 'uniquelocal' || trusted === 'linklocal') return true
  const [address = '', prefix] = trusted.split('/')
  if (prefix === undefined || !privateNetwork.test(address)) return false
  const bits = /^\d+$/.test(prefix) ? Number(prefix) : maskBits(prefix)
  return bits < (address.includes(':') ? 64 : 24)
}

const privateNetwork =
  /^(0\.|10\.|100\.64\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|192\.168\.|::|f[cd]|fe80:)/i

/** `255.255.0.0` is 16. */
const maskBits = (mask: string): number =>
  mask
    .split('.')
    .reduce((sum, part) => sum + Number(part).toString(2).replaceAll('0', '').length, 0)

/** Whether a URL of this kind leads to another machine. */
const isPlain = (url: string | undefined, protocol: string): boolean =>
  url !== undefined &&
  new URL(url).protocol.startsWith(protocol) &&
  !isLoopback(new URL(url).hostname)

/** Key files are refused when others may read them; here other variables may be all that there is. */
function othersReadSecrets(path: string): boolean {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0
  if ((mode & 0o077) === 0) return false
  return Object.entries(parseEnv(readFileSync(path, 'utf8'))).some(
    ([name, value = '']) => name === 'MASTER_KEYS' || /^[a-z]+:\/\/[^/]*:[^/]+@/.test(value),
  )
}
