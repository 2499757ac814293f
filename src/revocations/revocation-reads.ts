import type { Now } from '../clock.ts'
import type { Db } from '../stores/postgres.ts'
import type { RevocationKind, RevocationSubject } from './revocation-log.ts'

/** An entry that is in force, for operators. */
export interface RevocationEntry {
  readonly kind: RevocationKind
  readonly value: string
  readonly revoked_at: Date
}

/** The live entries of the log for these subjects, newest first. */
export async function readRevocations(
  db: Db,
  subjects: readonly RevocationSubject[],
  now: Now,
): Promise<RevocationEntry[]> {
  const rows: RevocationEntry[] = await db('revocations')
    .whereIn(
      'value',
      subjects.map(({ value }) => value),
    )
    .where('expires_at', '>', now())
    .orderBy('seq', 'desc')
    .limit(100)
    .select('kind', 'value', 'revoked_at')
  return rows.filter((row) =>
    subjects.some(({ kind, value }) => kind === row.kind && value === row.value),
  )
}
