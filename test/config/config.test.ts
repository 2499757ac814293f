import { availableParallelism } from 'node:os'
import test from 'ava'
import { ConfigError, misspelledVariables, readConfig } from '../../src/config/config.ts'
import { variables } from '../../src/config/environment.ts'

function mistakes(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(environment)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

/** The least and the most that each number may be. */
const limits: Record<string, [number, number]> = {
  PORT: [0, 65_535],
  METRICS_PORT: [0, 65_535],
  DATABASE_POOL_SIZE: [2, 500],
  DATABASE_TIMEOUT_SECONDS: [1, 60],
  REDIS_TIMEOUT_MILLISECONDS: [10, 10_000],
  KEY_ROTATION_DAYS: [1, 3650],
  KEY_BITS: [2048, 4096],
  KEYRING_REREAD_SECONDS: [1, 60],
  ACCESS_TOKEN_SECONDS: [30, 86_400],
  ACCESS_TOKEN_MAX_SECONDS: [30, 86_400],
  REFRESH_GRACE_SECONDS: [0, 300],
  SESSION_IDLE_DAYS: [1, 3650],
  SESSION_ABSOLUTE_DAYS: [1, 3650],
  SESSIONS_PER_USER: [1, 10_000],
  ARGON2_MEMORY_KIB: [8192, 4_194_304],
  ARGON2_TIME_COST: [1, 20],
  PASSWORD_CONCURRENCY: [1, 64],
  PASSWORD_QUEUE_SECONDS: [1, 60],
  REQUEST_TIMEOUT_SECONDS: [1, 300],
  ANSWER_TIMEOUT_SECONDS: [1, 3600],
  IDLE_TIMEOUT_SECONDS: [5, 3600],
  SHUTDOWN_SECONDS: [0, 300],
  SHUTDOWN_DELAY_SECONDS: [0, 300],
  API_KEYS_PER_USER: [0, 10_000],
  UNVERIFIED_DAYS: [0, 3650],
  AUDIT_RETENTION_DAYS: [1, 36_500],
  JANITOR_SECONDS: [1, 86_400],
}

/** Variables that would contradict one at its limit. */
const makesRoom: Record<string, Record<string, string>> = {
  ACCESS_TOKEN_SECONDS: { ACCESS_TOKEN_MAX_SECONDS: '86400' },
  ACCESS_TOKEN_MAX_SECONDS: { ACCESS_TOKEN_SECONDS: '30' },
  SESSION_IDLE_DAYS: { SESSION_ABSOLUTE_DAYS: '3650' },
  SESSION_ABSOLUTE_DAYS: { SESSION_IDLE_DAYS: '1' },
}

for (const [name, [least, most]] of Object.entries(limits)) {
  test(`${name} → a whole number from ${least} to ${most}`, (t) => {
    const set = (value: string) => mistakes({ ...makesRoom[name], [name]: value })
    t.deepEqual(set(String(least)), [])
    t.deepEqual(set(` ${most} `), [])
    for (const wrong of [least - 1, most + 1, '1.5', '1e3', '0x10', 'many', '9'.repeat(10)]) {
      t.is(set(String(wrong)).length, 1, String(wrong))
      t.regex(set(String(wrong))[0] ?? '', new RegExp(`^${name} must be`))
    }
  })
}

const right: Record<string, string[]> = {
  NODE_ENV: ['development', 'test'],
  HOST: ['0.0.0.0', '::1', 'signet.internal'],
  ISSUER: ['https://auth.example', 'https://auth.example/tenant', 'http://127.0.0.1:3000'],
  DATABASE_URL: ['postgres://u:p@h/d', 'postgresql://h/d?sslmode=require'],
  DATABASE_PREPARED_STATEMENTS: ['true', 'false'],
  DATABASE_ALLOW_NEWER: ['true', 'false'],
  MIGRATE_ON_START: ['true', 'false'],
  REDIS_URL: ['none', 'redis://h', 'rediss://:p@h:1/2', 'redis://a, redis://b'],
  MASTER_KEYS: ['A'.repeat(43), `${'A'.repeat(43)}, ${'_'.repeat(42)}8`],
  TRUSTED_PROXIES: ['loopback', '10.0.0.0/8, ::1', '192.168.0.1'],
  CORS_ORIGINS: ['https://app.example', 'https://a.example,http://localhost:3000'],
  REGISTRATION: ['open', 'closed'],
  APP_URL: ['https://app.example', 'http://localhost:5173'],
  SMTP_URL: ['none', 'smtp://localhost:25', 'smtps://u:p@mail.example'],
  BREACHED_PASSWORDS_URL: ['https://api.pwnedpasswords.com/range/'],
  LOG_LEVEL: ['trace', 'silent'],
  LOG_FORMAT: ['json', 'pretty'],
  LOG_SAMPLE: ['0', '1', '0.01', '.5'],
  OTEL_EXPORTER_OTLP_ENDPOINT: ['http://127.0.0.1:4318', 'https://otel.example/base'],
  OTEL_EXPORTER_OTLP_HEADERS: ['a=b', 'Authorization=Basic%20dTpw,x-tenant=7', 'a='],
  OTEL_TRACES_SAMPLER: ['always_on', 'parentbased_traceidratio'],
  OTEL_TRACES_SAMPLER_ARG: ['0', '0.01', '1'],
}

const wrong: Record<string, string[]> = {
  NODE_ENV: ['prod', 'Production'],
  ISSUER: ['auth.example', 'ftp://x', 'https://x/', 'https://x?y', 'https://x#y'],
  DATABASE_URL: ['mysql://h/d', '/var/run/postgresql', 'hunter2'],
  DATABASE_ALLOW_NEWER: ['yes', '1'],
  MIGRATE_ON_START: ['TRUE', 'on'],
  DATABASE_PREPARED_STATEMENTS: ['yes', '2'],
  REDIS_URL: ['http://h', 'redis://a,b', 'localhost:6379', 'None'],
  KEY_BITS: ['2049', '3000'],
  MASTER_KEYS: ['A'.repeat(42), `${'A'.repeat(43)},x`, `${'A'.repeat(42)}B`, ','],
  TRUSTED_PROXIES: ['10.0.0.0/33', 'proxy.example', 'loopback,x'],
  CORS_ORIGINS: ['*', 'https://shop.test/', 'shop.test', 'https://shop.test/path'],
  REGISTRATION: ['yes'],
  APP_URL: ['app.example', 'ftp://x'],
  SMTP_URL: ['mail.example', 'https://mail.example'],
  BREACHED_PASSWORDS_URL: ['api.pwnedpasswords.com'],
  LOG_LEVEL: ['loud', 'INFO'],
  LOG_FORMAT: ['xml'],
  LOG_SAMPLE: ['1.5', '-0.1', '1e-3', '10 %', '0.0000001'],
  OTEL_EXPORTER_OTLP_ENDPOINT: ['127.0.0.1:4318', 'grpc://otel.example'],
  OTEL_EXPORTER_OTLP_HEADERS: ['x', '=b', 'a b=c', 'a=b%0D%0Ax: y', 'a=%ff', 'a=b c'],
  OTEL_TRACES_SAMPLER: ['sometimes', 'jaeger_remote'],
  OTEL_TRACES_SAMPLER_ARG: ['2', 'x'],
}

test('valid values → accepted; invalid values → an error that names the variable', (t) => {
  for (const [name, values] of Object.entries(right)) {
    for (const value of values) t.deepEqual(mistakes({ [name]: value }), [], `${name}=${value}`)
  }
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const [mistake = '', ...more] = mistakes({ [name]: value })
      t.deepEqual(more, [])
      t.regex(mistake, new RegExp(`^${name} must `), `${name}=${value}`)
      if (value.length > 6) t.false(mistake.includes(value), 'a value may be a secret')
    }
  }
})

