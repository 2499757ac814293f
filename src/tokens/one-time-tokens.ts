import { later, type Now } from '../clock.ts'
import { createSecret, digestSecret } from '../oauth/opaque-token.ts'
import type { ExpiringRows } from '../stores/delete-expired.ts'
import type { Db } from '../stores/postgres.ts'

export type TokenPurpose = 'email_verification' | 'password_reset'

export interface Presented {
  readonly purpose: TokenPurpose
  readonly token: string
}

interface Holder {
  readonly userId: string
  readonly email: string
}

interface NewToken extends Holder {
  readonly purpose: TokenPurpose
  readonly seconds: number
  /** 256 unpredictable bits; random when absent. */
  readonly bits?: Buffer
}

/** Tokens in links of mails: 256 bits, stored as a digest, valid for one use. */
export class OneTimeTokens {
  readonly #now: Now

  constructor(now: Now) {
    this.#now = now
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
  async peek(db: Db, { purpose, token }: Presented): Promise<Holder | undefined> {
    const row = await db('one_time_tokens')
      .where({ digest: digestSecret(token), purpose })
      .where('expires_at', '>', this.#now())
      .first()
    return row && { userId: row.user_id, email: row.email }
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

export const expiredOneTimeTokens: ExpiringRows = {
  table: 'one_time_tokens',
  columns: ['expires_at'],
}
