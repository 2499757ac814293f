import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Knex } from 'knex'
import { z } from 'zod'
import { AuditLog } from '../../audit/audit-log.ts'
import { OperatorError } from '../../errors.ts'
import { masterKeysInUse } from '../../keyring/sealing.ts'

const count = z.number().int().nonnegative()

/** A backup in a few words, beside it: readable without restoring it, and without a secret or a name. */
const manifestFile = z.object({
  format: z.literal(1),
  /** The time of the snapshot, by the clock of PostgreSQL. */
  created_at: z.iso.datetime(),
  /** The release that made it. */
  release: z.string().max(100),
  postgresql: z.string().max(100),
  newest_migration: z.string().max(200),
  /** The ids of the master keys that open its secrets. */
  master_keys: z.array(z.string().max(100)).max(1000),
  people: count,
  clients: count,
  sessions: count,
  newest_event: z
    .object({ id: z.string().regex(/^[1-9]\d{0,18}$/), at: z.iso.datetime() })
    .nullable(),
  bytes: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})

export type Manifest = z.infer<typeof manifestFile>

/** The part that PostgreSQL knows. */
export type Description = Omit<Manifest, 'format' | 'release' | 'bytes' | 'sha256'>

const mostBytes = 65_536

export const manifestOf = (file: string): string => `${file}.json`

/** Describes the database as the snapshot of this transaction sees it. */
export async function describe(trx: Knex.Transaction): Promise<Description> {
  const { rows } = await trx.raw<{ rows: [Record<string, string> & { at: Date }] }>(
    `SELECT now() AS at, current_setting('server_version') AS version,
            (SELECT name FROM knex_migrations ORDER BY id DESC LIMIT 1) AS migration,
            (SELECT count(*) FROM users) AS people, (SELECT count(*) FROM clients) AS clients,
            (SELECT count(*) FROM refresh_families) AS sessions`,
  )
  const { at, version = '', migration = '', people, clients, sessions } = rows[0]
  const event = await new AuditLog(trx, () => at).newest()
  return {
    created_at: at.toISOString(),
    postgresql: version,
    newest_migration: migration,
    master_keys: (await masterKeysInUse(trx)).sort(),
    people: Number(people),
    clients: Number(clients),
    sessions: Number(sessions),
    newest_event: event ? { id: event.id, at: event.at.toISOString() } : null,
  }
}

/** @throws OperatorError if it cannot be read, or is none */
export async function readManifest(path: string): Promise<Manifest> {
  const text = await readStart(path)
  try {
    return manifestFile.parse(JSON.parse(text))
  } catch (cause) {
    throw new OperatorError(`${path} is not a manifest that this release can read.`, { cause })
  }
}

async function readStart(path: string): Promise<string> {
  const file = await open(path).catch((cause) => {
    if (cause.code !== 'ENOENT') {
      throw new OperatorError(`${path} cannot be read: ${cause.message}`, { cause })
    }
    throw new OperatorError(
      `There is no ${path}: copy it, too. Without it, restore the backup into an empty database and run ` +
        'signet backup verify.',
      { cause },
    )
  })
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(mostBytes), 0, mostBytes, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

/** @param onProgress receives how many bytes were read */
export async function sha256Of(
  path: string,
  onProgress: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, signal })) {
    hash.update(chunk)
    bytes += chunk.length
    onProgress(bytes)
  }
  return { bytes, sha256: hash.digest('hex') }
}

/** A size for people. */
export function sizeText(bytes: number): string {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1e3)} kB`
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`
}
