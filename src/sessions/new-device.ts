import type { Knex } from 'knex'
import { v7 as uuidv7 } from 'uuid'
import type { MailData, Outbox } from '../mail/outbox.ts'
import { digestSecret } from '../oauth/opaque-token.ts'
import { addressOf } from '../throttle/networks.ts'

/** A sign-in as it may be news to its person. */
export interface SignInOrigin {
  /** Since when the device has been known to the person; absent: it is new. */
  readonly deviceKnownSince?: Date | undefined
  readonly ip?: string | undefined
  /** The User-Agent of the device; shown to the person. */
  readonly userAgent?: string | undefined
  /** The name of the app. */
  readonly app?: string | undefined
}

type Name = 'user' | 'at' | 'knownSince' | 'origin' | 'mail' | 'data'

/**
 * Two parts of a statement that begins a session: `noticed` marks the person of a sign-in on a new device,
 * and `mailed` writes the mail about it (ASVS 6.3.5). They need `welcome`, the person as the locked row shows
 * them, and `begun`, the `user_id` of the session, if it has begun.
 *
 * A first sign-in is no news. Within an hour of the last mail another one is written only for another
 * address, and at most three times in a row, so that an app that never sends its device token does not fill
 * a mailbox. The row of the person counts, because concurrent sign-ins take turns at its lock; each sees
 * there what the one before it wrote, and would not see its mail.
 */
export function newDeviceParts(given: Readonly<Record<Name, string>>): string {
  const at = `CAST(${given.at} AS timestamptz)`
  const knownSince = `CAST(${given.knownSince} AS timestamptz)`
  const hourAgo = `${at} - interval '1 hour'`
  return `
   noticed AS (
     UPDATE users
        SET new_device_at = ${at}, new_device_origin = ${given.origin},
            new_device_mails = CASE WHEN users.new_device_at > ${hourAgo}
                                    THEN users.new_device_mails + 1 ELSE 1 END
       FROM begun
      WHERE users.id = begun.user_id
        AND (${knownSince} IS NULL OR users.devices_reset_at >= ${knownSince})
        AND (users.new_device_at IS NULL OR users.new_device_at <= ${hourAgo}
             OR (users.new_device_mails < 3 AND users.new_device_origin <> ${given.origin}))
     RETURNING users.id
   ), mailed AS (
     INSERT INTO outgoing_mail (id, template, recipient, user_id, data, created_at, next_attempt_at)
     SELECT CAST(${given.mail} AS uuid), 'new_sign_in', welcome.email, welcome.user_id,
            CAST(${given.data} AS jsonb)
              || jsonb_strip_nulls(jsonb_build_object('locale', welcome.locale)),
            ${at}, ${at}
       FROM noticed, welcome
      WHERE welcome.email IS NOT NULL AND welcome.email_verified_at IS NOT NULL
        AND (welcome.new_device_at IS NOT NULL
             OR EXISTS (SELECT FROM audit_events
                         WHERE user_id = ${given.user} AND event = 'user.signed_in'))
     RETURNING 1
   )`
}

/** The columns of `welcome` that the parts read. */
export const noticedColumns =
  'users.email, users.email_verified_at, users.locale, users.new_device_at'

/** The values of the parts that follow from a sign-in. */
export const newDeviceValues = ({ deviceKnownSince, ip = '', userAgent, app }: SignInOrigin) => {
  const data: MailData = { ip: ip || null, userAgent: userAgent?.slice(0, 300), app }
  return {
    knownSince: deviceKnownSince ?? null,
    origin: digestSecret(addressOf(ip)),
    mail: uuidv7(),
    data: JSON.stringify(data),
  }
}

const inTransaction = `
  WITH begun AS (SELECT CAST(:user AS uuid) AS user_id),
       welcome AS (SELECT users.id AS user_id, ${noticedColumns} FROM users WHERE id = :user),
       ${newDeviceParts({
         user: ':user',
         at: ':at',
         knownSince: ':knownSince',
         origin: ':origin',
         mail: ':mail',
         data: ':data',
       })}
  SELECT EXISTS (SELECT FROM mailed) AS mailed`

/** The person of a sign-in, whose row the transaction has locked. */
interface Noticed {
  readonly id: string
  readonly at: Date
  /** Devices that were known before are new; undefined if the caller has not read it. */
  readonly resetAt?: Date | null
}

/**
 * Writes the mail about a sign-in on a new device, in a transaction and before the event of the sign-in. A
 * device that is known costs no statement.
 */
export async function noteNewDevice(
  trx: Knex.Transaction,
  outbox: Outbox,
  { id, at, resetAt }: Noticed,
  origin: SignInOrigin,
): Promise<void> {
  const { deviceKnownSince } = origin
  const isKnown = deviceKnownSince && (resetAt === null || (resetAt && resetAt < deviceKnownSince))
  if (isKnown) return
  const values = { user: id, at, ...newDeviceValues(origin) }
  const { rows } = await trx.raw<{ rows: { mailed: boolean }[] }>(inTransaction, values)
  if (rows[0]?.mailed) outbox.wake(trx)
}
