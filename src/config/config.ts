import { OperatorError } from '../errors.ts'
import { type Environment, variables } from './environment.ts'
import { distance } from './nearest.ts'
import { fileVariables, readSecretFiles } from './secret-files.ts'

/**
 * The configuration, read once at the start. All errors are reported together, and production has no
 * default that suits only a trial.
 */
export interface Config extends Omit<Environment, 'ISSUER' | 'METRICS_PORT'> {
  readonly production: boolean
  readonly host: string
  readonly issuer: string
  readonly appUrl: string
  readonly smtpUrl: string | undefined
  readonly redisUrls: readonly string[]
  readonly migrateOnStart: boolean
  readonly logFormat: 'json' | 'pretty'
  /** Ports to try, in this order; 0 is any free port. */
  readonly metricsPorts: readonly number[]
}

/** All errors of the environment, one per line. */
export class ConfigError extends OperatorError {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length === 1 ? 'an error' : 'errors'} (see docs/configuration.md):\n${problems.map((line) => `  ${line}`).join('\n')}`,
    )
    this.problems = problems
  }
}

/**
 * Reads the variables, and the files that the `…_FILE` variants of secret ones name.
 * @throws ConfigError that names every variable that is wrong or, in production, missing
 */
export function readConfig(given: NodeJS.ProcessEnv): Config {
  const { environment, problems: ofFiles } = readSecretFiles(given)
  const values: Partial<Record<string, unknown>> = {}
  const problems = [...ofFiles]
  for (const [name, rule] of Object.entries(variables)) {
    const text = environment[name]?.trim() || undefined
    const [placeholder] = /REPLACE_[A-Z0-9_]+/.exec(text ?? '') ?? []
    const parsed = rule.safeParse(text)
    if (placeholder) problems.push(`${name} still has the placeholder ${placeholder} of deploy/`)
    else if (parsed.success) values[name] = parsed.data
    else problems.push(`${name} ${parsed.error.issues[0]?.message}`)
  }
  const reported = (line: string) =>
    problems.some((one) => [first(line), `${first(line)}_FILE`].includes(first(one)))
  problems.push(...contradictions(values).filter((line) => !reported(line)))
  if (problems.length > 0) throw new ConfigError(problems)
  return derive(values as Environment)
}

const first = (line: string): string => line.split(' ', 1)[0] ?? ''

function derive(values: Environment): Config {
  const production = values.NODE_ENV === 'production'
  const redis = values.REDIS_URL ?? 'none'
  return {
    ...values,
    production,
    host: values.HOST ?? (production ? '0.0.0.0' : '127.0.0.1'),
    issuer: values.ISSUER ?? `http://127.0.0.1:${values.PORT}`,
    appUrl: (values.APP_URL ?? values.ISSUER ?? `http://127.0.0.1:${values.PORT}`).replace(
      /\/$/,
      '',
    ),
    smtpUrl: values.SMTP_URL === 'none' ? undefined : values.SMTP_URL,
    redisUrls: redis === 'none' ? [] : redis.split(',').map((one) => one.trim()),
    migrateOnStart: values.MIGRATE_ON_START ?? !production,
    logFormat: values.LOG_FORMAT ?? (production ? 'json' : 'pretty'),
    metricsPorts: metricsPorts(values.METRICS_PORT, production),
  }
}

/** Outside production a second server on the same machine uses any free port. */
const metricsPorts = (configured: number | undefined, production: boolean): number[] =>
  configured !== undefined ? [configured] : production ? [9464] : [9464, 0]

/** Contradictions between variables that are valid by themselves. Each line starts with the one to change. */
function contradictions(values: Partial<Environment>): string[] {
  const problems: string[] = []
  const { ACCESS_TOKEN_SECONDS = 0, ACCESS_TOKEN_MAX_SECONDS = Infinity } = values
  if (ACCESS_TOKEN_SECONDS > ACCESS_TOKEN_MAX_SECONDS) {
    problems.push('ACCESS_TOKEN_SECONDS must not be more than ACCESS_TOKEN_MAX_SECONDS')
  }
  const { SESSION_IDLE_DAYS = 0, SESSION_ABSOLUTE_DAYS = Infinity } = values
  if (SESSION_IDLE_DAYS > SESSION_ABSOLUTE_DAYS) {
    problems.push('SESSION_IDLE_DAYS must not be more than SESSION_ABSOLUTE_DAYS')
  }
  return values.NODE_ENV === 'production' ? [...problems, ...missing(values)] : problems
}

/** Settings that production requires. */
function missing(values: Partial<Environment>): string[] {
  const { ISSUER, DATABASE_URL, REDIS_URL, SMTP_URL, MAIL_FROM = '' } = values
  const problems: string[] = []
  if (!ISSUER) {
    problems.push('ISSUER is required in production: the public https URL of this server')
  } else if (!ISSUER.startsWith('https:') && !isLoopback(new URL(ISSUER).hostname)) {
    problems.push('ISSUER must be https in production (RFC 8414 section 2)')
  }
  for (const [name, url, why] of [
    ['APP_URL', values.APP_URL, 'links in mails lead there'],
    ['BREACHED_PASSWORDS_URL', values.BREACHED_PASSWORDS_URL, 'digests of new passwords go there'],
  ] as const) {
    if (url !== undefined && isOpen(url))
      problems.push(`${name} must be https in production: ${why}`)
  }
  const { OTEL_EXPORTER_OTLP_ENDPOINT: collector, OTEL_EXPORTER_OTLP_HEADERS: sent = {} } = values
  if (collector !== undefined && isOpen(collector) && Object.keys(sent).length > 0) {
    problems.push(
      'OTEL_EXPORTER_OTLP_ENDPOINT must be https in production when OTEL_EXPORTER_OTLP_HEADERS is set',
    )
  }
  if (!DATABASE_URL) {
    problems.push('DATABASE_URL is required in production, which has no embedded PostgreSQL')
  }
  if (!SMTP_URL) {
    problems.push('SMTP_URL is required in production; with none, mails are only written to files')
  } else if (SMTP_URL !== 'none' && MAIL_FROM.endsWith('@localhost>')) {
    problems.push('MAIL_FROM is required in production: the sender of your mails')
  }
  if (!REDIS_URL) {
    problems.push(
      'REDIS_URL is required in production; with none, PostgreSQL answers every revocation check',
    )
  }
  return problems
}

/** True if requests to this URL can be read on the network. */
const isOpen = (url: string): boolean =>
  new URL(url).protocol === 'http:' && !isLoopback(new URL(url).hostname)

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host)

/**
 * Finds variables whose names look like a misspelled one of Signet's, which would be ignored silently.
 * Short names are skipped, because many other programs have similar ones.
 */
export function misspelledVariables(environment: NodeJS.ProcessEnv): string[] {
  const ours = [...Object.keys(variables), ...fileVariables]
  return Object.keys(environment)
    .filter((name) => name.length >= 8 && !ours.includes(name))
    .flatMap((name) => {
      const intended = ours.find(
        (one) => one.length >= 8 && distance(one, name.toUpperCase(), 2) <= 2,
      )
      return intended ? [`${name} is not a variable of Signet. Did you mean ${intended}?`] : []
    })
}
