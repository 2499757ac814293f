import type { Bookmark, LogChanges, LoggedRevocation, RevocationLog } from './revocation-log.ts'

interface ReadChanges extends LogChanges {
  /** Those of `entries` that are new. */
  readonly fresh: readonly LoggedRevocation[]
  /** The history changed or numbers went back: the database was restored, and all must be read again. */
  readonly isRestored: boolean
}

/**
 * Follows the log and reads each entry once. Entries of transactions at or above the watermark are kept
 * and returned again: one that was numbered earlier may still commit among them (ADR 4). So a long
 * transaction costs memory, and no statement reads the same rows twice a second.
 */
export class LogReader {
  readonly #log: RevocationLog
  #bookmark: Bookmark | undefined
  #open = new Map<string, LoggedRevocation>()
  #droppedUntil = 0

  constructor(log: RevocationLog) {
    this.#log = log
  }

  get position(): Bookmark | undefined {
    return this.#bookmark
  }

  /** Takes the position before all live entries are read, so that nothing falls between the two. */
  async begin(): Promise<Bookmark> {
    if (await this.#log.hasForeign()) await this.#log.renumber()
    const here = await this.#log.bookmark()
    // The first call of `next` reads the open entries once more and keeps them.
    this.#bookmark = { ...here, ceiling: here.watermark, running: [] }
    this.#open.clear()
    return this.#bookmark
  }

  /** Reads what committed since the last call. */
  async next(): Promise<ReadChanges> {
    const before = this.#bookmark ?? (await this.begin())
    const { bookmark, fresh } = await this.#read(before)
    const { history, watermark } = bookmark
    if (history !== before.history || wentBack(before, bookmark)) {
      return { history, watermark, entries: [], fresh: [], isRestored: true }
    }
    for (const entry of fresh) this.#open.set(entry.seq, entry)
    this.#dropExpired()
    const entries = [...this.#open.values()]
    for (const { seq, xid } of entries) if (xid < watermark) this.#open.delete(seq)
    this.#bookmark = bookmark
    return { history, watermark, entries, fresh, isRestored: false }
  }

  /** To the minute: all instances then keep the same entries, and their readers see a change at most once a minute. */
  #dropExpired(): void {
    const minute = this.#log.minute()
    if (minute.getTime() === this.#droppedUntil) return
    this.#droppedUntil = minute.getTime()
    for (const { seq, expiresAt } of this.#open.values()) {
      if (expiresAt <= minute) this.#open.delete(seq)
    }
  }

  async #read(before: Bookmark) {
    const fresh: LoggedRevocation[] = []
    let bookmark = before
    let hasForeign = false
    for await (const page of this.#log.newer(before)) {
      bookmark = page.bookmark
      hasForeign ||= page.hasForeign
      for (const entry of page.entries) if (!this.#open.has(entry.seq)) fresh.push(entry)
    }
    // With their new numbers they come with the next call.
    if (hasForeign) await this.#log.renumber()
    return { bookmark, fresh }
  }
}

const wentBack = (before: Bookmark, now: Bookmark): boolean =>
  now.watermark < before.watermark || now.ceiling < before.ceiling