test('every variable → in one of these tables, or free text', (t) => {
  const free = [
    'MAIL_FROM',
    'REDIS_KEY_PREFIX',
    'DATA_DIR',
    'KEYS_DIR',
    'THEME_DIR',
    'METRICS_HOST',
    'OTEL_SERVICE_NAME',
  ]
  const tried = new Set([...Object.keys(limits), ...Object.keys(right), ...free])
  t.deepEqual(
    Object.keys(variables).filter((name) => !tried.has(name)),
    [],
  )
})

test('an empty environment → the defaults for development', (t) => {
  t.like(readConfig({}), {
    production: false,
    host: '127.0.0.1',
    issuer: 'http://127.0.0.1:3000',
    redisUrls: [],
    migrateOnStart: true,
    logFormat: 'pretty',
    metricsPorts: [9464, 0],
    PASSWORD_CONCURRENCY: Math.min(64, availableParallelism()),
  })
  t.is(readConfig({ PORT: '8080' }).issuer, 'http://127.0.0.1:8080')
  t.is(readConfig({ PORT: '' }).PORT, 3000, 'empty is not set')
  t.deepEqual(readConfig({ REDIS_URL: 'redis://a, redis://b' }).redisUrls, [
    'redis://a',
    'redis://b',
  ])
})

