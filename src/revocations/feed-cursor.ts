import { createHash } from 'node:crypto'
import type { LogPosition } from './revocation-log.ts'

/**
 * How far a reader of the feed has come, as the opaque `seq` that it sends back: the history, the
 * transaction number below which it has everything, and a digest of what it has beyond that, so that
 * a reader is not answered at once for what it was just told.
 */
export interface FeedCursor extends LogPosition {
  readonly open: string
}

const spelling = /^([\w-]{8})\.(\d{1,19})(?:\.([\w-]{8}))?$/

/** @returns undefined for what this server never wrote: such a reader gets the full list */
export function parseCursor(text: string | undefined): FeedCursor | undefined {
  const [, history, watermark, open = ''] = spelling.exec(text ?? '') ?? []
  if (history === undefined || watermark === undefined) return undefined
  return { history, watermark: BigInt(watermark), open }
}

export const spellCursor = ({ history, watermark, open }: FeedCursor): string =>
  [history, watermark, ...(open ? [open] : [])].join('.')

/** Stands for entries of transactions that are not settled yet: the same at every instance. */
export const openDigest = (seqs: readonly string[]): string =>
  seqs.length === 0
    ? ''
    : createHash('sha256')
        .update([...seqs].sort().join())
        .digest('base64url')
        .slice(0, 8)
