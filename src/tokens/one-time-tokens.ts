import { createHmac, timingSafeEqual } from 'node:crypto'
import { later, type Now } from '../clock.ts'
import { createSecret, digestSecret } from '../oauth/opaque-token.ts'
import type { ExpiringRows } from '../stores/delete-expired.ts'
import type { Db } from '../stores/postgres.ts'

export type TokenPurpose = 'email_verification' | 'password_reset' | 'disowned_sign_in'

export interface Presented {
  readonly purpose: TokenPurpose
  readonly token: string
}

interface Holder {
  readonly userId: string
  readonly email: string
}

interface Issued {
  readonly issuedAt: Date
}

interface NewToken extends Holder {
  readonly purpose: TokenPurpose
  readonly seconds: number
  /** 256 unpredictable bits; random when absent. */
  readonly bits?: Buffer
}

/** Crockford's Base 32: no letters that look like digits. */
const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const codeLength = 8
const repeatSeconds = 60

/** A code as people type it: in any case, with or without a hyphen, with O for 0 and I or L for 1. */
const normalCode = (code: string): string =>
  code.slice(0, 40).toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1')

/** Tokens in links of mails: 256 bits, stored as a digest, valid for one use. */
export class OneTimeTokens {
  readonly #now: Now
  readonly #codeKey: Uint8Array

  /** @param codeKey derives the codes of mails: 256 bits that all instances share */
  constructor(now: Now, codeKey: Uint8Array) {
    this.#now = now
    this.#codeKey = codeKey
  }

  /** Issues a token, which replaces the person's earlier one of that purpose. */
  async issue(db: Db, { purpose, userId, email, seconds, bits }: NewToken): Promise<string> {
    const token = createSecret('sot_', bits)
    const row = {
      digest: digestSecret(token),
      email,
      created_at: this.#now(),
      expires_at: later(this.#now(), seconds),
    }
    await db('one_time_tokens')
      .insert({ ...row, purpose, user_id: userId })
      .onConflict(['user_id', 'purpose'])
      .merge(row)
    return token
  }

  /** Finds the owner of a valid token without spending it. */
  async peek(db: Db, { purpose, token }: Presented): Promise<(Holder & Issued) | undefined> {
    const row = await db('one_time_tokens')
      .where({ digest: digestSecret(token), purpose })
      .where('expires_at', '>', this.#now())
      .first()
    return row && { userId: row.user_id, email: row.email, issuedAt: row.created_at }
  }

  /** Spends a token by deleting its row: of several concurrent uses exactly one gets the owner. */
  async spend(db: Db, { purpose, token }: Presented): Promise<Holder | undefined> {
    const [row] = await db('one_time_tokens')
      .where({ digest: digestSecret(token), purpose })
      .where('expires_at', '>', this.#now())
      .delete()
      .returning('*')
    return row && { userId: row.user_id, email: row.email }
  }

  /** The code that is typed instead of opening a link: 40 bits, which follow from the link. */
  codeOf(token: string): string {
    return this.#codeOf(digestSecret(token))
  }

  #codeOf(digest: Buffer): string {
    const bytes = createHmac('sha256', this.#codeKey).update(digest).digest()
    const bits = bytes.readUIntBE(0, 5)
    return Array.from({ length: codeLength }, (_, at) => {
      const digit = Math.floor(bits / 32 ** (codeLength - 1 - at)) % 32
      return crockford[digit]
    }).join('')
  }

  /**
   * Spends the live token of a person with the code of its mail. It stays valid for a moment, so that a form
   * that is sent twice succeeds twice.
   * @returns undefined when the code is wrong, or there is no token
   */
  async spendByCode(
    db: Db,
    { purpose, userId, code }: { purpose: TokenPurpose; userId: string; code: string },
  ): Promise<Holder | undefined> {
    const live = db('one_time_tokens')
      .where({ user_id: userId, purpose })
      .where('expires_at', '>', this.#now())
    const row = await live.clone().first()
    const expected = Buffer.from(this.#codeOf(row?.digest ?? Buffer.alloc(32)))
    const given = Buffer.from(normalCode(code))
    if (given.length !== expected.length || !timingSafeEqual(given, expected) || !row) {
      return undefined
    }
    const soon = later(this.#now(), repeatSeconds)
    if (row.expires_at > soon) await live.clone().update({ expires_at: soon })
    return { userId: row.user_id, email: row.email }
  }

  /** Invalidates the links that were mailed before the password or the address changed. */
  async withdraw(
    db: Db,
    userId: string,
    purpose: TokenPurpose,
    keepEmail: string | null = null,
  ): Promise<void> {
    const links = db('one_time_tokens').where({ user_id: userId, purpose })
    if (keepEmail !== null) links.whereNot('email', keepEmail)
    await links.delete()
  }
}

/** The token of a link, expired or not; for operators. A spent one has no row. */
export const readLinkToken = (
  db: Db,
  token: string,
): Promise<
  | {
      readonly purpose: TokenPurpose
      readonly user_id: string
      readonly created_at: Date
      readonly expires_at: Date
    }
  | undefined
> =>
  db('one_time_tokens')
    .where({ digest: digestSecret(token) })
    .first('purpose', 'user_id', 'created_at', 'expires_at')

export const expiredOneTimeTokens: ExpiringRows = {
  table: 'one_time_tokens',
  columns: ['expires_at'],
}
