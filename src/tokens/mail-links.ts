import { createHmac } from 'node:crypto'
import type { Knex } from 'knex'
import { foldIdentifier } from '../identifier.ts'
import type { ClaimedMail } from '../mail/mail-queue.ts'
import type { LinkTemplate, MailTemplate } from '../mail/outbox.ts'
import type { OneTimeTokens, TokenPurpose } from './one-time-tokens.ts'

const hour = 3600

/** What following a link does, and how long it may take. */
const links: Record<LinkTemplate, { purpose: TokenPurpose; seconds: number }> = {
  verify_email: { purpose: 'email_verification', seconds: 24 * hour },
  reset_password: { purpose: 'password_reset', seconds: hour },
}

const hasLink = (template: MailTemplate): template is LinkTemplate => template in links

export type Preparation =
  /** Another template has no link: the address belongs to somebody else. */
  | { readonly outcome: 'ready'; readonly template: MailTemplate; readonly token?: string }
  | { readonly outcome: 'pointless'; readonly reason: string }
  | { readonly outcome: 'busy' }

interface Dependencies {
  readonly oneTimeTokens: OneTimeTokens
  readonly linkKey: Uint8Array
}

/**
 * Makes the token of a mail, in the transaction that claims it. The token follows from the mail: a
 * mail that has to be sent again has the same link, so it does not matter which copy a mailbox keeps.
 */
export async function prepareLink(
  trx: Knex.Transaction,
  mail: ClaimedMail,
  { oneTimeTokens, linkKey }: Dependencies,
): Promise<Preparation> {
  if (!hasLink(mail.template)) return { outcome: 'ready', template: mail.template }
  const { purpose, seconds } = links[mail.template]
  if (mail.userId === null) return { outcome: 'pointless', reason: 'not needed: it is for nobody' }
  // Whoever deletes the person waits for this mail: waiting for them in turn would be a deadlock.
  const person: Person | undefined = await trx('users')
    .where({ id: mail.userId })
    .forKeyShare()
    .skipLocked()
    .first('id', 'email', 'email_verified_at', 'password_changed_at', 'disabled_at')
  if (!person) return { outcome: 'busy' }
  const reason = pointless(mail, person) ?? (await superseded(trx, mail))
  if (reason) return { outcome: 'pointless', reason }
  const bits = createHmac('sha256', linkKey).update(`${purpose} ${mail.id}`).digest()
  const holder = { userId: person.id, email: mail.recipient }
  // Issued either way: the person's export and the next mail are the same for a free address and for
  // one that is somebody's, who alone is told (ASVS 6.3.8).
  const token = await oneTimeTokens.issue(trx, { ...holder, purpose, seconds, bits })
  if (purpose === 'email_verification' && (await isOfAnother(trx, mail.recipient, person.id))) {
    return { outcome: 'ready', template: 'registration_attempt' }
  }
  return { outcome: 'ready', template: mail.template, token }
}

interface Person {
  id: string
  email: string | null
  email_verified_at: Date | null
  password_changed_at: Date
  disabled_at: Date | null
}

/** Mails may wait for hours: what was right when it was asked for may be wrong by now. */
function pointless(mail: ClaimedMail, person: Person): string | undefined {
  if (person.disabled_at) return 'not needed: the person is disabled'
  const isTheirs =
    person.email !== null && foldIdentifier(person.email) === foldIdentifier(mail.recipient)
  const isVerification = mail.template === 'verify_email'
  if (isVerification && isTheirs) {
    return person.email_verified_at ? 'not needed: the address is proven' : undefined
  }
  if (!isVerification && !isTheirs) return 'not needed: the address is not theirs any more'
  // Whoever asked may have known the old password: theirs is no longer the word that counts.
  return person.password_changed_at > mail.createdAt
    ? 'not needed: the password was changed meanwhile'
    : undefined
}

async function isOfAnother(trx: Knex.Transaction, email: string, id: string): Promise<boolean> {
  const key = foldIdentifier(email)
  const other = await trx('users')
    .whereRaw('(email_key = ? OR lower(email) IN (?, lower(?)))', [key, key, email])
    .whereNot({ id })
    .first('id')
  return other !== undefined
}

/** A person has one live link of a kind: an old mail must not take it from a newer one. */
async function superseded(trx: Knex.Transaction, mail: ClaimedMail): Promise<string | undefined> {
  const newer = await trx('outgoing_mail')
    .where({ user_id: mail.userId, template: mail.template })
    .where('created_at', '>', mail.createdAt)
    .first('id')
  return newer && 'not needed: a newer one was asked for'
}
