import { availableParallelism } from 'node:os'
import { z } from 'zod'
import {
  flag,
  headers,
  issuerUrl,
  mailUrl,
  masterKeys,
  networks,
  oneOf,
  origins,
  redisUrls,
  share,
  url,
  whole,
} from './environment-rules.ts'

/** One per core: checks have a lower priority, so no core has to be left free (ADR 21). */
const passwordConcurrency = Math.min(64, availableParallelism())

/**
 * Each variable with its rule, default and description. `absent` describes a default that is not a fixed
 * value. docs/configuration.md and .env.example are generated from this.
 */
export const variables = {
  NODE_ENV: oneOf('development', 'test', 'production')
    .default('development')
    .describe('`production` refuses defaults that are only good for development'),
  HOST: z
    .string()
    .optional()
    .meta({ description: 'address to listen on', absent: '`127.0.0.1`, in production `0.0.0.0`' }),
  PORT: whole(0, 65_535).default(3000).describe('port to listen on'),
  ISSUER: issuerUrl.optional().meta({
    description:
      'the `iss` of every token, and the base of every URL in the metadata; in production https',
    absent: '`http://127.0.0.1:` and `PORT`; required in production',
  }),
  DATABASE_URL: url('postgres:', 'postgresql:').optional().meta({
    description: 'PostgreSQL 14 or newer',
    absent: 'an embedded one under `DATA_DIR`; required in production',
  }),
  DATABASE_POOL_SIZE: whole(2, 500).default(10).describe('connections of one instance'),
  DATABASE_TIMEOUT_SECONDS: whole(1, 60)
    .default(3)
    .describe(
      'longest time for a statement, a connect, or the wait for a connection; beyond it callers get 503',
    ),
  DATABASE_PREPARED_STATEMENTS: flag
    .default(true)
    .describe(
      'prepare the most frequent statements by name; `false` behind a pooler that does not support them, such as PgBouncer before 1.21 in transaction mode',
    ),
  DATABASE_ALLOW_NEWER: flag
    .default(false)
    .describe('start on a database that a newer release has migrated, to roll back by one release'),
  MIGRATE_ON_START: flag.optional().meta({
    description:
      'apply pending migrations at start-up; `false` refuses to start instead, see `signet migrate`',
    absent: '`true`, in production `false`',
  }),
  REDIS_URL: redisUrls.optional().meta({
    description:
      'Redis for fast revocation checks; for a cluster the URL of any node, or several separated by commas; with `none` PostgreSQL answers',
    absent: '`none`; required in production',
  }),
  REDIS_KEY_PREFIX: z
    .string()
    .default('')
    .describe('prefix of every key, so that several installations can share a Redis'),
  REDIS_TIMEOUT_MILLISECONDS: whole(10, 10_000)
    .default(250)
    .describe('longest time for a Redis command; beyond it PostgreSQL is used instead'),
  DATA_DIR: z
    .string()
    .default('.data')
    .describe('folder of the embedded PostgreSQL and of mails that are written to files'),
  THEME_DIR: z.string().optional().meta({
    description: 'folder with the colors, the logo and the texts of the pages, see docs/themes.md',
    absent: 'the built-in look',
  }),
  KEYS_DIR: z.string().default('keys').describe('folder with the master key files'),
  MASTER_KEYS: masterKeys.optional().meta({
    description:
      'master keys from a secret manager: base64url of 32 bytes each, separated by commas, the newest first',
    absent: 'the files in `KEYS_DIR`',
  }),
  KEY_ROTATION_DAYS: whole(1, 3650).default(30).describe('how long a signing key signs'),
  KEY_BITS: whole(2048, 4096)
    .refine((bits) => [2048, 3072, 4096].includes(bits), 'must be 2048, 3072 or 4096')
    .default(2048)
    .describe('RSA modulus of new signing keys: 2048, 3072 or 4096'),
  KEYRING_REREAD_SECONDS: whole(1, 60)
    .default(5)
    .describe('how often an instance rereads the signing keys'),
  ACCESS_TOKEN_SECONDS: whole(30, 86_400)
    .default(900)
    .describe(
      'lifetime of access tokens, unless the client has its own; each is up to a tenth, and at most 60 s, shorter',
    ),
  ACCESS_TOKEN_MAX_SECONDS: whole(30, 86_400)
    .default(3600)
    .describe(
      'longest lifetime that a client can have; retired keys and revocations are kept for it',
    ),
  REFRESH_GRACE_SECONDS: whole(0, 300)
    .default(30)
    .describe('how long a spent refresh token returns the same successor again'),
  SESSION_IDLE_DAYS: whole(1, 3650)
    .default(7)
    .describe('days without a refresh after which a session ends, unless the client has its own'),
  SESSION_ABSOLUTE_DAYS: whole(1, 3650)
    .default(30)
    .describe('days after the sign-in at which a session ends, unless the client has its own'),
  SESSIONS_PER_USER: whole(1, 10_000)
    .default(100)
    .describe('live sessions of one user; another sign-in ends the oldest'),
  ARGON2_MEMORY_KIB: whole(8192, 4_194_304)
    .default(19_456)
    .describe('argon2id memory; hashes with less are renewed at the next sign-in'),
  ARGON2_TIME_COST: whole(1, 20).default(2).describe('argon2id passes'),
  PASSWORD_CONCURRENCY: whole(1, 64).default(passwordConcurrency).meta({
    description: 'concurrent password checks, each with a core and `ARGON2_MEMORY_KIB`',
    absent: 'the number of cores, at most 64',
  }),
  PASSWORD_QUEUE_SECONDS: whole(1, 60)
    .default(2)
    .describe('longest wait for a password check; beyond it callers get 503 with Retry-After'),
  REGISTRATION: oneOf('open', 'closed')
    .default('open')
    .describe('`closed` disables registration; administrators can still add users'),
  UNVERIFIED_DAYS: whole(0, 3650)
    .default(30)
    .describe(
      'days after which a user who registered and did not verify the address is deleted; 0: never',
    ),
  APP_URL: url('http:', 'https:').optional().meta({
    description:
      'base URL of the pages `/verify-email` and `/reset-password` of your app, to which mails link',
    absent: '`ISSUER`, with the plain pages of this server',
  }),
  SMTP_URL: mailUrl.optional().meta({
    description: 'mail server, such as `smtps://user:password@mail.example`',
    absent: 'mails become files in `DATA_DIR/outbox`; required in production, or `none`',
  }),
  MAIL_FROM: z
    .string()
    .default('Signet <no-reply@localhost>')
    .describe('sender of mails; required in production with SMTP_URL'),
  BREACHED_PASSWORDS_URL: url('http:', 'https:').optional().meta({
    description: 'k-anonymity range service such as `https://api.pwnedpasswords.com/range/`',
    absent: 'no password is looked up',
  }),
  API_KEYS_PER_USER: whole(0, 10_000).default(20).describe('API keys of one user'),
  TRUSTED_PROXIES: networks
    .default([])
    .describe(
      'addresses or networks (CIDR, or `loopback`, `linklocal`, `uniquelocal`) whose X-Forwarded-For and X-Request-Id are used',
    ),
  CORS_ORIGINS: origins
    .default([])
    .describe('origins whose scripts may call the OAuth endpoints and, with cookies, the JSON API'),
  REQUEST_TIMEOUT_SECONDS: whole(1, 300)
    .default(10)
    .describe('longest time for a client to send a request'),
  ANSWER_TIMEOUT_SECONDS: whole(1, 3600)
    .default(60)
    .describe('longest time for a client to read an answer, or the next part of a long one'),
  IDLE_TIMEOUT_SECONDS: whole(5, 3600)
    .default(65)
    .describe(
      'how long an idle connection is kept; longer than a proxy in front keeps it, which otherwise sends requests into connections that are being closed',
    ),
  SHUTDOWN_SECONDS: whole(0, 300)
    .default(10)
    .describe('how long requests in progress may take to finish after SIGTERM'),
  SHUTDOWN_DELAY_SECONDS: whole(0, 300)
    .default(0)
    .describe(
      'how long to keep answering after SIGTERM, with 503 from `/health/ready`, until load balancers have noticed',
    ),
  LOG_LEVEL: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent')
    .default('info')
    .describe('least severe level that is logged'),
  LOG_FORMAT: oneOf('json', 'pretty').optional().meta({
    description: '`json` writes one object per line, `pretty` is for reading',
    absent: '`pretty`, in production `json`',
  }),
  LOG_SAMPLE: share
    .default(1)
    .describe(
      'share of successful requests that are logged, such as `0.01`; refusals and errors always are',
    ),
  METRICS_HOST: z
    .string()
    .default('127.0.0.1')
    .describe(
      'address of the metrics port; the image sets `0.0.0.0`: publish that port on loopback or a private network only',
    ),
  METRICS_PORT: whole(0, 65_535).optional().meta({
    description: 'port that serves Prometheus metrics',
    absent: '`9464`; outside production any free port if that is taken',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: url('http:', 'https:').optional().meta({
    description:
      'base URL of an OpenTelemetry collector, to which traces are sent as OTLP over HTTP (JSON), see docs/traces.md',
    absent: 'nothing is traced',
  }),
  OTEL_EXPORTER_OTLP_HEADERS: headers.default({}).meta({
    description:
      'headers of each request to the collector, such as `Authorization=Bearer%20…`, separated by commas',
    absent: 'none',
  }),
  OTEL_SERVICE_NAME: z.string().max(255).default('signet').describe('`service.name` of traces'),
  OTEL_TRACES_SAMPLER: oneOf(
    'always_on',
    'always_off',
    'traceidratio',
    'parentbased_always_on',
    'parentbased_always_off',
    'parentbased_traceidratio',
  )
    .default('parentbased_always_on')
    .describe('which requests are traced; the parent is that of a trusted proxy'),
  OTEL_TRACES_SAMPLER_ARG: share
    .default(1)
    .describe('share of requests that a `…traceidratio` sampler traces, such as `0.01`'),
  AUDIT_RETENTION_DAYS: whole(1, 36_500).default(400).describe('how long audit events are kept'),
  JANITOR_SECONDS: whole(1, 86_400)
    .default(60)
    .describe('interval at which expired rows are deleted'),
} as const

export type Environment = z.output<z.ZodObject<typeof variables>>
