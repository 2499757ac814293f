import { createHash, randomBytes } from 'node:crypto'
import { later, type Now } from '../clock.ts'
import type { Db } from '../stores/postgres.ts'

export type TokenPurpose = 'email_verification' | 'password_reset'

export interface Presented {
  readonly purpose: TokenPurpose
  readonly token: string
}

export interface Holder {
  readonly userId: string
  readonly email: string
}

export interface NewToken extends Holder {
  readonly purpose: TokenPurpose
  readonly seconds: number
  /** 256 bits that nobody can guess; random ones when absent. */
  readonly bits?: Buffer
}

const prefix = 'sot_'

/** Tokens in the links of mails: 256 random bits, kept as a digest, good for one use. */
export class OneTimeTokens {
  readonly #now: Now

  constructor(now: Now) {
    this.#now = now
  }

  /** A newer token of a purpose replaces the one before. */
  async issue(db: Db, { purpose, userId, email, seconds, bits }: NewToken): Promise<string> {
    const token = prefix + (bits ?? randomBytes(32)).toString('base64url')
    const row = {
      digest: digestOf(token),
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

  /** Whose token it is, without spending it. */
  async peek(db: Db, { purpose, token }: Presented): Promise<Holder | undefined> {
    const row = await db('one_time_tokens')
      .where({ digest: digestOf(token), purpose })
      .where('expires_at', '>', this.#now())
      .first()
    return row && { userId: row.user_id, email: row.email }
  }

  /** Deleting the row is spending the token: of many that come at once one gets it. */
  async spend(db: Db, { purpose, token }: Presented): Promise<Holder | undefined> {
    const [row] = await db('one_time_tokens')
      .where({ digest: digestOf(token), purpose })
      .where('expires_at', '>', this.#now())
      .delete()
      .returning('*')
    return row && { userId: row.user_id, email: row.email }
  }

  /** What was sent to a person before becomes worthless: their password or their address is another. */
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

  async prune(before: Date, limit: number, db: Db): Promise<number> {
    return db('one_time_tokens')
      .whereIn('digest', (old) =>
        old.select('digest').from('one_time_tokens').where('expires_at', '<', before).limit(limit),
      )
      .delete()
  }
}

const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest()