const production = {
  NODE_ENV: 'production',
  ISSUER: 'https://auth.example',
  DATABASE_URL: 'postgres://h/d',
  REDIS_URL: 'none',
  SMTP_URL: 'none',
}

test('production → important settings are required, and defaults are strict', (t) => {
  t.like(readConfig(production), {
    production: true,
    host: '0.0.0.0',
    migrateOnStart: false,
    logFormat: 'json',
    metricsPorts: [9464],
  })
  const names = mistakes({ NODE_ENV: 'production' }).map((line) => line.split(' ', 1)[0])
  t.deepEqual(names, ['ISSUER', 'DATABASE_URL', 'SMTP_URL', 'REDIS_URL'])
  const sender = mistakes({ ...production, SMTP_URL: 'smtp://mail.example' })
  t.regex(sender.join(), /^MAIL_FROM is required/)
  t.regex(mistakes({ ...production, ISSUER: 'http://auth.example' })[0] ?? '', /^ISSUER.*https/)
  t.deepEqual(mistakes({ ...production, ISSUER: 'http://localhost:3000' }), [])
})

test('several errors → each is reported once', (t) => {
  const names = mistakes({
    NODE_ENV: 'production',
    ISSUER: 'x',
    PORT: 'x',
    REDIS_URL: 'none',
    SMTP_URL: 'none',
    ACCESS_TOKEN_SECONDS: '3601',
    SESSION_IDLE_DAYS: '31',
  }).map((line) => line.split(' ', 1)[0])
  const expected = ['PORT', 'ISSUER', 'ACCESS_TOKEN_SECONDS', 'SESSION_IDLE_DAYS', 'DATABASE_URL']
  t.deepEqual(names, expected)
})

test('a misspelled variable → reported; other names are ignored', (t) => {
  const others = { HOSTNAME: 'x', PORTS: 'x', PGHOST: 'x', DATABASE_HOST: 'x', LOG_LEVEL: 'info' }
  t.deepEqual(misspelledVariables(others), [])
  t.deepEqual(
    misspelledVariables({ MASTER_KEY: 'x', DATABASE_ULR: 'x', ISSUER: 'x', log_level: 'x' }),
    [
      'MASTER_KEY is not a variable of Signet. Did you mean MASTER_KEYS?',
      'DATABASE_ULR is not a variable of Signet. Did you mean DATABASE_URL?',
      'log_level is not a variable of Signet. Did you mean LOG_LEVEL?',
    ],
  )
})

test('ASVS 12.3.1: unencrypted URLs in production → refused, except on loopback', (t) => {
  const production = {
    NODE_ENV: 'production',
    ISSUER: 'https://signet.example',
    DATABASE_URL: 'postgres://127.0.0.1/signet',
    REDIS_URL: 'none',
    SMTP_URL: 'none',
  }
  t.deepEqual(mistakes(production), [])
  for (const name of ['APP_URL', 'BREACHED_PASSWORDS_URL']) {
    const [line = '', ...more] = mistakes({ ...production, [name]: 'http://app.example/' })
    t.true(line.startsWith(`${name} must be https in production`), line)
    t.deepEqual(more, [])
    t.deepEqual(mistakes({ ...production, [name]: 'http://127.0.0.1:4000/' }), [])
    t.deepEqual(mistakes({ [name]: 'http://app.example/' }), [])
  }
})
