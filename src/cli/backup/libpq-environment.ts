import pg from 'pg'
import { variables } from '../../config/environment.ts'
import { fileVariables } from '../../config/secret-files.ts'

/** Settings of libpq that DATABASE_URL cannot express, and that change nothing about where it connects. */
const kept = /^PG(PASSFILE|SSLROOTCERT|SSLCERT|SSLKEY|SSLCRL|SSLCRLDIR)$/

/**
 * The environment in which a program of PostgreSQL connects as Signet does. Everybody on the machine can read
 * the arguments of a process, and only its user the environment, so the password is there. Signet's own secrets
 * are removed, and so are variables such as PGSERVICE, which would lead to another database.
 * @param connectSeconds the time limit for connecting
 */
export function libpqEnvironment(
  url: string,
  connectSeconds: number,
  given: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const own = new Set([...Object.keys(variables), ...fileVariables])
  const inherited = Object.entries(given).filter(
    ([name]) => !own.has(name) && (!name.startsWith('PG') || kept.test(name)),
  )
  const { host, port, user, database, password } = new pg.Client({ connectionString: url })
  const { searchParams } = new URL(url)
  return {
    ...Object.fromEntries(inherited),
    // Its messages are read by explainDump.
    LC_ALL: 'C',
    PGAPPNAME: 'signet backup',
    // Below 2 libpq takes 2.
    PGCONNECT_TIMEOUT: String(Math.max(2, connectSeconds)),
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGDATABASE: database,
    ...defined({
      PGPASSWORD: password ?? undefined,
      PGOPTIONS: searchParams.get('options') ?? given.PGOPTIONS,
      PGSSLNEGOTIATION: searchParams.get('sslnegotiation') ?? given.PGSSLNEGOTIATION,
      PGSSLCERT: searchParams.get('sslcert') ?? undefined,
      PGSSLKEY: searchParams.get('sslkey') ?? undefined,
    }),
    ...verification(searchParams, given),
  }
}

/**
 * The meaning that the driver of Node.js gives to `sslmode`, in the words of libpq: for the driver every mode that
 * encrypts also verifies, apart from `no-verify`, and without a mode it does not encrypt.
 */
function verification(query: URLSearchParams, given: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const named = ['sslrootcert', 'sslcert', 'sslkey'].some((name) => query.has(name))
  const ssl = query.get('ssl') ?? undefined
  const mode = query.get('sslmode') ?? ssl ?? (named ? 'verify-full' : given.PGSSLMODE)
  const root = query.get('sslrootcert') ?? given.PGSSLROOTCERT
  if (query.get('uselibpqcompat') === 'true') {
    return defined({ PGSSLMODE: mode ?? 'disable', PGSSLROOTCERT: root })
  }
  if (mode === undefined || ['disable', 'false', '0'].includes(mode)) {
    return { PGSSLMODE: 'disable' }
  }
  if (mode === 'no-verify') return { PGSSLMODE: 'require' }
  return { PGSSLMODE: 'verify-full', PGSSLROOTCERT: root ?? 'system' }
}

const defined = (values: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
