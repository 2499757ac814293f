import { createHmac } from 'node:crypto'
import type { Knex } from 'knex'
import { foldIdentifier } from '../identifier.ts'
import type { Preparation } from '../mail/delivery.ts'
import type { ClaimedMail } from '../mail/mail-queue.ts'
import type { LinkTemplate, MailTemplate } from '../mail/outbox.ts'
import type { OneTimeTokens, TokenPurpose } from './one-time-tokens.ts'

const hour = 3600

/** How long the link that verifies an address is valid. */
export const verificationSeconds = 24 * hour

/** The purpose and the lifetime of each link. */
const links: Record<LinkTemplate, { purpose: TokenPurpose; seconds: number }> = {
  verify_email: { purpose: 'email_verification', seconds: verificationSeconds },
  reset_password: { purpose: 'password_reset', seconds: hour },
  new_sign_in: { purpose: 'disowned_sign_in', seconds: 7 * 24 * hour },
}

const hasLink = (template: MailTemplate): template is LinkTemplate => template in links

interface Dependencies {
  readonly oneTimeTokens: OneTimeTokens
  /** Shared by all instances, and sealed in the database. */
  readonly linkKey: Uint8Array
}

/**
 * Prepares a mail in the transaction that claims it: checks that the mail is still needed, and issues
 * the token of its link. The token is derived, normally from the mail's id, so a mail that is sent twice
 * has the same link in both copies.
 */
export async function prepareLink(
  trx: Knex.Transaction,
  mail: ClaimedMail,
  { oneTimeTokens, linkKey }: Dependencies,
): Promise<Preparation> {
  if (!hasLink(mail.template)) return { outcome: 'ready', template: mail.template }
  const { purpose, seconds } = links[mail.template]
  if (mail.userId === null) return { outcome: 'pointless', reason: 'not needed: it has no person' }
  // A transaction that deletes the person waits for this mail: waiting for it would deadlock.
  const person: Person | undefined = await trx('users')
    .where({ id: mail.userId })
    .forKeyShare()
    .skipLocked()
    .first(
      'id',
      'email',
      'email_verified_at',
      'password_changed_at',
      'devices_reset_at',
      'disabled_at',
    )
  if (!person) return { outcome: 'busy' }
  const reason = pointless(mail, person) ?? (await superseded(trx, mail))
  if (reason) return { outcome: 'pointless', reason }
  const bits = createHmac('sha256', linkKey)
    .update(`${purpose} ${subjectOf(mail, person)}`)
    .digest()
  const holder = { userId: person.id, email: mail.recipient }
  // Issued in both cases, so that the person cannot see from their export or their next mail whether
  // the address belongs to another account; only its owner learns of it (ASVS 6.3.8).
  const token = await oneTimeTokens.issue(trx, { ...holder, purpose, seconds, bits })
  const owner =
    purpose === 'email_verification' && (await otherOwner(trx, mail.recipient, person.id))
  if (owner) {
    return { outcome: 'ready', template: 'registration_attempt', locale: owner.locale ?? undefined }
  }
  const code = mail.data.hasCode ? oneTimeTokens.codeOf(token) : undefined
  return { outcome: 'ready', template: mail.template, token, code }
}

/**
 * The mails about sign-ins on new devices have one link, until the person uses it: a stranger who signs in
 * again must not make the link of the mail before useless.
 */
const subjectOf = (mail: ClaimedMail, person: Person): string =>
  mail.template === 'new_sign_in'
    ? `${person.id} ${person.devices_reset_at?.getTime() ?? ''}`
    : mail.id

interface Person {
  id: string
  email: string | null
  email_verified_at: Date | null
  password_changed_at: Date
  devices_reset_at: Date | null
  disabled_at: Date | null
}

/** Why a mail is no longer needed, after it may have waited for hours. Undefined: it is needed. */
function pointless(mail: ClaimedMail, person: Person): string | undefined {
  if (person.disabled_at) return 'not needed: the person is disabled'
  const isTheirs =
    person.email !== null && foldIdentifier(person.email) === foldIdentifier(mail.recipient)
  const isVerification = mail.template === 'verify_email'
  if (isVerification && isTheirs) {
    return person.email_verified_at ? 'not needed: the address is verified' : undefined
  }
  if (!isVerification && !isTheirs) return 'not needed: the address is no longer theirs'
  if (mail.template === 'new_sign_in') {
    // A stranger who changes the password at once must not prevent the mail.
    const isOver = person.devices_reset_at && person.devices_reset_at > mail.createdAt
    return isOver ? 'not needed: the account has since been secured' : undefined
  }
  // The request may have come from someone who knew the old password.
  return person.password_changed_at > mail.createdAt
    ? 'not needed: the password has since been changed'
    : undefined
}

/** The other person whom an address belongs to. */
async function otherOwner(
  trx: Knex.Transaction,
  email: string,
  id: string,
): Promise<{ readonly locale: string | null } | undefined> {
  const key = foldIdentifier(email)
  return trx('users')
    .whereRaw('(email_key = ? OR lower(email) IN (?, lower(?)))', [key, key, email])
    .whereNot({ id })
    .first('locale')
}

/** A person has one live link of each kind: an old mail must not replace the link of a newer one. */
async function superseded(trx: Knex.Transaction, mail: ClaimedMail): Promise<string | undefined> {
  if (mail.template === 'new_sign_in') return undefined
  const newer = await trx('outgoing_mail')
    .where({ user_id: mail.userId, template: mail.template })
    .where('created_at', '>', mail.createdAt)
    .first('id')
  return newer && 'not needed: a newer one was requested'
}
